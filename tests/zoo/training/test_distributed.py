"""Two processes on a CPU: against one with the same batches, and against what befalls a run."""

import csv
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import psutil
import pytest
import torch

from ferdata.errors import BadOption, BrokenRun, WorkersLost
from tests.zoo.conftest import QUICK
from tests.zoo.training.conftest import processes_of
from tests.zoo.training.test_launch import TWO, fails
from zoo.training import loop
from zoo.training.launch import launch
from zoo.training.schedule import Schedule
from zoo.training.train import train

pytestmark = pytest.mark.usefixtures("no_process_is_left")
# Without what is each device's own: dropout, augmentation, the statistics of half a batch.
PLAIN = {"backbone": "lenet5", "augment": "none", "precision": "32-true", "lr": 0.02}
SETTING = {**QUICK, **PLAIN, "epochs": 2, "select": "loss", "ema": 0.9, "options": ["accumulate=2", "dropout=0"]}


def history(run):
    return list(csv.DictReader((run.path / "history.csv").read_text().splitlines()))


@pytest.mark.slow
def test_two_devices_have_the_losses_of_one_with_the_same_batches(manifest_path, tmp_path):
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


def compares(place, say):
    """Return from each process how far it finds the run and what it is told; have both look at a loss of one."""
    config = replace(TWO, time_limit=100.0)
    schedule = Schedule(config.time_limit, clock=lambda: 50.0, started=10.0 * place.rank)
    context = SimpleNamespace(config=config, fabric=SimpleNamespace(device=torch.device("meta")))  # none to wait for
    own = schedule.progress(0)
    found = torch.tensor([own, loop.how_far(context, SimpleNamespace(schedule=schedule, step=0))])
    both = [torch.empty(2) for _ in range(2)]
    torch.distributed.all_gather(both, found)
    say(str(loop.mean_loss(torch.tensor([3.0 * place.rank, 0.0, 2.0]), 3)))
    try:
        loop.mean_loss(torch.tensor([math.nan if place.rank else 1.0, 0.0, 2.0]), 3)
    except BrokenRun as error:
        say(error.message)
    return [one.tolist() for one in both]


def test_devices_go_by_the_leading_ones_clock_and_by_the_loss_of_all():
    lines = []
    (own, told), (another, same) = launch(TWO, compares, lines.append)
    assert told == same == own != another
    assert lines == ["0.75", "The loss became nan in epoch 3."]


def sabotaged(how, work, place, say):
    """Do the work of a real run, in which device 1 fails in the middle of the second epoch."""
    step = loop.optimizer_step

    def spoilt(context, state, group):
        sums = step(context, state, group)
        if place.rank == 1 and state.epoch == 1 and state.step == 12:
            if how == "nan":
                return sums * math.nan
            fails(how, 1, place, say)
        return sums

    loop.optimizer_step = spoilt
    return work(place, say)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("killed", WorkersLost, "device 1 was killed (signal 9"),
        ("nan", BrokenRun, "The loss became nan in epoch 2"),
    ],
)
def test_a_run_ends_with_what_its_follower_met_and_can_be_gone_on_with(
    how, kind, words, manifest_path, tmp_path, monkeypatch
):
    def spoilt(config, work, say):
        return launch(config, partial(sabotaged, how, work), say)

    run = partial(train, manifest_path, tmp_path / "run", **QUICK, backbone="lenet5", devices=2)
    lines = []
    with monkeypatch.context() as patch:
        patch.setattr("zoo.training.train.launch", spoilt)
        with pytest.raises(kind) as error:
            run(say=lines.append)
    assert words in str(error.value)
    assert [line[:9] for line in lines if line.startswith("epoch")] == ["epoch   1"]
    if how == "killed":
        assert len((run(resume=True).path / "history.csv").read_text().splitlines()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ctrl-c", "a scheduler"])
def test_a_run_that_is_stopped_keeps_its_best_weights(how, manifest_path, tmp_path):
    options = ["--size", "32", "--backbone", "lenet5", "--epochs", "5000", "--device", "cpu", "--devices", "2"]
    command = [sys.executable, "-m", "ferdata.cli", "train", "--manifest", manifest_path, "-o", tmp_path / "run"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as caller:
        assert caller.stdout is not None
        for line in caller.stdout:
            if line.startswith("epoch   2"):
                break
        begun = processes_of(caller.pid)
        # Both reach every process: what Ctrl-C in a terminal does, and what schedulers do.
        os.killpg(caller.pid, signal.SIGTERM if how == "a scheduler" else signal.SIGINT)
        complaints = caller.communicate(timeout=60)[1]
    assert caller.returncode == 130, complaints
    assert not psutil.wait_procs(begun, 10)[1]
    assert complaints.strip().startswith("Interrupted. ")
    assert "model.safetensors is of epoch" in complaints
    assert "--resume" in complaints
