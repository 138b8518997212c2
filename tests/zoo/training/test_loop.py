"""What hangs on random numbers or on val: test_options_matter and test_options_of_steps work out all the others."""

import csv
import math
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from tests.zoo.conftest import QUICK
from zoo.data.rows import load, read_rows
from zoo.evaluation import metrics
from zoo.evaluation.evaluate import evaluate
from zoo.evaluation.inference import score
from zoo.models.load import load_model
from zoo.run.run_folder import Folder
from zoo.training import loop, setup
from zoo.training.train import train

SHORT = {**QUICK, "epochs": 1, "precision": "32-true", "augment": "none", "tta": "none", "select": "last"}


def tensors(run):
    with safe_open(run.path / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def history(run):
    return list(csv.DictReader((run.path / "history.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def plain(manifest_path, tmp_path_factory):
    return tensors(train(manifest_path, tmp_path_factory.mktemp("plain") / "run", **SHORT))


@pytest.mark.parametrize("option", ["augment=strong", "dropout=0.5", "optimizer=rmsprop", "seed=3", "batch=8"])
def test_the_option_changes_what_is_learnt(manifest_path, tmp_path, plain, option):
    key = option.partition("=")[0]
    named = {name: value for name, value in SHORT.items() if name != key}
    changed = tensors(train(manifest_path, tmp_path / "run", **named, options=[option]))
    assert changed.keys() == plain.keys()
    assert not all(torch.equal(changed[name], plain[name]) for name in plain)
    assert all(torch.isfinite(t).all() for t in changed.values())


def test_the_weights_kept_under_ema_are_the_average_and_val_is_scored_with_it(manifest_path, tmp_path):
    run = train(manifest_path, tmp_path / "run", **{**SHORT, "epochs": 2}, ema=0.99)
    net, meta = load_model(Folder(run.path).model)
    rows = read_rows(Manifest(manifest_path))
    val = load(rows, {"val": rows.where("val")}, meta.size, meta.channels)["val"]
    p = score(net, val.pixels, meta.mean, meta.std)
    assert metrics.log_loss(p, val.hard.numpy()) == pytest.approx(float(history(run)[-1]["val_loss"]), rel=1e-4)


def test_plateau_lowers_the_rate_where_val_gets_no_better(manifest_path, tmp_path):
    options = {"plateau_patience": 0, "plateau_factor": 0.1, "schedule": "plateau"}
    run = train(manifest_path, tmp_path / "run", **{**SHORT, "epochs": 6}, lr=0.1, options=options)
    best, expected = math.inf, 0.1
    for row in history(run):
        assert float(row["lr"]) == pytest.approx(expected)
        expected *= 1 if float(row["val_loss"]) < best else 0.1
        best = min(best, float(row["val_loss"]))
    assert expected < 0.1


def test_last_takes_the_last_epoch_however_it_scores(manifest_path, tmp_path):
    began = time.monotonic()
    run = train(manifest_path, tmp_path / "run", **{**SHORT, "epochs": 3})
    learning = sum(float(row["images"]) / float(row["images_per_second"]) for row in history(run))
    assert 0 < learning < time.monotonic() - began
    assert run.report["protocol"]["chosen"]["epoch"] == 3


def test_a_run_ends_when_it_has_seen_so_many_images(manifest_path, tmp_path):
    run = train(manifest_path, tmp_path / "run", **{**SHORT, "epochs": None}, options={"images_seen": 300})
    rows = history(run)
    assert [float(row["images"]) for row in rows] == [128, 128, 48]  # 19 steps of 16 are 304
    assert run.report["training"]["images"] == 304
    assert float(rows[-1]["lr"]) < 0.1 * float(rows[1]["lr"])  # the descent is over when the images are
    with pytest.raises(BadOption, match="epochs needs to stand without images_seen"):
        train(manifest_path, tmp_path / "b", **SHORT, options={"images_seen": 300})


def test_a_run_learns_from_so_many_images_of_train_alone(manifest_path, tmp_path):
    run = train(manifest_path, tmp_path / "run", **SHORT, options={"train_images": 48})
    assert run.report["training"]["n_train"] == 48
    assert run.report["training"]["images"] == 48


def test_an_epoch_that_has_no_time_for_a_batch_leaves_no_trace(manifest_path, tmp_path, monkeypatch):
    def write_and_let_the_time_pass(context, state):
        write_history(context, state)
        schedule, now = state.schedule, state.schedule.clock()
        # No more to train in, and the time that is kept for scoring not used up yet.
        schedule.clock, schedule.limit = (lambda: now), now - schedule.started + 0.9 * schedule.reserve

    write_history = loop.write_history
    monkeypatch.setattr(loop, "write_history", write_and_let_the_time_pass)
    run = train(manifest_path, tmp_path / "run", **{**SHORT, "epochs": 3})
    assert [row["epoch"] for row in history(run)] == ["1"]
    assert float(history(run)[0]["train_loss"]) > 0
    assert run.report["training"]["epochs"] == 1


def test_a_run_that_has_no_time_for_its_first_batch_says_so(manifest_path, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "how_far", lambda context, state: 1.0)
    with pytest.raises(BadOption, match="before the first training step") as error:
        train(manifest_path, tmp_path / "run", **SHORT)
    assert "--time-limit" in error.value.hint
    assert not (tmp_path / "run" / "history.csv").exists()


def test_no_loss_is_told_before_there_is_one(manifest_path, tmp_path, monkeypatch):
    notes = []

    @contextmanager
    def bar(*_):
        yield lambda count, note="": notes.append(note)

    monkeypatch.setattr(loop.progress, "bar", bar)
    monkeypatch.setattr(loop, "LOOK", 4)
    train(manifest_path, tmp_path / "run", **SHORT, options=["accumulate=2"])
    told = [note for note in notes if note.startswith("loss")]
    assert told
    assert "loss 0.000" not in told


def test_an_mlp_head_with_its_penalty_trains_and_is_read_back(manifest_path, tmp_path):
    options = {"head_widths": (16, 8), "head_dropout": (0.2, 0.2), "head_norm": True, "head_l2": 1e-3}
    run = train(manifest_path, tmp_path / "run", **SHORT, head="mlp", options=options)
    net, meta = load_model(Folder(run.path).model)
    assert meta.head["widths"] == [16, 8]
    assert not net.training


def test_trees_behind_the_net_are_fitted_scored_and_read_back(manifest_path, tmp_path):
    run = train(manifest_path, tmp_path / "run", **{**SHORT, "epochs": 2}, head="xgboost")
    assert (run.path / "trees.ubj").is_file()
    assert 0 <= run.report["linear_head"]["accuracy"] <= 1
    assert evaluate(run.path)["accuracy"] == run.report["accuracy"]


def test_a_gpu_that_cannot_record_steps_makes_them_and_says_so_once(manifest_path, tmp_path, monkeypatch):
    recorder = SimpleNamespace(refused="it asks for a number", run=lambda work, kind, group: work(group))
    lines = []
    monkeypatch.setattr(setup, "recorder", lambda config: recorder)
    monkeypatch.setattr(setup, "rates_on", lambda optimizer, device: None)
    run = train(manifest_path, tmp_path / "run", **{**SHORT, "epochs": 2}, say=lines.append)
    assert len(history(run)) == 2
    assert [line for line in lines if "could not be recorded: it asks for a number" in line] == [
        "Training without CUDA graphs, since the steps could not be recorded: it asks for a number"
    ]
