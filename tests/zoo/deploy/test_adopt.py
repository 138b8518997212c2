"""A model that others trained becomes a run: what its card and its file say is one reading, or it is refused."""

import json

import numpy as np
import pytest
import torch

from ferdata.errors import AlreadyExists, BadOption, BrokenRun, FerdataWarning
from ferdata.labels import EMOTIONS
from tests.zoo.strangers import changed, stranger, with_last, with_metadata
from zoo.deploy.adopt import adopt
from zoo.models.foreign import card
from zoo.models.foreign.onnx_file import OnnxRunner
from zoo.models.load import kept, load_model
from zoo.run.model_file import read_meta

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SAID = {"classes": SEVEN, "pixels": (0, 1)}


def seen(channels=3, n=5, size=16):
    """Return pictures in 0..1, as our nets are given them before they are normalised."""
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1))


def probabilities(run, x):
    """Return what a run says of pictures in 0..1."""
    net, meta = load_model(run / "model.safetensors")
    mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (meta.mean, meta.std))
    with torch.inference_mode():
        return net((x - mean) / std).softmax(1).numpy()


def softmax(logits):
    return torch.tensor(logits).softmax(1).numpy()


@pytest.mark.parametrize("batch", [None, 1, 4])
@pytest.mark.parametrize("kind", ["float", "float16"])
def test_it_says_what_the_file_says_in_batches_of_any_size(batch, kind, tmp_path):
    file = stranger(tmp_path / "net.onnx", batch=batch, kind=kind)
    adopt(file, tmp_path / "run", **SAID)
    runner = OnnxRunner(file.read_bytes(), "net.onnx")
    x = seen().numpy().astype(runner.signature.dtype)
    step = batch or 1
    fed = np.concatenate([x, x[: -len(x) % step]]) if batch else x
    theirs = np.concatenate([runner(fed[i : i + step]) for i in range(0, len(fed), step)])[: len(x)]
    assert np.abs(probabilities(tmp_path / "run", seen()) - softmax(theirs)).max() < 1e-3
    assert np.ptp(softmax(theirs), 0).max() > 1e-3  # a net that says the same of everything would prove nothing


def test_bgr_and_channels_last_are_turned_as_the_card_says(tmp_path):
    file = stranger(tmp_path / "net.onnx", layout="NHWC")
    for order, turned in (("RGB", [0, 1, 2]), ("BGR", [2, 1, 0])):
        adopt(file, tmp_path / order, order=order, **SAID)
        fed = np.ascontiguousarray(seen().numpy()[:, turned].transpose(0, 2, 3, 1))
        expected = softmax(OnnxRunner(file.read_bytes(), "net.onnx")(fed))
        assert np.abs(probabilities(tmp_path / order, seen()) - expected).max() < 1e-5
    assert np.abs(probabilities(tmp_path / "RGB", seen()) - probabilities(tmp_path / "BGR", seen())).max() > 1e-3


def test_whole_numbers_are_given_as_they_are_and_no_other_scale_is_taken(tmp_path):
    file = stranger(tmp_path / "net.onnx", kind="uint8")
    done = adopt(file, tmp_path / "run", classes=SEVEN)
    assert card.range_of(done.card) == (0, 255)
    assert any("whole numbers" in note for note in done.notes)
    pixels = (seen() * 255).round()
    expected = softmax(OnnxRunner(file.read_bytes(), "net.onnx")(pixels.numpy().astype(np.uint8)))
    assert np.abs(probabilities(tmp_path / "run", pixels / 255) - expected).max() < 1e-5
    with pytest.raises(BadOption, match="takes whole numbers, 0 to 255"):
        adopt(file, tmp_path / "again", **SAID)


def test_what_comes_out_is_asked_and_a_wrong_word_for_it_refused(tmp_path):
    logits = stranger(tmp_path / "logits.onnx")
    shares = stranger(tmp_path / "shares.onnx", output="probabilities")
    assert adopt(logits, tmp_path / "a", **SAID).card.output == "logits"
    assert adopt(shares, tmp_path / "b", **SAID).card.output == "probabilities"
    x = seen()
    assert np.abs(probabilities(tmp_path / "a", x) - probabilities(tmp_path / "b", x)).max() < 1e-6
    with pytest.raises(BadOption, match="is no probabilities"):
        adopt(logits, tmp_path / "c", output="probabilities", **SAID)
    with pytest.raises(BadOption, match="is no logits"):
        adopt(shares, tmp_path / "c", output="logits", **SAID)
    assert not (tmp_path / "c").exists()


def test_outputs_of_a_sigmoid_are_taken_for_logits_with_a_word(tmp_path):
    done = adopt(with_last(stranger(tmp_path / "net.onnx"), "Sigmoid"), tmp_path / "run", **SAID)
    assert done.card.output == "logits"
    assert any("sigmoid" in note for note in done.notes)


def test_as_many_classes_as_outputs_or_none(tmp_path):
    file = stranger(tmp_path / "net.onnx", classes=5)
    with pytest.raises(BadOption, match=r"gives \(16, 5\) for 16 pictures, and there are 7 classes: angry") as refused:
        adopt(file, tmp_path / "run", **SAID)
    assert "one for each" in refused.value.hint
    assert not (tmp_path / "run").exists()


def test_a_graph_that_folds_its_batch_is_named_as_such(tmp_path):
    file = changed(stranger(tmp_path / "net.onnx"), lambda model: _fold(model))
    with pytest.raises(BadOption, match=r"gives \(1, 112\) for 16 pictures") as refused:
        adopt(file, tmp_path / "run", **SAID)
    assert "one picture at a time" in refused.value.hint


