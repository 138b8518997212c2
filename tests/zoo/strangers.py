"""Models of nobody here: small nets as real ONNX files, of whatever form others write them in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

KINDS = {"float": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def stranger(
    path: Path,
    classes: int = 7,
    size: int = 16,
    channels: int = 3,
    layout: str = "NCHW",
    output: str = "logits",
    batch: int | None = None,
    kind: str = "float",
    opset: int = 17,
    seed: int = 0,
) -> Path:
    """Write a convolution and a dense layer of drawn weights, neither of which is mirror-symmetric; return the file."""
    random = np.random.default_rng(seed)
    shape = ["n" if batch is None else batch, channels, size, size]
    if layout == "NHWC":
        shape = [shape[0], size, size, channels]
    weights = {
        "filters": random.normal(0, 0.3 if kind != "uint8" else 0.002, (8, channels, 3, 3)),
        "dense": random.normal(0, 1, (8, classes)),
        "bias": random.normal(0, 0.1, classes),
    }
    nodes, last = [], "pictures"

    def then(operation: str, *more: str, **attributes: object) -> None:
        nonlocal last
        nodes.append(helper.make_node(operation, [last, *more], [f"{last}_{operation}"], **attributes))
        last = f"{last}_{operation}"

    if kind != "float":
        then("Cast", to=TensorProto.FLOAT)
    if layout == "NHWC":
        then("Transpose", perm=[0, 3, 1, 2])
    then("Conv", "filters", kernel_shape=[3, 3], strides=[2, 2])
    then("Relu")
    then("GlobalAveragePool")
    then("Flatten", axis=1)
    then("Gemm", "dense", "bias")
    if output == "probabilities":
        then("Softmax", axis=1)
    graph = helper.make_graph(
        nodes,
        "stranger",
        [helper.make_tensor_value_info("pictures", KINDS[kind], shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [shape[0], classes])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def changed(path: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    """Write a file again after `change` was done to it; return it."""
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    return path


def with_metadata(path: Path, **said: str) -> Path:
    """Write what a file says of itself into it; return it."""
    return changed(path, lambda model: helper.set_model_props(model, said))


def with_two_inputs(path: Path) -> Path:
    """Write a file that takes an age beside the pictures."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.input.append(helper.make_tensor_value_info("age", TensorProto.FLOAT, ["n", 1]))
        last = model.graph.output[0]
        model.graph.node.append(helper.make_node("Add", [last.name, "age"], ["aged"]))
        last.name = "aged"

    return changed(path, change)


def with_two_outputs(path: Path) -> Path:
    """Write a file that gives what is before its last layer too."""
    shape = helper.make_tensor_value_info("pictures_Conv_Relu_GlobalAveragePool_Flatten", TensorProto.FLOAT, ["n", 8])
    return changed(path, lambda model: model.graph.output.append(shape))


def with_last(path: Path, operation: str, *more: str, **attributes: object) -> Path:
    """Write a file with one more operation at its end."""

    def change(model: onnx.ModelProto) -> None:
        last = model.graph.output[0]
        model.graph.node.append(helper.make_node(operation, [last.name, *more], ["end"], **attributes))
        last.name = "end"

    return changed(path, change)


def with_input_shape(path: Path, *shape: int | str) -> Path:
    """Write a file that says another shape of its input."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("pictures", TensorProto.FLOAT, shape))

    return changed(path, change)
