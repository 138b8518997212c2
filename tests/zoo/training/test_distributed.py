"""Two processes on a CPU, against one with the same batches."""

import csv

import pytest

from ferdata.errors import BadOption, BrokenRun
from tests.zoo.conftest import QUICK
from zoo.training.train import train

# Without what is each device's own: dropout, augmentation, the statistics of half a batch.
PLAIN = {"backbone": "lenet5", "augment": "none", "precision": "32-true", "lr": 0.02}
SETTING = {**QUICK, **PLAIN, "epochs": 2, "select": "loss", "ema": 0.9, "options": ["accumulate=2", "dropout=0"]}


def history(run):
    return list(csv.DictReader((run.path / "history.csv").read_text().splitlines()))


@pytest.mark.slow
def test_two_devices_have_the_losses_of_one_with_the_same_batches(manifest_path, tmp_path, monkeypatch):
    one = train(manifest_path, tmp_path / "one", **SETTING)
    lines = []
    two = train(manifest_path, tmp_path / "two", **SETTING, devices=2, say=lines.append)
    assert two.report["training"]["devices"] == 2
    for ours, theirs in zip(history(two), history(one), strict=True):
        assert float(ours["images"]) == float(theirs["images"])
        for column in ("train_loss", "val_loss", "lr"):
            assert float(ours[column]) == pytest.approx(float(theirs[column]), rel=1e-3)
    assert two.report["log_loss"] == pytest.approx(one.report["log_loss"], rel=1e-2)
    assert len([line for line in lines if line.startswith("epoch")]) == 2  # one process speaks
    assert {p.name for p in two.path.iterdir()} == {p.name for p in one.path.iterdir()}


@pytest.mark.slow
def test_two_devices_unfreeze_in_stages_too(manifest_path, tmp_path):
    options = {"head_epochs": 1, "head_lr": 0.05}
    quick = {**QUICK, "precision": "32-true", "epochs": 2, "options": options}
    run = train(manifest_path, tmp_path / "run", **quick, unfreeze="lp-ft", devices=2, time_limit=86_400)
    assert len(history(run)) == 2


@pytest.mark.slow
def test_what_stops_one_stops_all(manifest_path, tmp_path):
    with pytest.raises(BrokenRun, match="--lr"):
        train(manifest_path, tmp_path / "run", **{**QUICK, "precision": "32-true", "epochs": 3}, lr=1e12, devices=2)


def test_a_batch_that_cannot_be_shared_is_refused_with_one_that_can(manifest_path, tmp_path):
    with pytest.raises(BadOption, match="cannot be shared by 2 devices") as error:
        train(manifest_path, tmp_path / "run", **{**QUICK, "batch": 15}, devices=2)
    assert "--batch 14" in error.value.hint
