import numpy as np
import pytest
import torch
from torch import nn

from ferdata.errors import BadOption
from zoo.evaluation.inference import score
from zoo.run.device import BATCH

MEAN, STD = (0.5,), (0.25,)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)).eval()


@pytest.fixture
def pixels():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (BATCH + 7, 16, 16, 1), dtype=np.uint8))


def logits(net, pixels):
    with torch.no_grad():
        return net((pixels.permute(0, 3, 1, 2).float() / 255 - MEAN[0]) / STD[0])


def test_probabilities_are_the_softmax_of_the_logits_in_order(net, pixels):
    p = score(net, pixels, MEAN, STD)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, logits(net, pixels).softmax(1).numpy(), atol=1e-6)


def test_the_temperature_divides_the_logits(net, pixels):
    p = score(net, pixels, MEAN, STD, temperature=2.5)
    np.testing.assert_allclose(p, (logits(net, pixels) / 2.5).softmax(1).numpy(), atol=1e-5)


def test_flip_is_the_mean_of_an_image_and_its_mirror_image(net, pixels):
    both = (logits(net, pixels).softmax(1) + logits(net, pixels.flip(2)).softmax(1)) / 2
    np.testing.assert_allclose(score(net, pixels, MEAN, STD, "flip"), both.numpy(), atol=1e-6)
    np.testing.assert_array_equal(score(net, pixels, MEAN, STD, "flip"), score(net, pixels.flip(2), MEAN, STD, "flip"))


def test_ten_crops_see_the_corners_and_do_not_care_for_the_mirror(net, pixels):
    ten = score(net, pixels, MEAN, STD, "ten-crop")
    np.testing.assert_allclose(ten, score(net, pixels.flip(2), MEAN, STD, "ten-crop"), atol=1e-6)
    assert np.abs(ten - score(net, pixels, MEAN, STD, "flip")).max() > 1e-3
    # Of an image that is the same everywhere, every crop is that image.
    flat = torch.full((2, 16, 16, 1), 90, dtype=torch.uint8)
    np.testing.assert_allclose(score(net, flat, MEAN, STD, "ten-crop"), score(net, flat, MEAN, STD, "none"), atol=1e-6)


def test_pixels_may_lie_on_disk(net, pixels, tmp_path):
    np.save(tmp_path / "pixels.npy", pixels.numpy())
    on_disk = np.load(tmp_path / "pixels.npy", mmap_mode="r+")
    np.testing.assert_array_equal(score(net, on_disk, MEAN, STD), score(net, pixels, MEAN, STD))


def test_no_image_gives_no_row_and_nonsense_is_refused(net, pixels):
    assert len(score(net, pixels[:0], MEAN, STD)) == 0
    with pytest.raises(BadOption, match="mirror"):
        score(net, pixels, MEAN, STD, "mirror")
    with pytest.raises(BadOption, match="above 0"):
        score(net, pixels, MEAN, STD, temperature=0.0)
