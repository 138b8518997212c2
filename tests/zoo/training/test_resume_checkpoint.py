import csv
import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open

from ferdata.errors import AlreadyExists, BadOption, BrokenRun, CannotWrite
from tests.zoo.conftest import QUICK, shape_rows
from tests.zoo.devices import SMOOTH, learn, ready_to_learn
from zoo.run import run_folder
from zoo.training import resume_checkpoint
from zoo.training.schedule import Plateau
from zoo.training.train import train

REPOSITORY = Path(__file__).resolve().parents[3]
# Everything that carries something from step to step: dropout, augmentation, mixing, moments, averages, stages.
CYCLE = {**QUICK, "epochs": 4, "augment": "strong", "precision": "32-true", "ema": 0.9}
CYCLE |= {"options": {"mixup": 0.2, "cutmix": 0.5, "accumulate": 2, "clip": 1.0}}
STAGES = {**QUICK, "epochs": 4, "precision": "32-true", "optimizer": "adamw", "unfreeze": "lp-ft", "sampler": "sqrt"}
STAGES |= {"schedule": "plateau", "targets": "probability", "options": {"head_epochs": 2, "plateau_patience": 0}}
SETTINGS = {"cycle": CYCLE, "stages": STAGES}

CHILD = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from tests.zoo.training.test_resume_checkpoint import SETTINGS
from zoo.training import loop
from zoo.training.train import train

manifest, out, setting, moment = sys.argv[1:]
calls = 0

def dying(original, at, when=lambda *a: True):
    def wrapped(*a, **k):
        global calls
        calls += when(*a)
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*a, **k)
    return wrapped

if moment == "step":  # in the middle of the third epoch
    loop.optimizer_step = dying(loop.optimizer_step, 11 if setting == "cycle" else 20)
else:  # last.ckpt, there from the start, is written after the third epoch but not in its place; the best may be
    Path.replace = dying(Path.replace, 4, lambda path, target: Path(target).name == "last.ckpt")
