"""A small league: a run that has learnt four shapes, and an adopted ONNX file that knows three by their brightness."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from zoo.deploy.adopt import adopt
from zoo.evaluation.compare import compare

THREE = ("neutral", "happiness", "surprise")  # what the adopted net can answer of the four


def bright(path, classes=THREE, slope=(-60.0, -10.0, 50.0), middle=0.3):
    """Write an ONNX file that answers by how bright a 32 px grey picture is: a number and a bias for each class."""
    weights = [
        numpy_helper.from_array(np.array([slope], np.float32), "weight"),
        numpy_helper.from_array(-middle * np.array(slope, np.float32), "bias"),
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"], axis=1),
    ]
    sides = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 32, 32])]
    ends = [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", len(classes)])]
    model = helper.make_model(
        helper.make_graph(nodes, "bright", sides, ends, weights), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    save(model, path)
    return path


@pytest.fixture(scope="session")
def adopted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adopted")
    made = adopt(bright(folder / "bright.onnx"), folder / "bright", classes=THREE, pixels=(0, 1))
    return made.out


@pytest.fixture(scope="session")
def league(trained, adopted, manifest_path, tmp_path_factory):
    """What compare says of the two, and its files beside it."""
    folder = tmp_path_factory.mktemp("league")
    out = [folder / f"league.{ending}" for ending in ("md", "tex", "csv")]
    made = compare(
        [adopted, trained.path], on=manifest_path, bootstrap=200, out=out, plot=folder / "league.png", device="cpu"
    )
    return made, folder
