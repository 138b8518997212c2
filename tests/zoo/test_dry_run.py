import pytest

from ferdata.errors import BadOption, Leak
from tests.zoo.conftest import QUICK, shape_rows
from zoo.train import train


def test_a_dry_run_writes_nothing_and_says_what_a_run_would_take(manifest_path, tmp_path):
    lines = []
    told = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 7}, dry_run=True, say=lines.append).report
    assert list(tmp_path.iterdir()) == []
    assert told["images"] == {"train": 128, "val": 40, "test": 48}
    assert told["epochs"] == 7
    assert 0 < told["seconds_per_step"] < told["seconds_per_epoch"] < told["seconds"]
    assert told["memory_bytes"] > 1e8
    assert told["config"]["lr"] == pytest.approx(0.003 * 16 / 128)
    assert any("never say it" in note for note in told["notes"])


def test_its_estimate_is_about_what_a_run_takes(manifest_path, tmp_path):
    quick = {**QUICK, "epochs": 4, "precision": "32-true"}
    told = train(manifest_path, tmp_path / "dry", **quick, dry_run=True).report
    run = train(manifest_path, tmp_path / "run", **quick)
    rates = [128 / float(r.split(",")[5]) for r in (run.path / "history.csv").read_text().splitlines()[1:]]
    assert told["seconds_per_epoch"] == pytest.approx(sum(rates) / len(rates), rel=2)


def test_under_a_time_limit_it_says_how_many_epochs_fit(manifest_path, tmp_path):
    quick = {**QUICK, "epochs": 100_000}
    told = train(manifest_path, tmp_path / "run", **quick, time_limit=60, dry_run=True).report
    assert 1 < told["epochs"] < 100_000
    assert told["seconds"] <= 60


def test_it_refuses_what_a_run_would(shapes, tmp_path):
    rows = shape_rows()
    rows[-1]["group"] = rows[0]["group"]
    with pytest.raises(Leak):
        train(shapes(rows), tmp_path / "run", **QUICK, dry_run=True)
    with pytest.raises(BadOption):
        train(shapes(shape_rows()[:64]), tmp_path / "run", **QUICK, dry_run=True)


def test_an_earlier_run_is_no_hindrance_and_is_left_alone(manifest_path, trained):
    before = {p.name: p.stat().st_mtime_ns for p in trained.path.iterdir()}
    train(manifest_path, trained.path, **QUICK, dry_run=True)
    assert {p.name: p.stat().st_mtime_ns for p in trained.path.iterdir()} == before
