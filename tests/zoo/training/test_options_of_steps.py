"""How a net moves: optimizer, rate, stages, accumulation and precision, by the weights that steps must come to."""

import functools
import math

import pytest
import torch
from torch._dynamo.utils import counters

from tests.zoo.voted import (
    RATE,
    cross_entropy,
    descended,
    farthest,
    first_run,
    gradients,
    history,
    learn,
    net_of,
    stepped,
    taught,
    weights,
)
from zoo.models.build import blocks

NEAR = 5e-6  # in float32, over a few steps


def plain_gradients(net):
    x, t = taught("crossentropy")
    return gradients(net, cross_entropy(net(x), t))


def path(first, rates, momentum=0.0, open_blocks=None):
    """Return the weights before and after each step down the gradient, at `rates`; None: all blocks move."""
    net, groups = net_of(first), blocks(net_of(first))
    states, push = [{name: t.clone() for name, t in net.state_dict().items()}], None
    for number, rate in enumerate(rates):
        grads = plain_gradients(net)
        if momentum:  # Nesterov's
            push = grads if push is None else {n: momentum * push[n] + g for n, g in grads.items()}
            grads = {n: g + momentum * push[n] for n, g in grads.items()}
        count = len(groups) if open_blocks is None else open_blocks[number]
        moving = {name for group in groups[-count:] for name in group}
        states.append(descended(net, grads, {name: rate for name in moving}))
    return states


def longest(grads):
    return math.sqrt(sum(float(g.double().square().sum()) for g in grads.values()))


def test_weight_decay_pulls_matrices_to_zero_and_spares_biases(faces, first, tmp_path):
    run = learn(faces, first, tmp_path / "run", weight_decay=0.05)
    net = net_of(first)
    grads = plain_gradients(net)
    decayed = {n: g + 0.05 * net.get_parameter(n).detach() * (g.ndim > 1) for n, g in grads.items()}
    expected = descended(net, decayed)
    assert farthest(weights(run), expected) < NEAR
    assert farthest(expected, stepped(first)) > 50 * NEAR


def test_layer_decay_halves_the_rate_block_by_block_towards_the_stem(faces, first, tmp_path):
    run = learn(faces, first, tmp_path / "run", layer_decay=0.5)
    net = net_of(first)
    depth = {"classifier": 0, "neck": 1, "features.1": 2, "features.0": 3}
    rates = {n: RATE * 0.5 ** next(d for part, d in depth.items() if n.startswith(part)) for n in plain_gradients(net)}
    expected = descended(net, plain_gradients(net), rates)
    assert farthest(weights(run), expected) < NEAR
    assert farthest(expected, stepped(first)) > 50 * NEAR


def test_momentum_is_nesterovs(faces, first, tmp_path):
    run = learn(faces, first, tmp_path / "run", momentum=0.9, epochs=3)
    expected = path(first, [RATE] * 3, momentum=0.9)[-1]
    assert farthest(weights(run), expected) < NEAR
    assert farthest(expected, path(first, [RATE] * 3)[-1]) > 50 * NEAR


def test_another_optimizer_makes_its_own_step(faces, first, tmp_path):
    run = learn(faces, first, tmp_path / "run", optimizer="adamw", momentum=0.9, lr=1e-3, weight_decay=0.1)
    net = net_of(first)
    for name, p in net.named_parameters():  # the first step of Adam is along the signs
        g = plain_gradients(net_of(first))[name]
        p.data = p.data * (1 - 1e-3 * 0.1 * (p.ndim > 1)) - 1e-3 * g / (g.abs() + 1e-8)
    # Where a gradient is next to nothing its sign is a matter of rounding.
    got, expected = weights(run), net.state_dict()
    near = torch.cat([((got[n] - expected[n]).abs() < 1e-5).flatten() for n in expected])
    assert float(near.float().mean()) > 0.999
    assert farthest(expected, stepped(first)) > 50 * NEAR


