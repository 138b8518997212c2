"""Three engines beside each other: what OpenCV reads it gives rightly, and what it cannot read is told with why."""

import warnings

import cv2
import numpy as np
import pytest
import torch

from ferdata.errors import BrokenRun
from tests.zoo.untaught import untaught
from zoo.deploy.onnx_check import as_input, check_parity, compare_opencv, in_batches, run_onnx
from zoo.deploy.onnx_graph import to_onnx
from zoo.evaluation.inference import score
from zoo.models.load import load_model


def pictures(n, size, channels, seed=5):
    """Return smooth uint8 pictures (n, size, size, channels), each another."""
    coarse = torch.rand(n, channels, 6, 6, generator=torch.Generator().manual_seed(seed)) * 255
    grown = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return grown.permute(0, 2, 3, 1).to(torch.uint8)


def written(folder, backbone, tta, size=48, channels=1, batch=None, n=4):
    """Return a net's graph in bytes, pictures as it takes them, and torch's probabilities for these."""
    statistics = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    made = untaught(folder / "run", None, backbone, size=size, channels=channels, **statistics)
    net, meta = load_model(made / "model.safetensors")
    shown = pictures(n, size, channels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = to_onnx(net, meta, tta, batch).SerializeToString()
    return model, as_input(shown), score(net, shown, meta.mean, meta.std, tta, meta.temperature)


def opencv_is_right(model, pixels, expected):
    """Check that OpenCV, asked as a program of its own would, gives torch's probabilities for 1, 4 and 3 pictures."""
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    for n in (1, 4, 3):
        net.setInput(pixels[:n].astype(np.float32))
        told = net.forward()
        assert told.shape == expected[:n].shape
        assert np.abs(told - expected[:n]).max() < 1e-4
    assert np.ptp(expected, 0).max() > 1e-2  # a net that says the same of everything would prove nothing


@pytest.mark.parametrize("tta", ["none", "flip", "ten-crop"])
def test_opencv_reads_the_default_net_and_is_right_for_any_number_of_pictures(tmp_path, tta):
    model, pixels, expected = written(tmp_path, "resnet_fer", tta)
    opencv_is_right(model, pixels, expected)
    told = compare_opencv(model, pixels, expected, 1e-4)
    assert (told["read"], told["faces"], told["why"]) == (True, 4, "")
    assert np.abs(run_onnx(model, pixels)[0] - expected).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "size", "channels", "tta"),
    [
        ("lenet5", 48, 1, "ten-crop"),
        ("mini_xception", 48, 1, "flip"),
        ("vgg13_ferplus", 64, 1, "flip"),
        ("resnet18", 64, 3, "none"),
        ("squeezenet1_1", 64, 3, "none"),
        ("efficientnet_b0", 64, 3, "none"),
        ("efficientnet_b0", 64, 3, "ten-crop"),
        ("mobilenetv3_small_100", 64, 3, "flip"),
    ],
)
def test_and_other_nets_too(tmp_path, backbone, size, channels, tta):
    model, pixels, expected = written(tmp_path, backbone, tta, size, channels)
    assert np.abs(run_onnx(model, pixels)[0] - expected).max() < 1e-4
    opencv_is_right(model, pixels, expected)


def test_a_net_with_an_operation_that_opencv_lacks_is_told_and_stays_right_in_onnxruntime(tmp_path, capfd):
    model, pixels, expected = written(tmp_path, "deep_emotion", "none")
    told = compare_opencv(model, pixels, expected, 1e-4)
    assert told == {"faces": 4, "most": None, "read": False, "why": "stumbles over GridSample"}
    assert np.abs(run_onnx(model, pixels)[0] - expected).max() < 1e-5
    assert "ERROR" not in capfd.readouterr().err  # OpenCV's own words are not printed beside ours


def test_what_opencv_reads_but_gives_otherwise_is_not_read(tmp_path):
    model, pixels, expected = written(tmp_path, "lenet5", "none")
    told = compare_opencv(model, pixels, expected + np.float32(0.25), 1e-4)
    assert (told["read"], told["why"]) == (False, "probabilities differ by 0.25")
    assert compare_opencv(b"no graph", pixels, expected, 1e-4)["read"] is False


def test_pictures_are_given_as_many_at_a_time_as_a_graph_takes():
    five = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    assert [part.ravel().tolist() for part in in_batches(five, None)] == [[0, 1, 2, 3, 4]]
    assert [part.ravel().tolist() for part in in_batches(five, 2)] == [[0, 1], [2, 3], [4, 4]]
    assert [part.ravel().tolist() for part in in_batches(five[:1], 4)] == [[0, 0, 0, 0]]
    assert [len(part) for part in in_batches(np.zeros((70, 1, 1, 1), np.uint8), None)] == [32, 32, 6]


def test_labels_count_but_for_ties():
    one = np.array([[0.6, 0.4], [0.50001, 0.49999]], np.float32)
    tied = np.array([[0.6, 0.4], [0.49999, 0.50001]], np.float32)
    assert check_parity(one, tied, 1e-4)["labels"] == 0
    with pytest.raises(BrokenRun, match="1 of 2 val faces get another label"):
        check_parity(one, np.array([[0.48, 0.52], [0.51, 0.49]], np.float32), 0.15)
    with pytest.raises(BrokenRun, match="nan"):
        check_parity(one, np.full((2, 2), np.nan, np.float32), 1e-4)
