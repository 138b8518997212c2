"""On a GPU torch moves the pixels: its pictures are those that OpenCV makes of the same numbers on the processor."""

import pytest
import torch

from tests.zoo.devices import each_device
from zoo.augment import apply
from zoo.augment.parameters import draw
from zoo.augment.policies import POLICIES

MEAN, STD = 0.4, 0.2


@each_device
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", POLICIES)
def test_a_device_makes_the_processors_picture_of_the_same_numbers(device, name, channels):
    noise = torch.rand((24, channels, 8, 8), generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(noise, 48, mode="bilinear")
    pixels = (smooth * 255).byte().permute(0, 2, 3, 1).contiguous()
    mean, std = torch.full((channels,), MEAN), torch.full((channels,), STD)
    draws = draw(POLICIES[name], 24, 48, torch.Generator().manual_seed(2))
    expected = apply.apply(pixels, draws, mean, std)
    made = apply.on_device(pixels.to(device), draws, mean.to(device), std.to(device))
    assert made.device.type == device
    assert made.is_contiguous(memory_format=torch.channels_last)
    levels = (made.cpu() - expected).abs() * STD * 255
    # OpenCV works to a 32nd of a pixel and to whole levels.
    assert float(levels.mean()) < 0.8
    assert float(levels.max()) < 8
