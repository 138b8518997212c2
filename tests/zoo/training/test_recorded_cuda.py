"""A step that is repeated from a recording is the step that it was recorded from."""

import pytest
import torch
from safetensors.torch import load_file

from tests.zoo.conftest import QUICK
from zoo.training import setup
from zoo.training.recorded import WARM, Recorder
from zoo.training.train import train

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
ON_GPU = {**QUICK, "device": "cuda", "precision": "32-true", "epochs": 3, "tta": "none", "select": "last"}
KINDS = {
    "muon in bf16": ["precision=bf16-mixed"],
    "sgd, clipped and averaged": ["optimizer=sgd", "clip=1", "ema=0.9"],
    "adamw on mixed pictures": ["optimizer=adamw", "mixup=0.4", "cutmix=1"],
    "lion, whose step is no part of it": ["optimizer=lion", "lr=0.0001"],
    "sam, accumulated": ["sam=0.05", "accumulate=2"],
    "stages": ["unfreeze=lp-ft", "head_epochs=1"],
}
APART = 0.05  # of the weights' length: kernels that add up in another order each time, over 24 steps


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_recorded_run_learns_what_an_unrecorded_one_does(manifest_path, tmp_path, monkeypatch, options):
    made = []

    def recorder(config):
        made.append(Recorder())
        return made[-1]

    def run(name, make):
        monkeypatch.setattr(setup, "recorder", make)
        keys = {option.partition("=")[0] for option in options}
        named = {key: value for key, value in ON_GPU.items() if key not in keys}
        train(manifest_path, tmp_path / name, **named, options=options)
        return load_file(tmp_path / name / "model.safetensors")

    plain, recorded = run("plain", lambda _: None), run("recorded", recorder)
    assert made[0].refused == ""
    assert made[0].graph is not None
    assert made[0].made == WARM + 1
    apart = torch.cat([(recorded[name] - plain[name]).float().flatten() for name in plain])
    whole = torch.cat([plain[name].float().flatten() for name in plain])
    assert float(apart.norm() / whole.norm()) < APART
