"""A device whose memory does not hold a batch is said so, with what to try, and not by its allocator's words."""

import pytest
import torch

from ferdata.errors import BadOption
from tests.zoo.devices import SMOOTH, each_device
from zoo.training import loop
from zoo.training.train import train


@each_device
def test_a_step_that_asks_for_more_memory_than_there_is_ends_with_what_to_try(
    manifest_path, tmp_path, device, monkeypatch
):
    step = loop.forward_backward

    def greedy(context, state, group):
        torch.empty(1 << 50, dtype=torch.uint8, device=context.fabric.device)  # a petabyte
        return step(context, state, group)

    monkeypatch.setattr(loop, "forward_backward", greedy)
    options = {key: value for key, value in SMOOTH.items() if key != "precision"}
    with pytest.raises(BadOption, match=f"Memory is not enough on {device} for a batch of 16 images of 32 px") as error:
        train(manifest_path, tmp_path / "run", device=device, precision="32-true", options=options)
    assert "--batch 8 --set accumulate=2" in error.value.hint