def test_clip_shortens_the_whole_gradient(faces, first, tmp_path):
    net = net_of(first)
    grads = plain_gradients(net)
    assert longest(grads) > 0.1
    expected = descended(net, {n: g * 0.05 / longest(grads) for n, g in grads.items()})
    assert farthest(weights(learn(faces, first, tmp_path / "run", clip=0.05)), expected) < NEAR
    assert farthest(expected, stepped(first)) > 50 * NEAR
    loose = learn(faces, first, tmp_path / "loose", clip=10 * longest(grads))
    assert farthest(weights(loose), stepped(first)) < NEAR


def test_sam_steps_by_the_gradient_where_the_loss_is_worst_near_by(faces, first, tmp_path):
    run = learn(faces, first, tmp_path / "run", sam=0.1)
    net, above = net_of(first), net_of(first)
    grads = plain_gradients(net)
    descended(above, grads, {n: -0.1 / longest(grads) for n in grads})
    expected = descended(net, plain_gradients(above))
    assert farthest(weights(run), expected) < NEAR
    assert farthest(expected, stepped(first)) > 50 * NEAR


@pytest.mark.parametrize("decay", [0.1, 0.9])
def test_the_weights_kept_under_ema_are_the_average_over_the_steps(faces, first, tmp_path, decay):
    run = learn(faces, first, tmp_path / "run", ema=decay, epochs=3)
    states = path(first, [RATE] * 3)
    average = states[0]
    for t, now in enumerate(states[1:], 1):
        d = min(decay, (1 + t) / (10 + t))
        average = {name: d * average[name] + (1 - d) * now[name] for name in now}
    assert farthest(weights(run), average) < NEAR
    assert farthest(average, states[-1]) > 50 * NEAR


@pytest.mark.parametrize("more", [{}, {"clip": 0.05}, {"sam": 0.1}, {"ema": 0.5}])
def test_accumulated_batches_make_the_step_of_all_their_images(faces, first, tmp_path, more):
    whole = learn(faces, first, tmp_path / "whole", **more)
    parts = learn(faces, first, tmp_path / "parts", **more, batch=20, accumulate=3)
    one_by_one = learn(faces, first, tmp_path / "each", **more, batch=20)
    assert farthest(weights(parts), weights(whole)) < NEAR
    assert farthest(weights(one_by_one), weights(whole)) > 50 * NEAR


