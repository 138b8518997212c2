"""A device learns what the processor learns; in half precision it learns too."""

import pytest
import torch
from torch import nn

from tests.zoo.conftest import QUICK
from tests.zoo.devices import ON_CUDA, SMOOTH, each_device, learn, on_cpu, ready_to_learn
from zoo.training.train import train

HALF = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def learnt(manifest, device, **options):
    """The net's weights, and their average if one is kept, after two epochs."""
    with ready_to_learn(manifest, device, **{**SMOOTH, **options}) as (context, state):
        for _ in range(2):
            learn(context, state)
        return on_cpu(state.bare.state_dict()), {} if state.ema is None else on_cpu(state.ema.average)


def furthest(some, others):
    return max(float((some[name].float() - others[name].float()).abs().max()) for name in others)


@each_device
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ema": 0.9},
        {"sam": 0.05},
        {"mixup": 0.4, "cutmix": 1.0},
        {"clip": 0.1, "accumulate": 2},
        {"targets": "probability"},
    ],
    ids=lambda options: "+".join(options) or "plain",
)
def test_a_device_learns_what_the_processor_learns(manifest_path, device, options):
    expected, expected_average = learnt(manifest_path, "cpu", **options)
    got, average = learnt(manifest_path, device, **options)
    assert furthest(got, expected) < 1e-3
    assert ("ema" in options) == bool(average)
    if average:
        assert furthest(average, expected_average) < 1e-3
        assert furthest(average, got) > 1e-3
    other, _ = learnt(manifest_path, device, **options, seed=1)
    assert furthest(other, expected) > 1e-2  # had nothing been learnt, or were all nets alike, this would not be


@pytest.mark.parametrize(
    ("device", "precision"),
    [("cpu", "bf16-mixed"), *(pytest.param("cuda", p, marks=ON_CUDA) for p in ("bf16-mixed", "16-mixed"))],
)
def test_in_half_precision_layers_compute_in_it_and_weights_stay_whole(manifest_path, device, precision):
    seen = set()
    options = {**SMOOTH, "precision": precision, "epochs": 6}
    with ready_to_learn(manifest_path, device, **options) as (context, state):
        for layer in state.bare.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(lambda *call: seen.add(call[2].dtype))
        losses = [learn(context, state)["train_loss"] for _ in range(6)]
        assert seen == {HALF[precision]}
        assert {p.dtype for p in state.bare.parameters()} == {torch.float32}
        assert losses[-1] < 0.8 * losses[0]
        scaler = getattr(context.fabric._precision, "scaler", None)
        assert (scaler is not None) == (precision == "16-mixed")
        if scaler is not None:
            assert scaler.get_scale() > 0


@each_device
def test_four_shapes_are_learnt_with_the_options_of_default(manifest_path, tmp_path, device):
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 5, "device": device})
    assert run.report["training"]["device"].partition(":")[0] == device
    assert run.report["accuracy"] > 0.8
