import pytest

from ferdata.errors import BadOption, Leak
from tests.zoo.conftest import QUICK, shape_rows
from zoo.training.dry_run import Cost
from zoo.training.train import train


def test_a_dry_run_writes_nothing_and_says_what_a_run_would_take(manifest_path, tmp_path):
    lines = []
    told = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 7}, dry_run=True, say=lines.append).report
    assert list(tmp_path.iterdir()) == []
    assert told["images"] == {"train": 128, "val": 40, "test": 48}
    assert told["epochs"] == 7
    assert 0 < told["seconds_per_step"] < told["seconds_per_epoch"] < told["seconds"]
    assert told["memory_bytes"] > 1e8
    assert told["open_parameters"] == told["parameters"]
    assert told["config"]["lr"] == pytest.approx(0.003 * (16 / 128) ** 0.5)
    assert any("never say it" in note for note in told["notes"])


def test_it_warns_of_images_so_small_that_nothing_is_left_of_the_last_map(manifest_path, tmp_path):
    small = {**QUICK, "backbone": "mobilenetv3_small_050", "size": 48, "epochs": 7}
    told = train(manifest_path, tmp_path / "run", **small, dry_run=True).report["notes"]
    assert any(
        "mobilenetv3_small_050's last map is 2 x 2 at 48 px" in note and "made for 224 px" in note for note in told
    )
    told = train(manifest_path, tmp_path / "run", **small, stem="small", dry_run=True).report["notes"]
    assert not any("last map" in note for note in told)


def test_it_counts_the_parameters_that_are_open_at_first(manifest_path, tmp_path):
    told = train(manifest_path, tmp_path / "run", **QUICK, backbone="lenet5", unfreeze="head", dry_run=True).report
    assert told["open_parameters"] == 84 * 8 + 8  # the last layer of LeNet-5 (LeCun et al. 1998), for eight classes
    assert told["open_parameters"] < told["parameters"]


@pytest.fixture
def slow(monkeypatch):
    """A machine that takes half a second a step, and 10 ms to score an image, however busy this one is."""
    monkeypatch.setattr("zoo.training.dry_run._measure", lambda *_: Cost(step=0.5, scoring=0.01, memory=1 << 30))


EPOCH = 128 / 16 * 0.5 + 40 * 0.01
LAST = (40 + 48) * 0.01 * 4  # val for the temperature, and test; mirrored too, in whole float32


def test_its_estimate_is_made_of_steps_and_scorings(manifest_path, tmp_path, slow):
    told = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 7}, dry_run=True).report
    assert told["seconds_per_epoch"] == pytest.approx(EPOCH)
    loading = told["seconds"] - 7 * EPOCH - LAST
    assert 0 < loading < 600


def test_under_a_time_limit_it_says_how_many_epochs_fit(manifest_path, tmp_path, slow):
    quick = {**QUICK, "epochs": 100_000}
    told = train(manifest_path, tmp_path / "run", **quick, time_limit=6000, dry_run=True).report
    assert 5000 / EPOCH < told["epochs"] < 6000 / EPOCH
    assert told["seconds"] == 6000


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
