"""What only a GPU shows: nothing here is asked of a processor."""

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption
from tests.zoo.conftest import QUICK
from zoo.augment.policies import POLICIES
from zoo.data.batches import Loader
from zoo.data.rows import Images
from zoo.evaluation.inference import features, score
from zoo.models.build import backbone, build
from zoo.options.options import TrainConfig
from zoo.training.train import train
from zoo.training.validation import held

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")]

MEAN, STD = (0.5,), (0.25,)


@pytest.fixture(scope="module")
def pixels():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (300, 48, 48, 1), dtype=np.uint8))


@pytest.fixture(scope="module")
def net():
    """A net whose last layer tells noise apart, as a drawn one's hardly does."""
    torch.manual_seed(0)
    made = build(backbone("resnet_fer"), 1, 7, 48).to(memory_format=torch.channels_last)
    with torch.no_grad():
        made.get_classifier().weight.mul_(20)
    return made


def test_pixels_that_lie_on_the_device_are_scored_as_those_that_travel(net, pixels):
    net = net.cuda()
    for tta in ("none", "flip"):
        there = score(net, pixels.cuda(), MEAN, STD, tta)
        np.testing.assert_array_equal(there, score(net, pixels, MEAN, STD, tta))
        np.testing.assert_array_equal(there, score(net, pixels.numpy(), MEAN, STD, tta))


def test_whole_float32_agrees_with_the_processor(net, pixels):
    here, read = score(net.cpu(), pixels, MEAN, STD, "flip"), features(net, pixels, MEAN, STD)
    assert here.std(0).max() > 0.01
    np.testing.assert_allclose(score(net.cuda(), pixels, MEAN, STD, "flip"), here, atol=1e-4)
    np.testing.assert_allclose(features(net, pixels, MEAN, STD), read, atol=1e-4, rtol=1e-4)


class Wide(torch.nn.Module):
    """A net that takes `share` of the GPU's whole memory for each image, and notes how many it was given."""

    def __init__(self, net, share):
        super().__init__()
        self.net, self.given = net, []
        self.bytes = int(share * torch.cuda.get_device_properties(0).total_memory)

    def forward(self, x):
        self.given.append(len(x))
        torch.empty(len(x) * self.bytes, dtype=torch.uint8, device=x.device)
        return self.net(x)


def test_a_batch_that_the_gpu_does_not_hold_is_halved(net, pixels):
    net = net.cuda()
    wide = Wide(net, 1 / 50)  # 32 images are 0.64 of it, and 64 more than there is
    np.testing.assert_allclose(score(wide, pixels, MEAN, STD), score(net, pixels, MEAN, STD), atol=1e-5)
    assert wide.given[:3] == [256, 128, 64]
    assert set(wide.given[3:-1]) <= {32, 16}
    assert torch.cuda.memory_reserved() < 0.9 * torch.cuda.get_device_properties(0).total_memory
    with pytest.raises(BadOption, match="on cuda to score a single image of 48 px") as error:
        score(Wide(net, 2), pixels, MEAN, STD)
    assert "--device cpu" in error.value.hint
    assert "--batch" not in str(error.value)


def test_scoring_waits_for_the_gpu_once_and_not_after_each_batch(net, pixels):
    many, net = pixels.cuda().repeat(8, 1, 1, 1), net.cuda()
    score(net, many, MEAN, STD)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        score(net, many, MEAN, STD)
    names = [event.name for event in seen.events()]
    last = max(i for i, name in enumerate(names) if name == "aten::convolution")
    assert names.index("aten::_softmax") < last  # there are several batches,
    waits = [i for i, name in enumerate(names) if name in ("cudaStreamSynchronize", "cudaMemcpyAsync")]
    assert [i for i in waits if names.index("aten::_softmax") < i < last] == []  # and between them no wait


def test_val_lies_on_the_gpu_where_train_does(pixels):
    images = Images(np.arange(300), pixels, torch.zeros(300, dtype=torch.int64), torch.ones(300, 2) / 2)
    with Loader(images, POLICIES["none"], MEAN, STD, 32, "cuda") as loader:
        assert loader.resident is not None
        there = held(pixels[:70], TrainConfig(), 0, loader)
    assert there.device.type == "cuda"
    assert torch.equal(there.cpu(), pixels[:70])


def test_a_run_on_the_gpu_is_validated_and_tested(manifest_path, tmp_path):
    report = train(manifest_path, tmp_path / "run", **{**QUICK, "device": "cuda", "epochs": 3}).report
    assert report["n"] == 48
    assert report["training"]["device"].startswith("cuda")
