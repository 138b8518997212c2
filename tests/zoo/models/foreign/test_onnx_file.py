"""An ONNX file: what it says of its input is read, what it cannot be fed is refused, and its numbers are its own."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from ferdata.errors import BadOption
from tests.zoo.strangers import (
    changed,
    stranger,
    with_input_shape,
    with_last,
    with_metadata,
    with_two_inputs,
    with_two_outputs,
)
from zoo.models.foreign.onnx_file import OnnxRunner
from zoo.models.foreign.signature import described


def opened(path):
    return OnnxRunner(path.read_bytes(), path.name)


def refused(path):
    with pytest.raises(BadOption) as found:
        described(opened(path).signature, path.name)
    return found.value


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [1, 3])
def test_size_channels_and_layout_are_read_from_its_shape(layout, channels, tmp_path):
    told = described(opened(stranger(tmp_path / "net.onnx", layout=layout, channels=channels)).signature, "net.onnx")
    assert (told.layout, told.channels, told.size) == (layout, channels, 16)


def test_an_open_shape_tells_nothing_of_what_is_open(tmp_path):
    path = with_input_shape(stranger(tmp_path / "net.onnx"), "n", 3, "h", "w")
    told = described(opened(path).signature, "net.onnx")
    assert (told.layout, told.channels, told.size) == ("NCHW", 3, None)
    told = described(opened(with_input_shape(path, "n", "c", "h", "w")).signature, "net.onnx")
    assert (told.layout, told.channels, told.size) == (None, None, None)


def test_two_inputs_are_refused_by_name_and_shape(tmp_path):
    error = refused(with_two_inputs(stranger(tmp_path / "net.onnx")))
    assert "has 2 inputs (pictures (N, 3, 16, 16), age (N, 1))" in error.message
    assert "onnx.utils.extract_model" in error.hint


def test_two_outputs_are_refused_by_name_and_shape(tmp_path):
    error = refused(with_two_outputs(stranger(tmp_path / "net.onnx")))
    assert "has 2 outputs: pictures_Conv_Relu_GlobalAveragePool_Flatten_Gemm (N, 7), " in error.message
    assert "onnx.utils.extract_model" in error.hint


def test_an_input_that_takes_no_square_pictures_is_refused(tmp_path):
    path = stranger(tmp_path / "net.onnx")
    assert "16 x 24 pixels, which are not square" in refused(with_input_shape(path, "n", 3, 24, 16)).message
    assert "pictures of 4 channels" in refused(with_input_shape(path, "n", 4, 16, 16)).message


def test_an_input_of_rank_2_is_no_picture(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"])],
        "landmarks",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 136])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 136])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    assert "takes arrays of 2 axes, (N, 136), which are no pictures" in refused(tmp_path / "net.onnx").message


def test_an_input_of_words_is_refused(tmp_path):
    path = stranger(tmp_path / "net.onnx", kind="uint8")

    def change(model):
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64

    assert "takes tensor(int64)" in refused(changed(path, change)).message


def test_tensors_in_another_file_are_refused_and_how_they_come_into_one_is_said(tmp_path):
    model = onnx.load(stranger(tmp_path / "net.onnx"))
    onnx.save(model, tmp_path / "out.onnx", save_as_external_data=True, location="out.data", size_threshold=0)
    with pytest.raises(BadOption, match=r"out\.onnx keeps tensors in another file") as found:
        opened(tmp_path / "out.onnx")
    assert "onnx.save(onnx.load(" in found.value.hint


def test_an_operation_that_nobody_has_is_refused(tmp_path):
    path = stranger(tmp_path / "net.onnx")
    with pytest.raises(BadOption, match=r"net\.onnx is no ONNX file that onnxruntime opens"):
        opened(with_last(path, "FancyOperation"))


def test_a_file_cut_short_is_refused(tmp_path):
    data = stranger(tmp_path / "net.onnx").read_bytes()
    with pytest.raises(BadOption, match="is no ONNX file that onnxruntime opens"):
        OnnxRunner(data[: len(data) // 2], "net.onnx")


@pytest.mark.parametrize("opset", [7, 9, 21])
@pytest.mark.parametrize("kind", ["float", "float16"])
def test_its_numbers_are_those_of_the_reference_of_onnx(opset, kind, tmp_path):
    path = stranger(tmp_path / "net.onnx", kind=kind, opset=opset)
    seen = np.random.default_rng(0).random((5, 3, 16, 16)).astype("float16" if kind == "float16" else "float32")
    theirs = ReferenceEvaluator(onnx.load(path)).run(None, {"pictures": seen})[0]
    runner = opened(path)
    assert runner.signature.dtype == seen.dtype
    assert np.abs(runner(seen) - theirs).max() < 1e-4


@pytest.mark.parametrize(
    ("said", "classes"),
    [
        ({"classes": '["angry", "happy"]'}, ("angry", "happy")),
        ({"names": "{0: 'angry', 1: 'happy'}"}, ("angry", "happy")),
        ({"names": "{1: 'happy', 0: 'angry'}"}, ("angry", "happy")),
        ({"labels": "angry, happy,sad"}, ("angry", "happy", "sad")),
        ({"labels": '["ang'}, None),
        ({"classes": "__import__('os').system('false')"}, None),
        ({"classes": "7"}, None),
        ({"names": "{'a': 'angry'}"}, None),
        ({"author": "somebody"}, None),
    ],
)
def test_classes_in_its_metadata_are_read(said, classes, tmp_path):
    assert opened(with_metadata(stranger(tmp_path / "net.onnx"), **said)).signature.card.classes == classes