# The share of the highest rate at each of four steps, an epoch each.
SCHEDULES = {
    "constant": ({}, [1, 1, 1, 1]),
    "one_cycle": ({}, [0.04, 1, 0.75 + 0.25e-4, 0.25 + 0.75e-4]),
    "one_cycle, two epochs up": ({"warmup": 2}, [0.04, 0.52, 1, 0.5 + 0.5e-4]),
    "cosine": ({}, [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5]),
    "cosine, to a half": ({"min_lr": RATE / 2}, [1, 0.75 + 0.5**2.5, 0.75, 0.75 - 0.5**2.5]),
    "cosine, two epochs up": ({"warmup": 2}, [0.04, 0.52 * (0.5 + 0.5**1.5), 0.5, 0.5 - 0.5**1.5]),
    "exponential": ({"step_every": 2}, [1, 10**-0.5, 0.1, 10**-1.5]),
    "exponential, from one on": ({"step_every": 2, "step_start": 1}, [1, 1, 10**-0.5, 0.1]),
    "exponential, to a third": ({"step_every": 1, "min_lr": RATE / 3}, [1, 1 / 3, 1 / 3, 1 / 3]),
    "step": ({"step_every": 2, "step_gamma": 0.5}, [1, 1, 0.5, 0.5]),
    "step, by a table": ({"step_at": (1, 3), "step_factors": (0.5, 0.2)}, [1, 0.5, 0.5, 0.2]),
    "constant, two epochs up": ({"warmup": 2}, [0.04, 0.52, 1, 1]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_step_is_made_at_the_rate_of_the_schedule(faces, first, tmp_path, name):
    options, shares = SCHEDULES[name]
    run = learn(faces, first, tmp_path / "run", schedule=name.partition(",")[0], epochs=4, **options)
    rates = [RATE * share for share in shares]
    assert history(run, "lr") == pytest.approx(rates)
    assert farthest(weights(run), path(first, rates)[-1]) < NEAR
    if name != "constant":
        assert farthest(weights(run), path(first, [RATE] * 4)[-1]) > 50 * NEAR


STAGES = {
    "head": ({"head_lr": 0.05, "epochs": 2}, [0.05, 0.05], [1, 1]),
    "lp-ft": ({"head_lr": 0.05, "head_epochs": 2, "epochs": 4}, [0.05, 0.05, RATE, RATE], [1, 1, 4, 4]),
    "gradual": ({"block_epochs": 1, "epochs": 5}, [RATE] * 5, [1, 2, 3, 4, 4]),
}


@pytest.mark.parametrize("how", STAGES)
def test_each_stage_moves_its_blocks_at_its_rate_and_no_other(faces, first, tmp_path, how):
    options, rates, count = STAGES[how]
    run = learn(faces, first, tmp_path / "run", unfreeze=how, **options)
    expected = path(first, rates, open_blocks=count)[-1]
    assert farthest(weights(run), expected) < NEAR
    assert farthest(expected, path(first, rates)[-1]) > 50 * NEAR


def test_a_stage_that_begins_anew_has_the_whole_of_its_schedule(faces, first, tmp_path):
    options = {"unfreeze": "lp-ft", "head_epochs": 1, "epochs": 5, "schedule": "cosine"}
    run = learn(faces, first, tmp_path / "run", **options)
    shares = [1, *SCHEDULES["cosine"][1]]
    assert history(run, "lr") == pytest.approx([RATE * share for share in shares])


def recalibrated(net, norms, x):
    """Give layers the plain statistics of all the images, each behind those before it as they are by themselves."""
    momenta = [m.momentum for m in norms]
    net.eval()
    for m in norms:
        m.momentum = None
        m.reset_running_stats()
        m.train()
    with torch.no_grad():
        net(x)
    for m, momentum in zip(norms, momenta, strict=True):
        m.momentum = momentum


def normalised_step(start, norm):
    """Return the weights and statistics after a step under a policy of batch normalisation."""
    net, (x, t) = net_of(start), taught("crossentropy")
    norms = [m for m in net.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    if norm == "recalibrate":
        recalibrated(net, norms, x)
    net.train()
    for m in norms if norm != "train" else ():
        m.eval()
    return descended(net, gradients(net, cross_entropy(net(x), t)), 0.01)


def apart(a, b):
    return math.sqrt(sum(float((a[name].double() - b[name].double()).square().sum()) for name in a))


@pytest.mark.parametrize("norm", ["train", "frozen", "recalibrate"])
def test_batch_normalisation_goes_by_the_statistics_that_were_asked_for(faces, tmp_path, norm):
    start = first_run(tmp_path / "first", "lenet_bn")
    got = weights(learn(faces, start, tmp_path / "run", backbone="lenet_bn", norm=norm, lr=0.01))
    off = {policy: apart(got, normalised_step(start, policy)) for policy in ("train", "frozen", "recalibrate")}
    # Batch statistics of channels that are all but silent make much of rounding.
    assert off.pop(norm) < 0.02 * min(off.values())


def loss_of(first, dtype):
    """Return the loss before the first step, the net's layers computing in `dtype`."""
    x, t = taught("crossentropy")
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        logits = net_of(first)(x)
    return float(cross_entropy(logits.float(), t))


def test_bf16_computes_the_layers_in_bfloat16_and_the_loss_in_float32(faces, first, tmp_path):
    whole, half = loss_of(first, torch.float32), loss_of(first, torch.bfloat16)
    assert abs(half - whole) > 1e-5
    for precision, expected in (("32-true", whole), ("bf16-mixed", half)):
        run = learn(faces, first, tmp_path / precision, precision=precision)
        assert history(run, "train_loss") == pytest.approx([expected], rel=2e-6)


def test_a_compiled_net_is_compiled_and_learns_the_same(faces, first, tmp_path, monkeypatch):
    """By torch's own tracing; without the minute that its code generator takes for a processor."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    torch._dynamo.reset()
    counters.clear()
    learn(faces, first, tmp_path / "plain")
    assert counters["stats"]["unique_graphs"] == 0
    run = learn(faces, first, tmp_path / "run", compile=True)
    assert counters["stats"]["unique_graphs"] >= 1
    assert farthest(weights(run), stepped(first)) < NEAR
