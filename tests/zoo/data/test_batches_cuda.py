"""The loader on a GPU: the whole pack lies there where there is room, and each batch travels where there is not."""

import numpy as np
import pytest
import torch

from tests.zoo.devices import ON_CUDA, each_device
from zoo.augment.policies import POLICIES
from zoo.data import batches
from zoo.data.batches import Loader
from zoo.data.rows import Images

MEAN, STD, SIDE, MANY, BATCH = (0.4,), (0.2,), 24, 70, 16


@pytest.fixture
def images():
    coarse = torch.rand((MANY, 1, 6, 6), generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(coarse, SIDE, mode="bilinear")
    pixels = (smooth * 255).byte().permute(0, 2, 3, 1).contiguous()
    classes = torch.arange(MANY) % 4
    return Images(np.arange(MANY), pixels, classes, torch.nn.functional.one_hot(classes, 4).float())


def made(images, device, policy="standard", epoch=1):
    """The pictures, targets and places of an epoch, on the processor, and where they lay."""
    order = torch.randperm(MANY, generator=torch.Generator().manual_seed(3))
    with Loader(images, POLICIES[policy], MEAN, STD, BATCH, device, seed=5) as loader:
        got = list(loader.epoch(order, epoch))
    places = {tensor.device.type for batch in got for tensor in (batch.x, batch.soft, batch.where)}
    return *(torch.cat([getattr(batch, name) for batch in got]).cpu() for name in ("x", "soft", "where")), places


@each_device
@pytest.mark.parametrize("policy", ["none", "standard", "strong"])
def test_a_devices_epoch_is_the_processors(images, device, policy):
    x, soft, where, places = made(images, device, policy)
    expected, expected_soft, expected_where, _ = made(images, "cpu", policy)
    assert places == {device}
    assert x.shape == (MANY // BATCH * BATCH, 1, SIDE, SIDE)
    assert torch.equal(where, expected_where)
    assert torch.equal(soft, expected_soft)
    levels = (x - expected).abs() * STD[0] * 255
    assert float(levels.mean()) < (1e-3 if policy == "none" else 0.8)


@each_device
def test_the_pack_lies_on_a_gpu_alone(images, device):
    with Loader(images, POLICIES["none"], MEAN, STD, BATCH, device) as loader:
        if device == "cpu":
            assert loader.resident is None
        else:
            assert loader.resident.device.type == device
            assert torch.equal(loader.resident.cpu(), images.pixels)


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=ON_CUDA)])
def test_batches_that_travel_are_those_of_a_pack_that_lies_there(images, device, monkeypatch):
    resident = made(images, device)
    monkeypatch.setattr(batches, "RESIDENT", 0.0)
    with Loader(images, POLICIES["none"], MEAN, STD, BATCH, device) as loader:
        assert loader.resident is None
    travelled = made(images, device)
    assert torch.equal(travelled[0], resident[0])
    assert torch.equal(travelled[1], resident[1])


@each_device
def test_the_same_seed_gives_a_device_the_same_pictures_and_another_epoch_others(images, device):
    first, again, later = made(images, device)[0], made(images, device)[0], made(images, device, epoch=2)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
