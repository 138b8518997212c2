"""In 8 bits: smaller, what it costs measured on val, and scaled as its text says."""

import json

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from ferdata.manifest import Manifest
from tests.zoo.untaught import untaught
from zoo.data.rows import load, read_rows
from zoo.deploy.onnx_check import as_input
from zoo.deploy.onnx_export import export


@pytest.fixture(scope="module")
def exported(manifest_path, tmp_path_factory):
    made = untaught(tmp_path_factory.mktemp("runs") / "run", manifest_path, "resnet_fer")
    return export(made, int8=True)


def test_it_is_smaller_and_its_loss_is_measured_on_val(exported, manifest_path):
    assert exported.out.name == "model-int8.onnx"
    lost = exported.int8
    assert lost["bytes"]["int8"] < 0.35 * lost["bytes"]["float32"]
    assert exported.size == exported.out.stat().st_size
    model = onnx.load(exported.out)
    told = {p.key: p.value for p in model.metadata_props}
    assert json.loads(told["int8"]) == json.loads(json.dumps(lost))
    assert json.loads(told["comparison"])["most"] == exported.parity["most"] < 1e-4
    rows = read_rows(Manifest(manifest_path))
    val = load(rows, {"val": rows.where("val")}, 48, 1)["val"]
    session = onnxruntime.InferenceSession(str(exported.out), providers=["CPUExecutionProvider"])
    (p,) = session.run(None, {"pixels": as_input(val.pixels)})
    assert (p.argmax(1) == val.hard.numpy()).mean() == pytest.approx(lost["accuracy"]["int8"])
    assert lost["most"] < 0.2
    assert any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    read = cv2.dnn.readNetFromONNX(str(exported.out))
    read.setInput(as_input(val.pixels).astype(np.float32))
    right = np.abs(read.forward() - p).max() <= 1e-4
    assert json.loads(told["comparison"])["opencv"]["read"] == right  # of the 8-bit file, not of what it was made from


def test_activations_reach_from_their_least_to_their_largest_value_on_train_and_weights_have_7_bits(
    exported, manifest_path
):
    model = onnx.load(exported.out)
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    (first,) = [n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] not in stored][:1]
    rows = read_rows(Manifest(manifest_path))
    train = load(rows, {"train": rows.where("train")}, 48, 1)["train"]
    shown = (train.pixels.numpy() / 255 - 0.5) / 0.25  # what the first convolution is given: the normalised pixels
    assert stored[first.input[1]] == pytest.approx((shown.max() - shown.min()) / 255, rel=1e-4)
    assert stored[first.input[2]] == round(-shown.min() / stored[first.input[1]].item())
    weights = [value for value in stored.values() if value.dtype == np.int8 and value.ndim == 4]
    assert weights
    assert {int(abs(w).max()) for w in weights} <= {63, 64}