def _fold(model, shape=(1, -1)):
    from onnx import helper, numpy_helper

    model.graph.initializer.append(numpy_helper.from_array(np.array(shape), "one"))
    last = model.graph.output[0]
    model.graph.node.append(helper.make_node("Reshape", [last.name, "one"], ["folded"]))
    last.name = "folded"


@pytest.mark.parametrize("batch", [1, 4])
def test_an_answer_without_its_batch_is_read_where_the_batch_is_fixed(batch, tmp_path):
    """(7,) for one picture, or (1, 28) for four."""
    file = stranger(tmp_path / "net.onnx", batch=batch)
    adopt(file, tmp_path / "plain", **SAID)
    adopt(changed(file, lambda model: _fold(model, [-1] if batch == 1 else [1, -1])), tmp_path / "folded", **SAID)
    assert np.array_equal(probabilities(tmp_path / "plain", seen()), probabilities(tmp_path / "folded", seen()))


def test_a_model_of_no_numbers_is_refused(tmp_path):
    file = with_last(stranger(tmp_path / "net.onnx"), "Log")  # of logits, some of which are below 0
    with pytest.raises(BrokenRun, match=r"no numbers \(NaN or infinity\) for \d+ of 16 pictures") as refused:
        adopt(file, tmp_path / "run", **SAID)
    assert "--pixels" in refused.value.hint
    assert not (tmp_path / "run").exists()


def test_what_nobody_said_is_asked_for_all_at_once(tmp_path):
    with pytest.raises(BadOption) as refused:
        adopt(stranger(tmp_path / "net.onnx"), tmp_path / "run")
    assert "--classes" in refused.value.message
    assert "--pixels 0,1 or -1,1 or 0,255" in refused.value.message
    assert "--size" not in refused.value.message  # the file's shape says it
    assert "--check" in refused.value.hint


@pytest.mark.parametrize(
    ("said", "there"), [({"size": 48}, "size 16"), ({"channels": 1}, "channels 3"), ({"layout": "NHWC"}, "layout NCHW")]
)
def test_what_the_files_shape_contradicts_is_refused(said, there, tmp_path):
    with pytest.raises(BadOption, match=f"has {there}, and .* was requested"):
        adopt(stranger(tmp_path / "net.onnx"), tmp_path / "run", **SAID, **said)


def test_options_go_before_a_card_and_a_card_before_the_file(tmp_path):
    file = with_metadata(stranger(tmp_path / "net.onnx"), classes=json.dumps([f"class {i}" for i in range(7)]))
    (tmp_path / "theirs.toml").write_text(f"classes = {json.dumps(SEVEN)}\npixels = [0, 255]\nname = 'Theirs'\n")
    said = adopt(file, tmp_path / "run", card=tmp_path / "theirs.toml", name="Mine").card
    assert (said.name, said.classes, card.range_of(said), said.file) == ("Mine", SEVEN, (0, 255), "net.onnx")
    with_scale = adopt(file, tmp_path / "scaled", card=tmp_path / "theirs.toml", mean=(0.5,), std=(0.5,)).card
    assert card.range_of(with_scale) == (-1, 1)
    own = adopt(file, tmp_path / "own", pixels=(0, 1))
    assert own.classes == tuple(f"class {i}" for i in range(7))
    assert any("Not known as emotions: class 0" in note for note in own.notes)


def test_a_runs_own_card_adopts_the_file_again_as_the_same_run(tmp_path):
    file = stranger(tmp_path / "net.onnx")
    adopt(file, tmp_path / "run", order="BGR", crop="box", margin=0.2, terms="MIT", source="a friend", **SAID)
    adopt(file, tmp_path / "again", card=tmp_path / "run" / "adopted.toml")
    first, again = (tmp_path / name / "model.safetensors" for name in ("run", "again"))
    assert read_meta(first) == read_meta(again)
    assert kept(first) == kept(again) == file.read_bytes()
    meta = read_meta(tmp_path / "run" / "model.safetensors")
    assert meta.classes == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    assert meta.alignment == {"size": 16, "margin": 0.2, "template": "box", "detector": "yunet"}
    assert (meta.foreign["terms"], meta.foreign["source"]) == ("MIT", "a friend")


def test_a_run_that_is_there_is_replaced_only_by_force(tmp_path):
    file = stranger(tmp_path / "net.onnx")
    adopt(file, tmp_path / "run", **SAID)
    with pytest.raises(AlreadyExists, match="already holds a run"):
        adopt(file, tmp_path / "run", **SAID)
    adopt(file, tmp_path / "run", force=True, name="Second", **SAID)
    assert read_meta(tmp_path / "run" / "model.safetensors").backbone == "Second"


def test_a_file_of_a_shipped_cards_name_is_recognised_and_not_read_by_it_unasked(tmp_path):
    file = stranger(tmp_path / "emotion-ferplus-8.onnx", classes=8, size=64, channels=1, batch=1)
    with pytest.warns(FerdataWarning, match="--card ferplus-onnx"):
        adopt(file, tmp_path / "run", classes=EMOTIONS, pixels=(0, 255))
    done = adopt(file, tmp_path / "card", card="ferplus-onnx")
    assert done.classes == EMOTIONS


def test_a_margin_without_a_template_and_three_means_of_grey_are_refused(tmp_path):
    grey = stranger(tmp_path / "grey.onnx", channels=1)
    with pytest.raises(BadOption, match="3 means for 1 channel"):
        adopt(grey, tmp_path / "run", classes=SEVEN, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))
    with pytest.raises(BadOption, match="a margin, and faces are taken as published"):
        adopt(grey, tmp_path / "run", margin=0.2, **SAID)
