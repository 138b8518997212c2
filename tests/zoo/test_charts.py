import cv2
import numpy as np

from ferdata.labels import COLOURS, TAXONOMIES
from zoo.charts import class_colour, confusion, curves
from zoo.metrics import score


def picture(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def test_curves_are_drawn_even_of_one_epoch():
    row = {
        **{"epoch": 1, "train_loss": 1.0, "val_loss": 1.2, "train_accuracy": 0.5, "val_accuracy": 0.4},
        **{"val_macro_f1": 0.3, "lr": 0.1},
    }
    assert picture(curves([row], 1)).shape[1] > 800


def test_the_confusion_matrix_is_drawn_with_a_class_that_has_no_image():
    taxonomy = TAXONOMIES["basic8"]
    p = np.eye(8, dtype=np.float32)[[0, 1, 2, 2]]
    report = score(p, np.array([0, 1, 1, 2]), taxonomy.classes)
    assert picture(confusion(report, taxonomy.as_dict())).shape[0] > 400


def test_a_class_has_its_emotions_colour():
    assert class_colour("fear", TAXONOMIES["basic8"].as_dict()) == COLOURS["fear"]
    assert class_colour("happy", TAXONOMIES["fer3"].as_dict()) == COLOURS["happiness"]
    assert class_colour("negative", TAXONOMIES["valence3"].as_dict()) in COLOURS.values()
