"""The views in the graph are those of scoring, at every size."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from tests.zoo.untaught import untaught
from zoo.deploy.onnx_check import run_onnx
from zoo.deploy.onnx_graph import to_onnx, views
from zoo.evaluation.inference import score
from zoo.run import model_file


@pytest.mark.parametrize(("tta", "n"), [("none", 1), ("flip", 2), ("ten-crop", 10)])
def test_each_view_has_the_size_of_the_whole_whatever_that_is(tta, n):
    for size in range(8, 300):
        seen = list(views(torch.zeros(1, 1, size, size), tta))
        assert {tuple(view.shape) for view in seen} == {(1, 1, size, size)}
        assert len(seen) == n


@pytest.mark.parametrize("size", [13, 47])
def test_ten_crops_of_odd_sizes_are_scorings_own_in_onnxruntime_too(tmp_path, size):
    """At these, a crop's side times the quotient of the sides comes out below the whole one in 32 or 64 bits."""
    meta = model_file.read_meta(untaught(tmp_path / "run", None, "lenet5") / "model.safetensors")
    meta = model_file.Meta(**{**vars(meta), "size": size})
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(size * size, len(meta.classes)))
    pixels = torch.randint(0, 256, (3, size, size, 1), dtype=torch.uint8)
    expected = score(net, pixels, meta.mean, meta.std, "ten-crop", meta.temperature)
    model = to_onnx(net, meta, "ten-crop").SerializeToString()
    got, _ = run_onnx(model, pixels.permute(0, 3, 1, 2).numpy())
    assert np.abs(got - expected).max() < 1e-5
    assert np.ptp(expected, 0).max() > 1e-2


class Excited(nn.Module):
    """A convolution whose channels are weighed by what they hold, as in MobileNetV3: pooling, hard sigmoid, product."""

    def __init__(self, classes):
        super().__init__()
        self.first, self.gate, self.last = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 1), nn.Linear(8, classes)

    def forward(self, x):
        """Map (n, 1, H, W) to logits (n, classes)."""
        x = self.first(x).relu()
        x = x * nn.functional.hardsigmoid(self.gate(nn.functional.adaptive_avg_pool2d(x, 1)))
        return 9 * self.last(nn.functional.hardswish(x).mean((2, 3)))


@pytest.mark.parametrize("batch", [None, 1])
def test_opencv_is_right_about_channels_that_are_weighed_by_a_hard_sigmoid(tmp_path, batch):
    meta = model_file.read_meta(untaught(tmp_path / "run", None, "lenet5") / "model.safetensors")
    torch.manual_seed(2)
    net = Excited(len(meta.classes)).to(memory_format=torch.channels_last)
    pixels = torch.randint(0, 256, (4, 48, 48, 1), dtype=torch.uint8) // torch.tensor(
        [1, 2, 4, 8], dtype=torch.uint8
    ).view(4, 1, 1, 1)
    expected = score(net, pixels, meta.mean, meta.std, "flip", meta.temperature)
    assert np.ptp(expected, 0).max() > 1e-2
    model = to_onnx(net, meta, "flip", batch).SerializeToString()
    shown = pixels.permute(0, 3, 1, 2).numpy()
    assert np.abs(run_onnx(model, shown, batch)[0] - expected).max() < 1e-5
    read = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    for at in range(4) if batch else (slice(0, 1), slice(0, 4), slice(0, 3)):
        read.setInput(shown[at].astype(np.float32).reshape(-1, 1, 48, 48))
        assert np.abs(read.forward() - expected[at]).max() < 1e-4
    assert net.first.weight.is_contiguous(memory_format=torch.channels_last)  # the run's own net stays as it was