train(manifest, out, **SETTINGS[setting])
"""


def weights(run):
    with safe_open(Path(run) / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def history(path):
    rows = list(csv.DictReader((Path(path) / "history.csv").read_text().splitlines()))
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


@pytest.fixture(scope="module")
def undisturbed(manifest_path, tmp_path_factory):
    runs = tmp_path_factory.mktemp("undisturbed")
    return {name: train(manifest_path, runs / name, **setting) for name, setting in SETTINGS.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "moment"), [("cycle", "step"), ("stages", "save")])
def test_a_run_killed_and_resumed_ends_with_the_weights_of_an_undisturbed_one(
    manifest_path, tmp_path, undisturbed, setting, moment
):
    run = tmp_path / "run"
    arguments = [sys.executable, "-c", CHILD, str(manifest_path), str(run), setting, moment]
    died = subprocess.run(arguments, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not (run / "report.json").exists()
    assert resume_checkpoint.read(run / "last.ckpt")["state"]["epoch"] == 2
    lines = []
    resumed = train(manifest_path, run, resume=True, say=lines.append)
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["3", "4"]
    whole = undisturbed[setting]
    assert history(run) == history(whole)
    ours, theirs = weights(run), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert resumed.report["accuracy"] == whole.report["accuracy"]
    assert not (run / "last.ckpt").exists()
    assert not list(run.glob(".*.part"))


def stopped(manifest, out, epoch=2, **options):
    def stop(line):
        if line.startswith(f"epoch {epoch:3d}"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(manifest, out, **{**QUICK, "epochs": 4, "precision": "32-true", **options}, say=stop)


def test_ctrl_c_and_resume_go_on_from_the_last_whole_epoch(manifest_path, tmp_path):
    whole = train(manifest_path, tmp_path / "whole", **{**QUICK, "epochs": 4, "precision": "32-true"})
    stopped(manifest_path, tmp_path / "run")
    with pytest.raises(AlreadyExists, match="--resume"):
        train(manifest_path, tmp_path / "run", **QUICK)
    run = train(manifest_path, tmp_path / "run", resume=True)
    assert all(torch.equal(weights(run)[name], t) for name, t in weights(whole).items())
    with pytest.raises(BrokenRun, match="is finished"):
        train(manifest_path, tmp_path / "run", resume=True)


def test_a_run_that_an_earlier_ferdata_began_goes_on_and_its_first_epochs_have_fewer_figures(manifest_path, tmp_path):
    run = tmp_path / "run"
    stopped(manifest_path, run, epoch=1, epochs=2)
    saved = torch.load(run / "last.ckpt", weights_only=True)
    state = json.loads(saved["state"])
    of_classes = [name for name in state["history"][0] if name.startswith(("val_precision_", "val_recall_"))]
    state["history"] = [{k: v for k, v in row.items() if k not in of_classes} for row in state["history"]]
    torch.save({**saved, "state": json.dumps(state)}, run / "last.ckpt")
    train(manifest_path, run, resume=True)
    before, after = history(run)
    assert {before[name] for name in of_classes} == {""}
    assert float(after["val_recall_anger"]) >= 0
    assert (run / "curves.png").is_file()


def test_other_options_are_refused_by_name_and_the_same_are_not(manifest_path, tmp_path):
    stopped(manifest_path, tmp_path / "run")
    with pytest.raises(BadOption, match=r"lr \(was 0.00106\d*, now 0.5\)"):
        train(manifest_path, tmp_path / "run", resume=True, lr=0.5)
    with pytest.raises(BadOption, match=r"epochs \(was 4, now 9\)"):
        train(manifest_path, tmp_path / "run", resume=True, options=["epochs=9"])
    with pytest.raises(BadOption, match="backbone"):
        train(manifest_path, tmp_path / "run", resume=True, recipe="lenet3-sequential")
    assert train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 4}, resume=True).report["n"] == 48


def test_a_policy_of_ones_own_is_gone_on_with_and_a_changed_one_refused(manifest_path, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("rotation = 20\nflip = 0.5\n")
    stopped(manifest_path, tmp_path / "run", augment=file)
    with pytest.raises(BadOption, match=r"rotation \(was 20.0, now 30.0\)"):
        train(manifest_path, tmp_path / "run", resume=True, options=["rotation=30"])
    with pytest.raises(BadOption, match=r"augment \(was own, now light\)"):
        train(manifest_path, tmp_path / "run", resume=True, augment="light")
    file.write_text("rotation = 20\n")
    with pytest.raises(BadOption, match=r"flip \(was 0.5, now None\)"):
        train(manifest_path, tmp_path / "run", resume=True, augment=file)
    file.unlink()
    run = train(manifest_path, tmp_path / "run", resume=True)
    assert run.report["training"]["augmentation"]["ranges"] == {"rotation": "±20°", "flip": "50% of the time"}


def test_another_manifest_is_refused(shapes, manifest_path, tmp_path):
    stopped(manifest_path, tmp_path / "run")
    other = shapes(shape_rows()[:-4])
    other.replace(tmp_path / "other.parquet")
    with pytest.raises((BrokenRun, BadOption), match="manifest"):
        train(tmp_path / "other.parquet", tmp_path / "run", resume=True)


def test_where_there_is_nothing_to_resume_it_is_said(manifest_path, tmp_path):
    with pytest.raises(BrokenRun, match="no run in"):
        train(manifest_path, tmp_path / "nowhere", resume=True)
    assert not (tmp_path / "nowhere").exists()


class Payload:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_pickle_in_the_place_of_last_ckpt_is_never_unpickled(manifest_path, tmp_path):
    stopped(manifest_path, tmp_path / "run")
    mark = tmp_path / "executed"
    path = tmp_path / "run" / "last.ckpt"
    whole = path.read_bytes()
    torch.save({"format": 1, "config": Payload(mark)}, path)
    with pytest.raises(BrokenRun, match="cannot be resumed"):
        train(manifest_path, tmp_path / "run", resume=True)
    for content in (pickle.dumps(Payload(mark)), b"", b"junk", whole[:-200]):
        path.write_bytes(content)
        with pytest.raises(BrokenRun, match="cannot be resumed"):
            train(manifest_path, tmp_path / "run", resume=True)
    assert not mark.exists()


def test_a_disk_that_fills_while_saving_leaves_what_was_saved_before(manifest_path, tmp_path, monkeypatch):
    written, real = [], os.fsync

    def full(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.startswith(".last.ckpt"):
            written.append(descriptor)
            if len(written) == 4:  # the first is there before the first epoch
                raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(run_folder.os, "fsync", full)
    with pytest.raises(CannotWrite, match="No space left"):
        train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 4, "precision": "32-true"})
    monkeypatch.undo()
    assert resume_checkpoint.read(tmp_path / "run" / "last.ckpt")["state"]["epoch"] == 2
    assert not list((tmp_path / "run").glob(".*.part"))
    assert len(history(train(manifest_path, tmp_path / "run", resume=True))) == 4


def test_all_that_the_loop_carries_comes_back(manifest_path, tmp_path):
    plain = {
        **{"epoch": 3, "step": 40, "rate": 0.02, "best": (0.5, -1.2), "best_epoch": 2, "stage": 1, "stage_epochs": 1},
        **{"stage_step": 30, "stage_progress": 0.6, "stage_best": (0.4, -1.3), "stale": 2, "over": True},
        **{"collapsed": [False, True], "history": [{"epoch": 1.0, "val_accuracy": 0.5}]},
    }
    assert set(plain) == set(resume_checkpoint.PLAIN)
    path = tmp_path / "last.ckpt"
    folder = SimpleNamespace(last=path)
    with ready_to_learn(manifest_path, "cpu", **SMOOTH, unfreeze="lp-ft", head_epochs=1, ema=0.9) as (context, state):
        learn(context, state)
        for name, value in plain.items():
            setattr(state, name, value)
        state.plateau = Plateau(0.25, 0.5, 1)
        state.schedule.keep(3.5)
        resume_checkpoint.save(replace(context, out=folder), state)
        learnt = [tensor.clone() for tensor in (*state.bare.state_dict().values(), *state.ema.average.values())]
    with ready_to_learn(manifest_path, "cpu", **SMOOTH, unfreeze="lp-ft", head_epochs=1, ema=0.9) as (context, state):
        resume_checkpoint.restore(resume_checkpoint.read(path), context, state)
        assert {name: getattr(state, name) for name in plain} == plain
        assert state.plateau == Plateau(0.25, 0.5, 1)
        assert state.schedule.estimates == [3.5]
        again = (*state.bare.state_dict().values(), *state.ema.average.values())
        assert all(torch.equal(a, b) for a, b in zip(again, learnt, strict=True))
