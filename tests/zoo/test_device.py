import pytest
import torch

from ferdata.errors import BadOption
from zoo.device import resolve


def test_auto_resolves_to_what_is_here():
    device, precision = resolve("auto", "auto")
    assert device in ("cpu", "cuda", "mps")
    assert precision in ("32-true", "bf16-mixed", "16-mixed")


def test_what_is_asked_for_is_kept():
    assert resolve("cpu", "32-true") == ("cpu", "32-true")


@pytest.mark.parametrize(("device", "precision"), [("tpu", "auto"), ("cpu", "8-bit"), ("cpu", "16-mixed")])
def test_what_cannot_be_is_refused(device, precision):
    with pytest.raises(BadOption):
        resolve(device, precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(BadOption, match="no cuda device"):
        resolve("cuda", "auto")
