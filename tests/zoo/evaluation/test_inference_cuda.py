"""What only a GPU shows: nothing here is asked of a processor."""

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption
from tests.zoo.conftest import QUICK
from tests.zoo.untaught import untaught
from zoo.augment.policies import POLICIES
from zoo.data.batches import Loader
from zoo.data.rows import Images
from zoo.evaluation.inference import features, score
from zoo.models.load import load_model
from zoo.options.options import TrainConfig
from zoo.run.run_folder import Folder
from zoo.training.train import train
from zoo.training.validation import held

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")]

MEAN, STD = (0.5,), (0.25,)


@pytest.fixture(scope="module")
def pixels():
    coarse = torch.rand(300, 1, 6, 6, generator=torch.Generator().manual_seed(1)) * 255
    return torch.nn.functional.interpolate(coarse, (48, 48), mode="bilinear").byte().permute(0, 2, 3, 1).contiguous()


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """Return a net that tells such pictures apart."""
    return load_model(Folder(untaught(tmp_path_factory.mktemp("run"), backbone="resnet_fer")).model)[0]


def test_pixels_that_lie_on_the_device_are_scored_as_those_that_travel(net, pixels):
    net = net.cuda()
    for tta in ("none", "flip"):
        there = score(net, pixels.cuda(), MEAN, STD, tta)
        np.testing.assert_array_equal(there, score(net, pixels, MEAN, STD, tta))
        np.testing.assert_array_equal(there, score(net, pixels.numpy(), MEAN, STD, tta))


def test_whole_float32_agrees_with_the_processor(net, pixels):
    here, read = score(net.cpu(), pixels, MEAN, STD, "flip"), features(net, pixels, MEAN, STD)
    assert here.std(0).max() > 0.03
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
    wide = Wide(net, 1 / 60)  # 32 images are 0.53 of it, and 64 more than there is
    np.testing.assert_allclose(score(wide, pixels, MEAN, STD), score(net, pixels, MEAN, STD), atol=1e-4)
    assert wide.given == [256, 128, 64, *[32] * 9, 12]
    with pytest.raises(BadOption, match="on cuda to score a single image of 48 px") as error:
        score(Wide(net, 2), pixels, MEAN, STD)
    assert "--device cpu" in error.value.hint
    assert "--batch" not in str(error.value)


class Impatient(torch.nn.Module):
    """A net on a GPU that nothing may wait for from its first batch until its last, of `batches`."""

    def __init__(self, net, batches):
        super().__init__()
        self.net, self.left = net, batches

    def forward(self, x):
        made = self.net(x)
        self.left -= 1
        torch.cuda.set_sync_debug_mode("error" if self.left else "default")
        return made


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("where", ["cuda", "cpu"])
def test_nothing_waits_for_the_gpu_between_batches(net, pixels, where):
    many, net = pixels.repeat(4, 1, 1, 1).to(where), net.cuda()
    impatient = Impatient(net, 5)
    try:
        p = score(impatient, many, MEAN, STD, temperature=2.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert impatient.left == 0
    np.testing.assert_array_equal(p, score(net, many, MEAN, STD, temperature=2.0))


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
