"""A TFLite file: its graph is read by LiteRT's interpreter, in batches and scales of its own; without it, the extra."""

import io
import sys
import zipfile

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption, MissingExtra
from zoo.deploy.adopt import adopt
from zoo.models.foreign import opened
from zoo.models.load import load_model

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIDE = 8


@pytest.fixture(scope="module")
def schema():
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: the extra tflite")
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def made(schema, batch=1, open_batch=False, quantised=False, inputs=1):
    """Return the bytes of a dense layer with a softmax on grey pictures, and its weights."""
    import flatbuffers

    weights = np.random.default_rng(0).normal(0, 0.3, (7, SIDE * SIDE)).astype(np.float32)
    model = schema.ModelT()
    model.version, model.buffers, graph = 3, [schema.BufferT()], schema.SubGraphT()
    model.operatorCodes, model.subgraphs, graph.operators = [], [graph], []

    def tensor(name, shape, kind, data=None, scale=None):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = name, list(shape), kind, 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            model.buffers.append(buffer)
            t.buffer = len(model.buffers) - 1
        if open_batch and data is None:
            t.shapeSignature = [-1, *shape[1:]]
        if scale is not None:
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = [scale[0]], [scale[1]]
        graph.tensors = [*(graph.tensors or []), t]
        return len(graph.tensors) - 1

    def operation(code, ins, outs, kind=None, options=None):
        opcode = schema.OperatorCodeT()
        opcode.builtinCode = opcode.deprecatedBuiltinCode = code
        opcode.version = 1
        model.operatorCodes.append(opcode)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = len(model.operatorCodes) - 1, ins, outs
        if options is not None:
            op.builtinOptionsType, op.builtinOptions = kind, options
        graph.operators.append(op)

    kinds, ops, shapes = schema.TensorType, schema.BuiltinOperator, (batch, SIDE, SIDE, 1)
    first = tensor(
        "pictures", shapes, kinds.UINT8 if quantised else kinds.FLOAT32, scale=(2 / 255, 128) if quantised else None
    )
    last = first
    if quantised:
        last = tensor("real", shapes, kinds.FLOAT32)
        operation(ops.DEQUANTIZE, [first], [last])
    flat = tensor("flat", (batch, SIDE * SIDE), kinds.FLOAT32)
    operation(ops.RESHAPE, [last, tensor("shape", (2,), kinds.INT32, np.array([-1, SIDE * SIDE], np.int32))], [flat])
    dense = tensor("dense", (batch, 7), kinds.FLOAT32)
    wide = tensor("weights", weights.shape, kinds.FLOAT32, weights)
    bias = tensor("bias", (7,), kinds.FLOAT32, np.zeros(7, np.float32))
    operation(
        ops.FULLY_CONNECTED,
        [flat, wide, bias],
        [dense],
        schema.BuiltinOptions.FullyConnectedOptions,
        schema.FullyConnectedOptionsT(),
    )
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    out = tensor("shares", (batch, 7), kinds.FLOAT32)
    operation(ops.SOFTMAX, [dense], [out], schema.BuiltinOptions.SoftmaxOptions, softmax)
    graph.inputs, graph.outputs = [first, *(tensor(f"more{i}", (1, 1), kinds.FLOAT32) for i in range(1, inputs))], [out]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()), weights


def by_hand(weights, x):
    return torch.softmax(x.reshape(len(x), -1) @ torch.from_numpy(weights).T, 1).numpy()


def seen(n=5):
    return (torch.rand(n, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 255).round() / 255


@pytest.mark.parametrize("form", [{}, {"batch": 2}, {"open_batch": True}])
def test_its_answers_are_those_of_its_layers_by_hand(form, schema, tmp_path):
    data, weights = made(schema, **form)
    (tmp_path / "net.tflite").write_bytes(data)
    done = adopt(tmp_path / "net.tflite", tmp_path / "run", classes=SEVEN, pixels=(-1, 1))
    assert (done.card.layout, done.card.size, done.card.channels, done.card.output) == (
        "NHWC",
        SIDE,
        1,
        "probabilities",
    )
    net, _ = load_model(tmp_path / "run" / "model.safetensors")
    fed = seen() * 2 - 1
    for n in (5, 3):
        assert np.abs(net(fed[:n]).softmax(1).numpy() - by_hand(weights, fed[:n])).max() < 1e-5


def test_whole_numbers_with_a_scale_are_made_of_the_numbers_it_was_trained_on(schema, tmp_path):
    data, weights = made(schema, quantised=True)
    (tmp_path / "net.bin").write_bytes(data)
    adopt(tmp_path / "net.bin", tmp_path / "run", classes=SEVEN, pixels=(-1, 1))
    net, _ = load_model(tmp_path / "run" / "model.safetensors")
    fed = seen() * 2 - 1
    assert np.abs(net(fed).softmax(1).numpy() - by_hand(weights, fed)).max() < 0.02


def test_labels_in_the_file_are_its_classes(schema, tmp_path):
    data, _ = made(schema)
    labels = io.BytesIO(data)
    with zipfile.ZipFile(labels, "a") as archive:
        archive.writestr("labels.txt", "\n".join(SEVEN))
    (tmp_path / "net.tflite").write_bytes(labels.getvalue())
    assert adopt(tmp_path / "net.tflite", tmp_path / "run", pixels=(0, 1)).card.classes == SEVEN


def test_a_damaged_file_and_one_of_two_inputs_are_refused(schema, tmp_path):
    for data, word in (
        (made(schema)[0][:200], "no TFLite file"),
        (made(schema, inputs=2)[0], "has 2 inputs and 1 outputs"),
    ):
        (tmp_path / "net.tflite").write_bytes(data)
        with pytest.raises(BadOption, match=word):
            opened.runner(*opened.read(tmp_path / "net.tflite"), "net.tflite")


def test_without_an_interpreter_the_extra_is_named(tmp_path, monkeypatch):
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter", "tflite_runtime", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3" + b"\0" * 64)
    with pytest.raises(MissingExtra) as found:
        opened.runner(*opened.read(tmp_path / "net.tflite"), "net.tflite")
    assert "[tflite]" in found.value.hint
