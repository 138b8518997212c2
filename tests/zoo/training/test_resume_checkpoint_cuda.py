"""A run that was stopped on a device goes on there from its last whole epoch."""

import csv

import pytest
from safetensors.torch import load_file

from tests.zoo.devices import ON_CUDA, SMOOTH, each_device
from zoo.training import resume_checkpoint
from zoo.training.train import train


def options(device, precision="32-true"):
    rest = {key: value for key, value in SMOOTH.items() if key != "precision"} | {"epochs": 4, "ema": 0.9}
    return {"device": device, "precision": precision, "options": rest}


def stopped(manifest, out, **given):
    def stop(line):
        if line.startswith("epoch   2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(manifest, out, **given, say=stop)


def history(run):
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


@each_device
def test_a_run_stopped_and_resumed_ends_as_an_undisturbed_one(manifest_path, tmp_path, device):
    whole = train(manifest_path, tmp_path / "whole", **options(device))
    stopped(manifest_path, tmp_path / "run", **options(device))
    early = load_file(tmp_path / "run" / "model.safetensors")
    resumed = train(manifest_path, tmp_path / "run", resume=True)
    assert [row["epoch"] for row in history(resumed.path)] == ["1", "2", "3", "4"]
    ours, theirs = (load_file(run.path / "model.safetensors") for run in (resumed, whole))
    off = max(float((ours[name] - theirs[name]).abs().max()) for name in theirs)
    # A processor does the same sums again; a GPU may form them in another order.
    assert off == 0 if device == "cpu" else off < 1e-2
    assert max(float((early[name] - theirs[name]).abs().max()) for name in theirs) > 2e-2


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=ON_CUDA)])
def test_the_scale_of_fp16_goes_on_too(manifest_path, tmp_path, device):
    stopped(manifest_path, tmp_path / "run", **options(device, "16-mixed"))
    saved = resume_checkpoint.read(tmp_path / "run" / "last.ckpt")
    assert saved["scaler"]["scale"] > 1
    assert saved["scaler"]["_growth_tracker"] > 0
    assert {t.device.type for t in saved["net"].values()} == {"cpu"}
    resumed = train(manifest_path, tmp_path / "run", resume=True)
    assert len(history(resumed.path)) == 4
