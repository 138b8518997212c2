"""`--compile`: the same learning, and weights under the net's own names. One test: each compiling is slow."""

import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch._dynamo.utils import counters

from tests.zoo.devices import SMOOTH, each_device
from zoo.training.train import train


@pytest.mark.slow
@each_device
def test_a_compiled_net_learns_what_the_net_learns_and_is_kept_under_its_own_names(manifest_path, tmp_path, device):
    if device == "cpu" and not (shutil.which("g++") or shutil.which("c++")):
        pytest.skip("for a processor torch compiles with g++, which is not here")
    counters.clear()
    options = {key: value for key, value in SMOOTH.items() if key != "precision"} | {"augment": "none"}
    given = {"device": device, "precision": "32-true", "options": options}
    plain = train(manifest_path, tmp_path / "plain", **given)
    assert not counters["stats"]["unique_graphs"]
    compiled = train(manifest_path, tmp_path / "compiled", **given, compile=True)
    assert counters["stats"]["unique_graphs"] > 0
    ours, theirs = (load_file(run.path / "model.safetensors") for run in (compiled, plain))
    assert ours.keys() == theirs.keys()
    assert all(
        torch.allclose(ours[name], theirs[name], atol=2e-2) for name in theirs
    )  # a GPU computes in TF32, either way
    assert compiled.report["n"] == plain.report["n"] == 48
    assert abs(compiled.report["log_loss"] - plain.report["log_loss"]) < 0.02
