import csv
import functools
import json
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from timm.models import save_for_hf

from ferdata.errors import AlreadyExists, BadOption, BrokenRun, Leak
from tests.zoo.conftest import QUICK, shape_rows
from zoo.deploy import predict
from zoo.training import loop, sanity_checks
from zoo.training.schedule import Schedule
from zoo.training.train import train


def history(run):
    return list(csv.DictReader((run.path / "history.csv").read_text().splitlines()))


def weights(run):
    with safe_open(run.path / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_a_run_leaves_everything_it_promises(trained):
    names = {p.name for p in trained.path.iterdir()}
    assert names == {
        *("config.toml", "history.csv", "model.safetensors", "report.json", "predictions.parquet"),
        *("curves.png", "confusion.png", "classes.png", "reliability.png", "roc.png", "card.md", "tensorboard"),
    }
    assert list((trained.path / "tensorboard").glob("events.out.*"))
    assert json.loads((trained.path / "report.json").read_text()) == trained.report
    assert len(history(trained)) == 5
    assert tomllib.loads((trained.path / "config.toml").read_text())["options"]["lr"] > 0


def test_the_history_and_tensorboard_have_each_classes_figures_of_every_epoch(trained):
    events = EventAccumulator(str(trained.path / "tensorboard"))
    events.Reload()
    for figure, name in (("precision", "anger"), ("recall", "happiness")):
        ours = [float(row[f"val_{figure}_{name}"] or "nan") for row in history(trained)]
        theirs = {event.step: event.value for event in events.Scalars(f"val_{figure}/{name}")}
        assert len(ours) == 5
        assert {e: v for e, v in enumerate(ours, 1) if not np.isnan(v)} == pytest.approx(theirs)
    assert {row["val_recall_fear"] for row in history(trained)} == {""}  # no image of it
    chosen = trained.report["protocol"]["chosen"]
    assert set(chosen) == {"epoch", "val_loss", "val_accuracy", "val_balanced_accuracy", "val_macro_f1"}


def test_four_shapes_are_learnt_in_five_epochs(trained):
    report = trained.report
    assert report["n"] == 48
    assert report["accuracy"] > 0.8
    low, high = report["confidence_intervals"]["accuracy"]
    assert low - 1e-9 <= report["accuracy"] <= high + 1e-9
    assert report["baseline"]["majority_share"] == 0.25
    assert report["baseline"]["prior_entropy"] == pytest.approx(np.log(4))
    assert report["protocol"]["leak_check"] == {
        **{"val_in_train": 0, "test_in_train": 0, "test_in_val": 0},
        "allowed": False,
    }
    assert "chosen" in report["protocol"]


def test_the_chosen_epoch_is_the_best_on_val(trained):
    best = max(history(trained), key=lambda row: (float(row["val_accuracy"]), -float(row["val_loss"])))
    assert trained.report["protocol"]["chosen"]["epoch"] == int(best["epoch"])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(manifest_path, tmp_path):
    quick = {**QUICK, "augment": "strong", "epochs": 1}
    first, second = (weights(train(manifest_path, tmp_path / str(i), **quick)) for i in range(2))
    other = weights(train(manifest_path, tmp_path / "other", **quick, seed=1))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


@pytest.mark.parametrize("engine", ["device", "workers"])
def test_ranges_of_ones_own_change_what_is_learnt_and_the_runs_config_alone_repeats_it(manifest_path, tmp_path, engine):
    file = tmp_path / "mine.toml"
    file.write_text("rotation = 90\n")
    quick = {**QUICK, "epochs": 1, "backbone": "lenet5", "options": {"engine": engine}}
    turned = train(manifest_path, tmp_path / "turned", **{**quick, "augment": file})
    file.unlink()
    again = train(manifest_path, tmp_path / "again", str(tmp_path / "turned"), device="cpu")
    upright = train(manifest_path, tmp_path / "upright", str(tmp_path / "turned"), {"rotation": 0.0}, device="cpu")
    assert all(torch.equal(weights(turned)[name], w) for name, w in weights(again).items())
    assert not all(torch.equal(weights(turned)[name], w) for name, w in weights(upright).items())
    assert again.report["training"]["augmentation"] == {
        **{"policy": "own", "changed": ["rotation"], "ranges": {"rotation": "±90°"}}
    }
    assert "- Augmentation: own: rotation ±90°." in (again.path / "card.md").read_text()


def test_a_line_is_said_for_each_epoch(manifest_path, tmp_path, capsys):
    lines = []
    train(manifest_path, tmp_path / "run", **QUICK, say=lines.append)
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["1", "2"]
    assert "never say" in lines[0]  # the four emotions that no picture shows
    assert "40 images" in lines[1]
    assert capsys.readouterr().out == ""


class Ticks:
    """A clock that goes on by a little whenever it is looked at, however busy the machine is."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


def test_a_time_limit_covers_the_whole_call(manifest_path, tmp_path, monkeypatch):
    clock = Ticks()
    monkeypatch.setattr("zoo.training.train.Schedule", functools.partial(Schedule, clock=clock))
    monkeypatch.setattr("zoo.training.validation.time", SimpleNamespace(perf_counter=clock, process_time=clock))
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 100_000}, time_limit=20, patience=0)
    assert 10 < clock.now < 20  # most of it was used: some is kept for the end; and no more
    rates = [float(row["lr"]) for row in history(run)]
    assert rates[-1] < 0.2 * max(rates)  # the rate had come down when the time was over


def test_a_net_of_timm_trains_on_colour(manifest_path, tmp_path):
    quick = {**QUICK, "epochs": 1, "backbone": "mobilenetv3_small_050", "channels": 3}
    run = train(manifest_path, tmp_path / "run", **quick)
    assert run.report["backbone"] == "mobilenetv3_small_050"


def test_patience_ends_a_run_that_no_longer_improves(manifest_path, tmp_path):
    lines = []
    train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 40}, patience=2, say=lines.append)
    assert lines[-1].startswith("No better epoch since")
    assert len(lines) < 42


def test_a_net_that_cannot_move_is_stopped_as_a_constant_answer(manifest_path, tmp_path):
    with pytest.raises(BrokenRun, match="answers the same whatever it sees"):
        train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 5, "backbone": "vgg13_ferplus"}, lr=1e-9)


def test_a_leaky_manifest_is_refused_and_an_allowed_one_is_marked(shapes, tmp_path):
    rows = shape_rows()
    rows[-1]["group"] = rows[0]["group"]
    path = shapes(rows)
    with pytest.raises(Leak):
        train(path, tmp_path / "run", **QUICK)
    run = train(path, tmp_path / "run", **{**QUICK, "epochs": 1}, allow_leak=True)
    assert run.report["protocol"]["leak_check"]["test_in_train"] == 1
    assert run.report["protocol"]["leak_check"]["allowed"]
    assert "--allow-leak" in (run.path / "card.md").read_text()


def test_blank_pictures_are_refused_as_wrongly_scaled(shapes, tmp_path):
    flat = [{**r, "pixels": np.full((32, 32), 9, np.uint8)} for r in shape_rows()]
    with pytest.raises(BadOption, match="standard deviation 0"):
        train(shapes(flat), tmp_path / "run", **QUICK, allow_leak=True)


def test_weights_whose_mean_and_std_are_of_0_to_255_scale_pixels_twice_and_are_refused_unless_allowed(
    manifest_path, tmp_path
):
    net = timm.create_model("mobilenetv3_small_050", num_classes=5)
    net.pretrained_cfg |= {"mean": (127.5,) * 3, "std": (127.5,) * 3, "input_size": (3, 32, 32)}
    save_for_hf(net, str(tmp_path / "mine"))
    wanted = {**QUICK, "epochs": 1, "backbone": f"local-dir:{tmp_path / 'mine'}", "pretrained": True}
    with pytest.raises(BadOption, match=r"standard deviation 0\.00") as error:
        train(manifest_path, tmp_path / "run", **wanted)
    assert "--allow-scale" in error.value.hint
    run = train(manifest_path, tmp_path / "run", **wanted, allow_scale=True)
    (note,) = (line for line in run.report["protocol"]["notes"] if "--allow-scale" in line)
    assert note in (run.path / "card.md").read_text()


def test_a_rate_that_blows_up_is_stopped_with_advice(manifest_path, tmp_path):
    with pytest.raises(BrokenRun, match="--lr"):
        train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 4}, lr=1e12, precision="32-true")


def test_an_earlier_run_is_kept_unless_forced(manifest_path, trained):
    with pytest.raises(AlreadyExists):
        train(manifest_path, trained.path, **QUICK)


def test_a_refused_run_leaves_the_earlier_one_alone(shapes, manifest_path, tmp_path):
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 1})
    before = (run.path / "model.safetensors").read_bytes()
    with pytest.raises(BadOption):
        train(shapes([r for r in shape_rows() if r["split"] != "val"]), run.path, **QUICK, force=True)
    assert (run.path / "model.safetensors").read_bytes() == before


def test_an_earlier_run_is_whole_until_the_new_one_has_weights(manifest_path, tmp_path, monkeypatch):
    """Killed before its first epoch is validated, `train --force` has taken nothing away; then it takes over."""
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 1}, seed=1)
    before = {p.name: p.read_bytes() for p in run.path.iterdir() if p.is_file()}

    def killed(*_):
        raise SystemExit(9)

    monkeypatch.setattr(loop, "validate", killed)
    with pytest.raises(SystemExit):
        train(manifest_path, run.path, **{**QUICK, "epochs": 2}, seed=2, force=True)
    assert {p.name: p.read_bytes() for p in run.path.iterdir() if p.is_file() and p.name != "last.ckpt"} == before

    monkeypatch.undo()

    monkeypatch.setattr(loop, "write_history", killed)  # after the first weights
    with pytest.raises(SystemExit):
        train(manifest_path, run.path, resume=True)
    monkeypatch.undo()
    assert {p.name for p in run.path.iterdir() if p.is_file()} == {"model.safetensors", "config.toml", "last.ckpt"}
    assert "seed = 2" in (run.path / "config.toml").read_text()

    done = train(manifest_path, run.path, resume=True)
    ours, theirs = weights(done), weights(train(manifest_path, tmp_path / "other", **{**QUICK, "epochs": 2}, seed=2))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not (run.path / "last.ckpt").exists()


def test_ctrl_c_leaves_the_best_checkpoint_and_scores_nothing(manifest_path, tmp_path):
    def stop(line):
        if line.startswith("epoch   2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"test was not scored.\nContinue with: ferdata train .* --resume"):
        train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 5}, say=stop)
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert {"model.safetensors", "history.csv", "config.toml"} <= names
    assert not names & {"report.json", "curves.png", "card.md"}
    assert not [name for name in names if name.endswith(".part")]
    assert predict.predict(tmp_path / "run", [tmp_path / "none"])[0].error


def test_ctrl_c_in_the_first_epoch_leaves_the_weights_as_they_are(manifest_path, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.sanity_checks, "check_loss", stop)
    with pytest.raises(KeyboardInterrupt, match="not validated"):
        train(manifest_path, tmp_path / "run", **QUICK)
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert sanity_checks.check_loss is stop
