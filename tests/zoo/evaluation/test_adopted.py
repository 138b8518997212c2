"""An adopted model is judged as a run is: by its own answers, brought to the manifest's classes."""

import numpy as np
import pytest
from onnx import numpy_helper

from ferdata.errors import BadOption
from ferdata.labels import EMOTIONS, taxonomy
from tests.zoo.conftest import SHAPES, shape_rows
from tests.zoo.strangers import changed, stranger, with_last
from tests.zoo.untaught import untaught
from zoo.deploy.adopt import adopt
from zoo.deploy.onnx_export import export
from zoo.evaluation import predictions
from zoo.evaluation.evaluate import evaluate

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.mark.filterwarnings("ignore:.* may be read wrongly")  # a net that nobody taught is as well read otherwise
def test_our_own_export_adopted_has_the_figures_of_its_run_to_the_digit(manifest_path, tmp_path):
    run = untaught(tmp_path / "run", manifest_path, config={"targets": "crossentropy", "select": "accuracy"})
    export(run)
    done = adopt(run / "model.onnx", tmp_path / "again")  # its metadata say all there is to say
    assert done.card.name == "mini_xception"
    ours = evaluate(run, bootstrap=50, save_predictions=tmp_path / "ours.parquet")
    theirs = evaluate(tmp_path / "again", manifest_path, bootstrap=50, save_predictions=tmp_path / "theirs.parquet")
    for name in ("n", "accuracy", "balanced_accuracy", "macro_f1", "top2_accuracy", "confusion"):
        assert theirs[name] == ours[name], name
    for name in ("ece", "log_loss", "macro_auc"):
        assert theirs[name] == pytest.approx(ours[name], abs=1e-5), name
    assert theirs["confidence_intervals"]["accuracy"] == ours["confidence_intervals"]["accuracy"]
    a, b = (predictions.read(tmp_path / f"{name}.parquet") for name in ("ours", "theirs"))
    assert a.sample_id.tolist() == b.sample_id.tolist()
    assert np.abs(a.probabilities - b.probabilities).max() < 1e-5
    assert np.ptp(a.probabilities, 0).max() > 1e-3  # a net that says the same of everything would prove nothing


def test_a_class_that_it_cannot_answer_is_counted_wrong_and_named(manifest_path, tmp_path):
    six = ("angry", "disgust", "fear", "happy", "sad", "surprise")
    adopt(stranger(tmp_path / "net.onnx", classes=6, size=32, channels=1), tmp_path / "run", classes=six, pixels=(0, 1))
    told = evaluate(tmp_path / "run", manifest_path, bootstrap=20)
    assert told["n"] == 48
    assert told["protocol"]["table"]["classes_lacking"] == ["neutral", "contempt"]
    assert told["per_class"]["neutral"]["recall"] == 0
    assert told["protocol"]["adopted"]["file"] == "net.onnx"
    assert told["protocol"]["leak_check"]["shared_with_train"] is None
    assert told["backbone"] == "net"


def test_an_answer_that_is_no_class_here_is_left_out_however_sure_it_was(shapes, tmp_path):
    """The rest of the probability may be tiny, and is still what the net says of the other classes."""
    manifest = shapes(shape_rows(), taxonomy="basic7")
    file = with_last(stranger(tmp_path / "net.onnx", classes=8, size=32, channels=1), "Mul", "gain")
    changed(file, lambda m: m.graph.initializer.append(numpy_helper.from_array(np.array(60, np.float32), "gain")))
    adopt(file, tmp_path / "run", classes=EMOTIONS, pixels=(0, 255))
    told = evaluate(tmp_path / "run", manifest, bootstrap=20, save_predictions=tmp_path / "p.parquet")
    assert list(told["protocol"]["table"]["left_out"]) == ["contempt"]
    p = predictions.read(tmp_path / "p.parquet").probabilities
    assert np.allclose(p.sum(1), 1, atol=1e-5)


def test_the_manifest_must_be_named(tmp_path):
    adopt(stranger(tmp_path / "net.onnx"), tmp_path / "run", classes=SEVEN, pixels=(0, 1))
    with pytest.raises(BadOption, match="what it was trained on is not known") as refused:
        evaluate(tmp_path / "run")
    assert "--manifest M" in refused.value.hint


def test_classes_that_are_none_here_are_refused(manifest_path, tmp_path):
    adopt(stranger(tmp_path / "net.onnx", classes=3), tmp_path / "run", classes=("cat", "dog", "cow"), pixels=(0, 1))
    with pytest.raises(BadOption, match="cat, dog, cow, none of which is a class of the taxonomy basic8"):
        evaluate(tmp_path / "run", manifest_path)


def test_figures_charts_and_predictions_are_written_beside_it_and_it_stays_a_run(manifest_path, tmp_path):
    adopt(stranger(tmp_path / "net.onnx", size=32), tmp_path / "run", classes=SEVEN, pixels=(0, 1))
    for tta in ("none", "flip"):
        told = evaluate(
            tmp_path / "run", manifest_path, bootstrap=20, save=True, plots=("png",), tta=tta, force=tta == "flip"
        )
        assert told["protocol"]["tta"] == tta
    names = {file.name for file in (tmp_path / "run").iterdir()}
    assert {"evaluation-test.json", "evaluation-test-confusion.png", "model.safetensors", "adopted.toml"} <= names
    assert "report.json" not in names


def test_a_net_that_was_told_the_shapes_words_in_another_order_is_as_wrong_as_it_should_be(manifest_path, tmp_path):
    """The order of the classes is what the card says, not the alphabet's and not ours."""
    file = stranger(tmp_path / "net.onnx", classes=4, size=32, channels=1)
    turned = dict(zip(SHAPES, (*SHAPES[1:], SHAPES[0]), strict=True))
    adopt(file, tmp_path / "a", classes=SHAPES, pixels=(0, 1))
    adopt(file, tmp_path / "b", classes=tuple(turned.values()), pixels=(0, 1))
    for name in "ab":
        evaluate(tmp_path / name, manifest_path, bootstrap=20, save_predictions=tmp_path / f"{name}.parquet")
    a, b = (predictions.read(tmp_path / f"{name}.parquet") for name in "ab")
    classes = taxonomy("basic8").classes
    for word, other in turned.items():
        assert np.allclose(a.probabilities[:, classes.index(word)], b.probabilities[:, classes.index(other)])
