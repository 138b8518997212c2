import pytest
import torch
from torch import nn

from ferdata.errors import BadOption
from tests.zoo.conftest import QUICK
from zoo.models.build import backbone, blocks, build
from zoo.models.keras_layers import last_layers
from zoo.options.options import TrainConfig
from zoo.training import freezing, loop, setup
from zoo.training.train import train


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build(backbone("resnet_fer"), 1, 4, 32)


def step(net):
    """Learn from one random batch, whatever of the net is open."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1, momentum=0.9)
    loss = nn.functional.cross_entropy(net(torch.randn(16, 1, 32, 32)), torch.arange(16) % 4)
    loss.backward()
    optimizer.step()


def moved(net, before):
    return {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}


def copied(net):
    return {name: p.detach().clone() for name, p in net.named_parameters()}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_only_the_open_blocks_move_whole_and_all(net, count):
    groups = blocks(net)
    before = copied(net)
    freezing.set_open(net, groups, count)
    freezing.train_mode(net, freezing.backbone_norms(net, groups), "frozen")
    step(net)
    assert moved(net, before) == {name for group in groups[-count:] for name in group}


def statistics(norms):
    return [(m.running_mean.clone(), m.running_var.clone()) for m in norms]


def test_frozen_keeps_every_statistic_through_every_call_to_train(net):
    norms = freezing.backbone_norms(net, blocks(net))
    assert len(norms) >= 8
    before = statistics(norms)
    for _ in range(2):
        net.eval()
        freezing.train_mode(net, norms, "frozen")
        assert net.training
        step(net)
    after = statistics(norms)
    assert all(torch.equal(a, b) for x, y in zip(before, after, strict=True) for a, b in zip(x, y, strict=True))


def test_train_moves_the_statistics_of_blocks_that_stand_still_too(net):
    groups = blocks(net)
    norms = freezing.backbone_norms(net, groups)
    freezing.set_open(net, groups, 1)
    before = statistics(norms)
    freezing.train_mode(net, norms, "train")
    step(net)
    assert not any(torch.equal(x[0], y[0]) for x, y in zip(before, statistics(norms), strict=True))


def test_recalibrating_leaves_the_plain_mean_over_all_batches_and_the_policy_frozen(net):
    norms = freezing.backbone_norms(net, blocks(net))
    seen = []
    norms[0].register_forward_pre_hook(lambda _, x: seen.append(x[0].detach().clone()))
    momentum = norms[0].momentum
    with freezing.recalibrating(net, norms):
        for _ in range(5):
            net(3 + 2 * torch.randn(16, 1, 32, 32))
    mean = torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0)
    assert torch.allclose(norms[0].running_mean, mean, atol=1e-5)
    assert norms[0].momentum == momentum
    assert not any(m.training for m in norms)


def test_a_heads_own_normalisation_is_no_part_of_the_policy():
    from zoo.models.heads import Head

    net = build(backbone("resnet_fer"), 1, 4, 32, head=Head("mlp", (16,), norm=True))
    own = [m for m in net.modules() if isinstance(m, nn.BatchNorm1d)]
    norms = freezing.backbone_norms(net, blocks(net))
    assert own
    assert not {id(m) for m in own} & {id(m) for m in norms}
    freezing.train_mode(net, norms, "frozen")
    assert own[0].training


def test_the_stages_of_each_way():
    config = TrainConfig(lr=0.1, epochs=30)

    def of(**options):
        from dataclasses import replace

        return freezing.stages(replace(config, **options), 4, 3)

    assert [(s.open, s.epochs, s.lr) for s in of()] == [(4, None, 0.1)]
    assert [(s.open, s.epochs, s.lr) for s in of(unfreeze="head", head_lr=0.5)] == [(1, None, 0.5)]
    assert [(s.open, s.epochs, s.lr) for s in of(unfreeze="top")] == [(3, None, 0.1)]
    head, rest = of(unfreeze="lp-ft", head_lr=0.5, head_epochs=2)
    assert (head.open, head.epochs, head.lr, head.flat) == (1, 2, 0.5, True)
    assert (rest.open, rest.epochs, rest.lr, rest.fresh) == (4, None, 0.1, True)
    assert [(s.open, s.epochs) for s in of(unfreeze="gradual", block_epochs=2)] == [(1, 2), (2, 2), (3, 2), (4, None)]


def test_stages_that_the_epochs_do_not_reach_are_refused():
    for options, hint in (
        (
            {"unfreeze": "gradual", "block_epochs": 2},
            "Give --epochs more than 6, or shorter stages: --set block_epochs=1.",
        ),
        ({"unfreeze": "lp-ft", "head_epochs": 6}, "Give --epochs more than 6, or shorter stages: --set head_epochs=1."),
        ({"unfreeze": "gradual", "block_epochs": 1}, "Give --epochs more than 3."),
    ):
        config = TrainConfig(lr=0.1, epochs=6 if hint.startswith("Give --epochs more than 6") else 3, **options)
        with pytest.raises(
            BadOption, match=f"opens the last block after {config.epochs} epochs, and there are"
        ) as error:
            freezing.check(config, freezing.stages(config, 4, 4))
        assert error.value.hint == hint


def test_top_moves_the_last_layers_that_keras_counts_and_the_head_and_nothing_else():
    torch.manual_seed(0)
    net = build(backbone("tf_efficientnet_b0"), 1, 4, 32)
    config = TrainConfig(backbone="tf_efficientnet_b0", unfreeze="top", open_layers=20, lr=0.1, epochs=1)
    groups, top = freezing.parts(net, config)
    assert sorted(name for group in groups for name in group) == sorted(name for name, _ in net.named_parameters())
    (stage,) = freezing.stages(config, len(groups), top)
    freezing.set_open(net, groups, stage.open)
    before = copied(net)
    freezing.train_mode(net, freezing.backbone_norms(net, groups), "train")
    step(net)
    assert moved(net, before) == last_layers(net, 20) | {"classifier.weight", "classifier.bias"}


def test_more_layers_than_the_net_has_are_refused_with_how_many_it_has():
    net = build(backbone("lenet_bn"), 1, 4, 32)
    freezing.parts(net, TrainConfig(backbone="lenet_bn", unfreeze="top", open_layers=17))
    with pytest.raises(BadOption, match="open_layers is 18, and lenet_bn has 17 layers before its head"):
        freezing.parts(net, TrainConfig(backbone="lenet_bn", unfreeze="top", open_layers=18))


class Spy:
    """Notes, at the end of each epoch, what moved, and whether optimizer and normalisation stayed what they were."""

    def __init__(self, monkeypatch):
        self.moved, self.optimizers, self.modes = [], set(), []
        original = loop.learn_epoch

        def spied(context, state, batches):
            before = copied(state.bare)
            row = original(context, state, batches)
            groups = {name: i for i, group in enumerate(context.blocks) for name in group}
            self.moved.append({groups[name] for name in moved(state.bare, before)})
            self.optimizers.add(id(state.optimizer))
            self.modes.append({m.training for m in context.norms})
            self.blocks, self.state = len(context.blocks), state
            return row

        monkeypatch.setattr(loop, "learn_epoch", spied)


def test_lp_ft_trains_the_head_then_everything_with_one_optimizer(manifest_path, tmp_path, monkeypatch):
    spy = Spy(monkeypatch)
    options = {"head_epochs": 2, "head_lr": 0.05}
    lines = []
    run = train(
        manifest_path, tmp_path / "run", **{**QUICK, "epochs": 4}, unfreeze="lp-ft", options=options, say=lines.append
    )
    every = set(range(spy.blocks))
    assert spy.moved == [{spy.blocks - 1}, {spy.blocks - 1}, every, every]
    assert len(spy.optimizers) == 1
    assert len(spy.state.optimizer.state) == len(list(spy.state.bare.parameters()))
    assert "From epoch 3 on: training everything." in lines
    assert rates(run)[:2] == [0.05, 0.05]


def test_gradual_opens_a_block_an_epoch_from_the_top_and_closes_none(manifest_path, tmp_path, monkeypatch):
    spy = Spy(monkeypatch)
    count = len(blocks(build(backbone("resnet_fer"), 1, 8, 32)))
    train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": count + 1}, unfreeze="gradual")
    assert spy.moved[:count] == [set(range(count - 1 - i, count)) for i in range(count)]
    assert spy.moved[-1] == set(range(count))
    assert len(spy.optimizers) == 1


def test_an_impatient_head_gives_way_to_the_next_stage_and_does_not_end_the_run(manifest_path, tmp_path, monkeypatch):
    spy = Spy(monkeypatch)
    options = {"head_epochs": 6, "head_lr": 1e-12, "patience": 2}
    train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 8}, unfreeze="lp-ft", options=options)
    assert len(spy.moved) > 3
    assert spy.moved[-1] == set(range(spy.blocks))


def rates(run):
    return [float(line.split(",")[1]) for line in (run.path / "history.csv").read_text().splitlines()[1:]]


def test_a_stage_begins_with_a_plateau_of_its_own(manifest_path, tmp_path, monkeypatch):
    shares = []
    original = loop.learn_epoch
    monkeypatch.setattr(loop, "learn_epoch", lambda *given: shares.append(given[1].plateau.share) or original(*given))
    options = {"head_epochs": 5, "head_lr": 1e-12, "schedule": "plateau", "plateau_patience": 0, "patience": 0}
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 6}, unfreeze="lp-ft", lr=0.01, options=options)
    assert shares[4] < 1  # the head made no progress
    assert (shares[5], rates(run)[5]) == (1, 0.01)


def test_a_stage_begins_with_a_warm_up_of_its_own(manifest_path, tmp_path):
    options = {"head_epochs": 4, "head_lr": 0.001, "warmup": 2, "patience": 0}
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 8}, unfreeze="lp-ft", lr=0.01, options=options)
    warm = [rate / 0.01 for rate in rates(run)[4:]]  # at the end of each epoch, a step before its last eighth
    assert warm.index(max(warm)) == 1
    assert warm[0] < 0.5
    assert warm[1] > 0.95


@pytest.mark.parametrize("policy", ["frozen", "recalibrate"])
def test_a_policy_holds_through_a_whole_run(manifest_path, trained, tmp_path, monkeypatch, policy):
    spy = Spy(monkeypatch)
    seen = []
    original = setup.recalibrate
    monkeypatch.setattr(setup, "recalibrate", lambda *a: seen.append(1) or original(*a))
    train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 2}, init=trained.path, norm=policy)
    assert spy.modes == [{False}, {False}]
    assert bool(seen) == (policy == "recalibrate")


def test_keeping_the_statistics_of_a_net_from_scratch_is_refused(manifest_path, tmp_path):
    with pytest.raises(BadOption, match="a net from scratch has none"):
        train(manifest_path, tmp_path / "run", **QUICK, norm="frozen")
