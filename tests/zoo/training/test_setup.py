import pytest
import timm
import torch
from torch import nn

from tests.zoo.conftest import QUICK
from zoo.data.batches import Loader
from zoo.options.options import TrainConfig
from zoo.training import setup
from zoo.training.train import train


@pytest.mark.parametrize(
    "name", ["efficientnet_b0", "mobilenetv3_small_050", "densenet121", "regnety_002", "inception_v3", "resnet18"]
)
def test_statistics_shared_by_several_gpus_leave_a_net_what_it_is(name):
    torch.manual_seed(0)
    net, x = timm.create_model(name, num_classes=7).eval(), torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        before = net(x)
        shared = setup._laid_out(net, TrainConfig(devices=2), torch.device("cuda"))
        after = shared.eval()(x)
    assert any(isinstance(module, nn.SyncBatchNorm) for module in shared.modules())
    assert torch.allclose(before, after, rtol=0, atol=1e-3 * float(before.abs().max()))


def test_no_device_of_any_seed_sees_the_numbers_of_another(manifest_path, tmp_path, monkeypatch):
    seeds = set()
    for seed in range(3):
        for rank in range(4):
            seeds.add(setup.loader_seed(seed, rank))
    assert len(seeds) == 12
    # One device alone has the run's own: runs on one device are what they were.
    given = []
    monkeypatch.setattr(setup, "Loader", lambda *args: given.append(args[7]) or Loader(*args))
    train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 1, "seed": 5})
    assert given == [5]
