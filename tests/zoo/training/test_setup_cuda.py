"""Everything that a step works on lies on the device that was asked for."""

import torch
from torch import Tensor

from tests.zoo.devices import each_device, learn, ready_to_learn
from zoo.training import loop


def places(tensors):
    return {t.device.type for t in tensors if isinstance(t, Tensor)}


@each_device
def test_net_batches_optimizer_loss_and_average_lie_on_the_device(manifest_path, device):
    options = {"size": 32, "batch": 16, "epochs": 2, "ema": 0.9, "class_weights": "balanced", "mixup": 0.4}
    with ready_to_learn(manifest_path, device, **options) as (context, state):
        assert context.config.device == context.fabric.device.type == device
        batch = next(loop.begin_epoch(context, state))
        assert places([batch.x, batch.soft]) == {device}
        assert batch.x.dtype == torch.float32
        figures = learn(context, state)
        assert figures["images"] == 128
        assert places(state.bare.state_dict().values()) == {device}
        assert places(state.ema.average.values()) == {device}
        moments = [t for held in state.optimizer.state.values() for t in held.values() if getattr(t, "ndim", 0)]
        assert len(moments) > 0
        assert places(moments) == {device}
        assert all(torch.isfinite(p).all() for p in state.bare.parameters())
