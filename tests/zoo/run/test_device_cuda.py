"""What "auto" stands for where there is a GPU."""

import pytest
import torch

from tests.zoo.devices import ON_CUDA, each_device
from zoo.run.device import exact, resolve


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=ON_CUDA)])
def test_auto_is_the_gpu_and_bfloat16_where_the_gpu_has_it(device):
    own = torch.cuda.get_device_capability() >= (8, 0)  # from Ampere on
    assert resolve("auto", "auto") == (device, "bf16-mixed" if own else "32-true")
    assert resolve("cuda", "16-mixed") == (device, "16-mixed")


@each_device
def test_exact_convolutions_are_those_of_float32(device):
    """TF32 keeps ten bits: its convolution over so many numbers is off by more than a thousandth."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn((4, 64, 16, 16), generator=generator), torch.randn((64, 64, 3, 3), generator=generator)
    expected = torch.nn.functional.conv2d(x.double(), weight.double())
    with exact(torch.device(device)):
        got = torch.nn.functional.conv2d(x.to(device), weight.to(device)).cpu().double()
    assert float((got - expected).norm() / expected.norm()) < 1e-5
