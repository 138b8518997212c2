from dataclasses import dataclass

import pytest
import timm
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import nn

from ferdata.errors import BadOption
from zoo.training import optimizer


@dataclass
class Options:
    optimizer: str | None = "sgd"
    lr: float | None = 0.1
    momentum: float = 0.9
    weight_decay: float | None = 0.01
    layer_decay: float = 1.0
    device: str = "cpu"


BLOCKS = (("0.weight", "0.bias", "1.weight", "1.bias"), ("4.weight", "4.bias"), ("6.weight", "6.bias"))


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        *(nn.ReLU(), nn.Flatten()),
        nn.Linear(4 * 64, 8),
        nn.ReLU(),
        nn.Linear(8, 3),
    )


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(12, 1, 8, 8, generator=g) * 2 + 3, torch.randint(0, 3, (12,), generator=g)


def test_one_dimension_is_not_decayed():
    groups = optimizer.build(net(), BLOCKS, Options()).param_groups
    assert {(g["weight_decay"], p.ndim > 1) for g in groups for p in g["params"]} == {(0.01, True), (0.0, False)}
    assert sum(len(g["params"]) for g in groups) == 8


def test_the_rate_shrinks_block_by_block_towards_the_stem():
    model = net()
    groups = optimizer.build(model, BLOCKS, Options(layer_decay=0.5)).param_groups
    scale = {id(p): g["scale"] for g in groups for p in g["params"]}
    assert [scale[id(model[i].weight)] for i in (0, 1, 4, 6)] == [0.25, 0.25, 0.5, 1.0]
    assert all(g["lr"] == pytest.approx(0.1 * g["scale"]) for g in groups)


def test_without_layer_decay_two_groups_are_enough():
    assert len(optimizer.build(net(), BLOCKS, Options()).param_groups) == 2


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw", "radam", "nadam", "rmsprop", "lamb", "lion"])
def test_each_makes_the_loss_smaller(name):
    model, (x, y) = net(), batch()
    made = optimizer.build(model, BLOCKS, Options(optimizer=name, lr=1e-3, weight_decay=1e-4))
    first = last = 0.0
    for i in range(60):
        loss = F.cross_entropy(model(x), y)
        made.zero_grad()
        loss.backward()
        made.step()
        last = float(loss.detach())
        first = first if i else last
    assert last < 0.97 * first


def test_momentum_is_nesterovs_under_sgd_and_classical_under_its_own_name():
    assert optimizer.build(net(), BLOCKS, Options()).param_groups[0]["nesterov"]
    assert not optimizer.build(net(), BLOCKS, Options(optimizer="momentum")).param_groups[0]["nesterov"]


@pytest.mark.parametrize("name", ["muon", "adamuon"])
@pytest.mark.parametrize("own", [True, False])
def test_muon_computes_in_what_the_processor_is_fast_at(name, own, monkeypatch):
    used = []

    def spied(G, *args, dtype=torch.bfloat16, **more):  # noqa: N803  # timm's own name
        used.append(dtype)
        return whole(G, *args, dtype=dtype, **more)

    whole = optimizer.NEWTON_SCHULZ
    monkeypatch.setattr(timm.optim.muon, "zeropower_via_newtonschulz", spied)
    monkeypatch.setattr(optimizer, "NEWTON_SCHULZ", spied)
    monkeypatch.setattr(optimizer, "has_bf16", lambda _: own)
    model, (x, y) = net(), batch()
    made = optimizer.build(model, BLOCKS, Options(optimizer=name, lr=0.003))
    F.cross_entropy(model(x), y).backward()
    made.step()
    assert set(used) == {torch.bfloat16 if own else torch.float32}
    assert made.param_groups[0]["algo"] == name
    assert timm.optim.muon.zeropower_via_newtonschulz is spied  # other users of timm find it as it was


def test_every_parameter_must_be_in_a_block():
    with pytest.raises(RuntimeError, match=r"6\.bias"):
        optimizer.build(net(), (*BLOCKS[:2], ("6.weight",)), Options())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(optimizer="adamm"), "adam"),
        (Options(optimizer="bnbadam"), "no optimizer"),
        (Options(optimizer="adam", momentum=0.5), "no momentum"),
    ],
)
def test_what_cannot_work_is_refused_with_what_may_be(options, words):
    with pytest.raises(BadOption) as error:
        optimizer.build(net(), BLOCKS, options)
    assert words in str(error.value)


