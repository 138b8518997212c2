import numpy as np
import pytest
import torch
from torch import nn

from ferdata.errors import BadOption
from zoo.evaluation import inference
from zoo.evaluation.inference import over_images, score
from zoo.run.memory import scoring_batch

MEAN, STD = (0.5,), (0.25,)
BATCH = scoring_batch(16)


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


class Limited(nn.Module):
    """A net on a machine whose memory holds `most` images; `given` are the numbers of those that it was asked for."""

    def __init__(self, net, most, error=None):
        super().__init__()
        self.net, self.most, self.error, self.given = net, most, error, []

    def forward(self, x):
        self.given.append(len(x))
        if len(x) > self.most:
            raise self.error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.net(x)


def test_as_many_images_go_through_the_net_at_once_as_their_size_allows(pixels):
    net = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.LazyLinear(2))
    for images, batches in ((pixels, [256, 7]), (torch.zeros(70, 224, 224, 1, dtype=torch.uint8), [64, 6])):
        limited = Limited(nn.Sequential(nn.AdaptiveAvgPool2d(8), net), 256)
        score(limited, images, MEAN, STD)
        assert limited.given == batches


@pytest.mark.parametrize("error", [None, RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")])
def test_a_batch_that_memory_does_not_hold_is_halved_and_no_answer_is_lost(net, pixels, error):
    limited = Limited(net, 100, error)
    np.testing.assert_allclose(
        score(limited, pixels, MEAN, STD, "flip"), score(net, pixels, MEAN, STD, "flip"), atol=1e-6
    )
    assert limited.given == [256, 128, *[64, 64] * 4, 7, 7]  # two views of each, and none of what did not fit


def test_halving_begins_with_the_images_that_there_are(net, pixels):
    limited = Limited(net, 2)
    np.testing.assert_allclose(score(limited, pixels[:5], MEAN, STD), score(net, pixels[:5], MEAN, STD), atol=1e-6)
    assert limited.given == [5, 2, 2, 1]


def test_a_single_image_that_does_not_fit_is_an_error_with_advice_for_scoring(net, pixels):
    limited = Limited(net, 0)
    with pytest.raises(BadOption, match="not enough on cpu to score a single image of 16 px") as error:
        score(limited, pixels, MEAN, STD)
    assert "--size" in error.value.hint
    assert "--batch" not in str(error.value)
    assert limited.given == [256, 128, 64, 32, 16, 8, 4, 2, 1]


def test_another_error_of_a_net_is_not_taken_for_memory(net, pixels):
    with pytest.raises(RuntimeError, match="shapes"):
        score(Limited(net, 0, RuntimeError("shapes do not match")), pixels, MEAN, STD)


def test_results_that_are_many_leave_the_device_in_pieces_and_in_order(net, pixels, monkeypatch):
    whole = score(net, pixels, MEAN, STD)
    monkeypatch.setattr(inference, "HELD", 1)
    np.testing.assert_array_equal(score(net, pixels, MEAN, STD), whole)


def test_anything_that_a_net_makes_can_be_asked_for(net, pixels):
    means = over_images(net, pixels, MEAN, STD, lambda x: x.mean((1, 2, 3)), "Means")
    np.testing.assert_allclose(means, (pixels.float().mean((1, 2, 3)) / 255 - 0.5) / 0.25, atol=1e-5)
