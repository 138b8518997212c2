import cv2
import numpy as np
import pytest

from ferdata.labels import COLOURS, TAXONOMIES
from zoo.evaluation.charts import confusion, curves, per_class, reliability, spread
from zoo.evaluation.metrics import bins, score

BASIC8 = TAXONOMIES["basic8"]


def picture(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def share_of(png, colour):
    """The share of a picture that has a colour such as #e69f00."""
    blue, green, red = (int(colour[i : i + 2], 16) for i in (5, 3, 1))
    return float((np.abs(picture(png).astype(int) - (blue, green, red)).max(2) <= 2).mean())


@pytest.fixture
def report():
    """Of basic8, with classes that have no image, and one that is never right."""
    p = np.full((400, 8), 0.05, np.float32)
    true = np.arange(400) % 4
    p[np.arange(400), np.where(np.arange(400) % 5, true % 3, 7)] = 0.65
    told = score(p, true, BASIC8.classes, draws=50)
    told["calibration"] = {
        **{"temperature": 1.0, "before": {"ece": 0.1}, "after": {"ece": 0.1}, "reliability": bins(p, true).tolist()}
    }
    return told


def test_curves_are_drawn_even_of_one_epoch():
    row = {
        **{"epoch": 1, "train_loss": 1.0, "val_loss": 1.2, "train_accuracy": 0.5, "val_accuracy": 0.4},
        **{"val_macro_f1": 0.3, "lr": 0.1},
    }
    assert picture(curves([row], 1)).shape[1] > 800


def test_the_confusion_matrix_is_drawn_with_a_class_that_has_no_image(report):
    assert picture(confusion(report, BASIC8.as_dict())).shape[0] > 400


def test_bars_have_the_colours_of_their_emotions_and_none_where_nothing_was_found(report):
    png = per_class(report, BASIC8.as_dict())
    assert share_of(png, COLOURS["happiness"]) > 0.01
    assert share_of(png, COLOURS["sadness"]) < 0.001  # never right: no bar
    assert share_of(png, COLOURS["fear"]) < 0.001  # no image


def test_reliability_is_drawn_with_empty_bins(report):
    assert share_of(reliability(report), COLOURS["anger"]) > 0.0001


def test_a_line_is_drawn_for_each_name_with_or_without_an_interval():
    short = spread(["a", "b"], [[0.5], [0.6]], [0.5, 0.6], [None, None], "t", "x")
    long = spread(list("abcdefghij"), [[0.5, 0.6]] * 10, [0.55] * 10, [[0.5, 0.6]] * 10, "t", "x")
    assert picture(long).shape[0] > picture(short).shape[0]
