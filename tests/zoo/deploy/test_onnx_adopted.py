"""What an adopted file's export says of pixels is what the file itself says of them, prepared by hand."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from safetensors.torch import save_file

from ferdata.errors import BadOption
from ferdata.labels import EMOTIONS
from tests.zoo.strangers import stranger
from zoo.deploy.adopt import adopt
from zoo.deploy.onnx_export import export

SEVEN = EMOTIONS[:7]
FORMS = {
    "colour": {},
    "BGR, last": {"layout": "NHWC", "output": "probabilities"},
    "grey": {"channels": 1},
    "halves": {"kind": "float16"},
    "whole numbers": {"kind": "uint8"},
    "four at a time": {"batch": 4},
    "of opset 9": {"opset": 9},
}


def ask(path, pictures):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: pictures})[0]


def by_hand(path, form, order, pixels):
    """Prepare uint8 (n, C, H, W) as -1..1, or as they are for a file of whole numbers; return probabilities."""
    x = pixels if form.get("kind") == "uint8" else (pixels / 127.5 - 1).astype(np.float32)
    x = x.astype(np.float16) if form.get("kind") == "float16" else x
    x = x[:, ::-1] if order == "BGR" else x
    out = ask(path, np.ascontiguousarray(x.transpose(0, 2, 3, 1) if form.get("layout") == "NHWC" else x))
    exp = np.exp(out - out.max(1, keepdims=True))
    return out if form.get("output") == "probabilities" else exp / exp.sum(1, keepdims=True)


@pytest.mark.parametrize(
    ("name", "tta"), [*((name, "none") for name in FORMS), *(("BGR, last", "flip"), ("four at a time", "flip"))]
)
def test_the_export_says_what_the_file_says_whatever_its_form(name, tta, manifest_path, tmp_path):
    form, order = FORMS[name], "BGR" if name.startswith("BGR") else "RGB"
    file = stranger(tmp_path / "theirs.onnx", **form)
    pixels = None if form.get("kind") == "uint8" else (-1, 1)
    adopt(file, tmp_path / "run", classes=SEVEN, size=16, pixels=pixels, order=order)
    if form.get("batch") and tta == "flip":
        with pytest.raises(BadOption, match="4 pictures at a time"):
            export(tmp_path / "run", tta=tta, manifest=manifest_path)
        return
    done = export(tmp_path / "run", tta=tta, manifest=manifest_path, faces=20)
    coarse = np.random.default_rng(1).integers(0, 256, (4, form.get("channels", 3), 2, 2), np.uint8)
    seen = coarse.repeat(8, 2).repeat(8, 3)
    expected = by_hand(file, form, order, seen)
    if tta == "flip":
        expected = (expected + by_hand(file, form, order, seen[..., ::-1])) / 2
    assert np.abs(ask(done.out, seen) - expected).max() < (2e-3 if form.get("kind") == "float16" else 1e-5)
    assert np.ptp(expected, 0).max() > 0.01  # a net that says the same of everything would prove nothing
    assert len(onnx.load(done.out).opset_import) == 1


def test_the_export_carries_the_card_and_is_adopted_again_without_a_word(manifest_path, tmp_path):
    first = adopt(stranger(tmp_path / "theirs.onnx"), tmp_path / "run", classes=SEVEN, pixels=(0, 1))
    done = export(tmp_path / "run", manifest=manifest_path)
    assert json.loads(done.metadata["adopted"])["file"] == "theirs.onnx"
    again = adopt(done.out, tmp_path / "again")
    assert again.classes == first.classes == SEVEN
    assert (again.card.size, again.card.output) == (16, "probabilities")


def test_a_net_of_timms_is_exported_as_it_is_fed_and_read(manifest_path, tmp_path):
    torch.manual_seed(1)
    net = timm.create_model("mobilenetv3_small_050", num_classes=7).eval()
    save_file(dict(net.state_dict()), tmp_path / "net.safetensors")
    options = {"classes": SEVEN, "size": 64, "pixels": (-1, 1), "order": "BGR"}
    adopt("mobilenetv3_small_050", tmp_path / "run", weights=tmp_path / "net.safetensors", **options)
    done = export(tmp_path / "run", tta="none", manifest=manifest_path, faces=8)
    seen = np.random.default_rng(1).integers(0, 256, (4, 3, 64, 64), np.uint8)
    with torch.inference_mode():
        expected = net(torch.from_numpy(seen[:, ::-1].astype(np.float32)) / 127.5 - 1).softmax(1).numpy()
    assert np.abs(ask(done.out, seen) - expected).max() < 1e-5


def test_what_eight_bits_cost_is_told_by_the_manifests_classes(manifest_path, tmp_path):
    """The file's classes stand in another order, and are fewer, than the manifest's."""
    order = SEVEN[::-1]
    adopt(stranger(tmp_path / "theirs.onnx", seed=4), tmp_path / "run", classes=order, pixels=(0, 1))
    from zoo.evaluation.evaluate import evaluate

    done = export(tmp_path / "run", manifest=manifest_path, int8=True)
    judged = evaluate(tmp_path / "run", manifest_path, split="val", bootstrap=10)
    assert done.int8["accuracy"]["float32"] == pytest.approx(judged["accuracy"])
    assert judged["accuracy"] > 0.02


def test_the_export_of_an_adopted_run_needs_a_manifest(tmp_path):
    adopt(stranger(tmp_path / "theirs.onnx"), tmp_path / "run", classes=SEVEN, pixels=(0, 1))
    with pytest.raises(BadOption) as error:
        export(tmp_path / "run")
    assert "--manifest" in error.value.hint
