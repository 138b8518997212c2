import pytest
import torch
from torch import nn

from zoo.training.ema import Ema


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 3))


def step(net: nn.Module, by: float) -> None:
    with torch.no_grad():
        for p in net.parameters():
            p.add_(by)


def test_the_average_follows_the_weights_with_the_decay_of_a_long_run():
    model = net()
    ema = Ema(model, 0.9)
    ema.updates = 1000
    before = model[3].weight.detach().clone()
    step(model, 1.0)
    ema.update()
    assert torch.allclose(ema.average["3.weight"], before + 0.1, atol=1e-6)


def test_a_short_run_is_not_left_with_its_first_weights():
    model = net()
    ema = Ema(model, 0.9999)
    first = model[3].weight.detach().clone()
    for _ in range(20):
        step(model, 1.0)
        ema.update()
    assert float((ema.average["3.weight"] - first).mean()) > 15


def test_batch_norm_statistics_are_averaged_and_counters_copied():
    model = net().train()
    ema = Ema(model, 0.5)
    model(torch.randn(16, 1, 8, 8) * 3 + 5)
    ema.update()
    now, average = model[1].running_mean, ema.average["1.running_mean"]
    assert torch.allclose(average, (1 - 2 / 11) * now, atol=1e-6)
    assert int(ema.average["1.num_batches_tracked"]) == 1


def test_storing_puts_the_average_in_and_restoring_gives_back_every_bit():
    model = net()
    ema = Ema(model, 0.9)
    step(model, 1.0)
    ema.update()
    own = {k: v.clone() for k, v in model.state_dict().items()}
    ema.store()
    assert all(torch.equal(v, ema.average[k]) for k, v in model.state_dict().items())
    with pytest.raises(RuntimeError):
        ema.store()
    ema.restore()
    assert all(torch.equal(v, own[k]) for k, v in model.state_dict().items())
    ema.restore()
    assert all(torch.equal(v, own[k]) for k, v in model.state_dict().items())


def test_a_stopped_average_goes_on_as_if_it_had_not():
    model = net()
    whole = Ema(model, 0.99)
    for _ in range(3):
        step(model, 1.0)
        whole.update()
    second = Ema(model, 0.99)
    second.load_state_dict(whole.state_dict())
    step(model, 1.0)
    whole.update()
    second.update()
    assert second.updates == whole.updates == 4
    assert all(torch.equal(second.average[k], whole.average[k]) for k in whole.average)