def test_a_long_gradient_is_shortened_and_a_short_one_left():
    fabric = Fabric(accelerator="cpu", devices=1)
    model = net()
    wrapped, made = fabric.setup(model, optimizer.build(model, BLOCKS, Options()))
    x, y = batch()
    fabric.backward(F.cross_entropy(wrapped(x), y) * 100)
    optimizer.clip(fabric, wrapped, made, 0.5)
    grads = [p.grad for p in model.parameters()]
    assert float(torch.nn.utils.get_total_norm(grads)) == pytest.approx(0.5, rel=1e-4)
    before = [g.clone() for g in grads]
    optimizer.clip(fabric, wrapped, made, 10.0)
    optimizer.clip(fabric, wrapped, made, 0.0)
    assert all(torch.allclose(a, b) for a, b in zip(before, grads, strict=True))


def gradients_at(model: nn.Module, parts: int) -> None:
    x, y = batch()
    for a, b in zip(x.chunk(parts), y.chunk(parts), strict=True):
        (F.cross_entropy(model(a), b) / parts).backward()


def test_the_second_gradient_is_that_of_the_worst_point_near_by():
    model, rho = net().eval(), 0.05  # eval: the two passes differ in weights alone
    before = [p.detach().clone() for p in model.parameters()]
    gradients_at(model, 1)
    first = [p.grad.clone() for p in model.parameters()]
    optimizer.Sam(model, rho).step(lambda: gradients_at(model, 1), optimizer.build(model, BLOCKS, Options()))
    got = [p.grad.clone() for p in model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    length = torch.nn.utils.get_total_norm(first)
    model.zero_grad()
    with torch.no_grad():
        for p, g in zip(model.parameters(), first, strict=True):
            p.add_(g * rho / length)
    gradients_at(model, 1)
    assert all(torch.allclose(a, p.grad, atol=1e-6) for a, p in zip(got, model.parameters(), strict=True))


def test_accumulated_parts_give_the_step_of_the_whole_batch():
    got = []
    for parts in (1, 3):
        model = net().eval()
        gradients_at(model, parts)
        made = optimizer.build(model, BLOCKS, Options())
        optimizer.Sam(model, 0.05).step(lambda m=model, n=parts: gradients_at(m, n), made)
        made.step()
        got.append([p.detach() for p in model.parameters()])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*got, strict=True))


@pytest.mark.parametrize("model", [net(), timm.create_model("efficientnet_b0", in_chans=1, num_classes=3)])
def test_running_statistics_move_once_a_step(model):
    model.train()
    gradients_at(model, 1)
    once = {k: v.clone() for k, v in model.state_dict().items() if "running" in k or "num_batches" in k}
    names = [[name for name, _ in model.named_parameters()]]
    optimizer.Sam(model, 0.5).step(lambda: gradients_at(model, 1), optimizer.build(model, names, Options()))
    now = model.state_dict()
    assert once
    assert all(torch.equal(v, now[k]) for k, v in once.items())
    assert all(m.track_running_stats for m in model.modules() if isinstance(m, nn.BatchNorm2d))


def test_a_gradient_that_overflowed_leaves_the_weights_where_they_were():
    model = net()
    gradients_at(model, 1)
    model[6].bias.grad[0] = torch.inf
    before = [p.detach().clone() for p in model.parameters()]
    sam = optimizer.Sam(model, 0.05)
    sam.climb()
    sam.descend()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_failure_in_the_second_pass_leaves_the_weights_where_they_were():
    model = net()
    gradients_at(model, 1)
    before = [p.detach().clone() for p in model.parameters()]

    def fail() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="memory"):
        optimizer.Sam(model, 0.05).step(fail, optimizer.build(model, BLOCKS, Options()))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_bf16_works_under_fabric():
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    model = net()
    wrapped, made = fabric.setup(model, optimizer.build(model, BLOCKS, Options(lr=0.01)))
    x, y = batch()

    def gradients() -> torch.Tensor:
        loss = F.cross_entropy(wrapped(x).float(), y)
        fabric.backward(loss)
        return loss

    losses = []
    for _ in range(15):
        made.zero_grad()
        losses.append(float(gradients().detach()))
        optimizer.Sam(model, 0.05).step(gradients, made)
        optimizer.clip(fabric, wrapped, made, 5.0)
        made.step()
    assert losses[-1] < 0.8 * losses[0]
