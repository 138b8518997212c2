import shutil

import numpy as np
import pytest

from ferdata.errors import AlreadyExists, BadOption
from tests.zoo.conftest import QUICK, shape_rows
from zoo.evaluation import confidence, predictions
from zoo.evaluation.compare import compare
from zoo.experiments.cross_validation import cross_validate

ONE = {**QUICK, "epochs": 1}


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    """A manifest of three folds, two images to a person, and its cross-validation."""
    from tests.zoo.conftest import write_shapes

    rows = []
    for i, row in enumerate(shape_rows()):
        person = i // 2
        rows.append({**row, "split": None, "fold": person % 3, "group": person, "subject": f"S{person}"})
    place = tmp_path_factory.mktemp("folds")
    path = write_shapes(place / "folds.parquet", rows)
    return path, cross_validate(path, place / "cv", plots=("svg",), **ONE)


def test_every_row_is_tested_once(folded):
    done = folded[1]
    kept = predictions.read(done.path / "predictions.parquet")
    assert len(kept) == len(set(kept.sample_id.tolist())) == 216 == done.report["n"]
    assert [row["n"] for row in done.report["folds"]] == [72, 72, 72]
    assert (kept.probabilities.argmax(1) == kept.true).mean() == pytest.approx(done.report["accuracy"])


def test_the_mean_is_over_folds_with_students_interval_and_the_pool_by_person(folded):
    report = folded[1].report
    mean, interval = confidence.student([row["macro_f1"] for row in report["folds"]])
    assert report["mean"]["macro_f1"] == {"mean": mean, "interval": interval}
    assert report["bootstrap"]["units"] == 108
    low, high = report["confidence_intervals"]["accuracy"]
    assert low <= report["accuracy"] <= high
    assert report["protocol"]["leak_check"]["test_in_train"] == 0


def test_each_fold_is_a_run_and_the_pictures_are_drawn(folded):
    done = folded[1]
    for fold in range(3):
        assert (done.path / f"fold-0{fold}" / "model.safetensors").is_file()
    for name in ("folds", "confusion", "classes"):
        assert (done.path / f"{name}.png").is_file()
        assert "<svg" in (done.path / f"{name}.svg").read_text()
    assert (done.path / "report.json").is_file()


def test_a_fold_that_was_lost_is_trained_again_and_the_others_are_kept(folded):
    path, done = folded
    before = {f: (done.path / f / "model.safetensors").stat().st_mtime_ns for f in ("fold-00", "fold-02")}
    shutil.rmtree(done.path / "fold-01")
    said = []
    again = cross_validate(path, done.path, **ONE, say=said.append)
    after = {f: (done.path / f / "model.safetensors").stat().st_mtime_ns for f in ("fold-00", "fold-02")}
    assert after == before
    assert sum(", kept: " in line for line in said) == 2
    # Same seed, same CPU: the same net.
    np.testing.assert_allclose(again.report["log_loss"], done.report["log_loss"], rtol=1e-6)


def test_a_fold_cut_short_goes_on(folded):
    path, done = folded
    for name in ("report.json", "predictions.parquet"):
        (done.path / "fold-02" / name).unlink()
    said = []
    again = cross_validate(path, done.path, **ONE, say=said.append)
    assert any("fold-02: training" in line for line in said)
    assert again.report["n"] == 216


def test_folds_of_other_options_or_other_rows_are_refused_by_name(folded):
    path, done = folded
    with pytest.raises(AlreadyExists, match=r"lr \(was None, now 0.01\)"):
        cross_validate(path, done.path, **ONE, lr=0.01)
    with pytest.raises(AlreadyExists, match=r"mixup \(was 0.0, now 0.2\)"):
        cross_validate(path, done.path, options=["mixup=0.2"], **ONE)


def test_a_manifest_without_folds_is_refused_with_the_way_to_make_them(manifest_path, tmp_path):
    with pytest.raises(BadOption, match="0 folds") as refused:
        cross_validate(manifest_path, tmp_path / "cv", **ONE)
    assert "ferdata split" in refused.value.hint


def test_a_dry_run_trains_nothing(folded, tmp_path):
    cross_validate(folded[0], tmp_path / "cv", dry_run=True, **ONE)
    assert not (tmp_path / "cv").exists()


def test_two_cross_validations_are_compared_over_all_rows(folded, tmp_path):
    path, done = folded
    other = cross_validate(path, tmp_path / "cv", **{**ONE, "augment": "none"})
    told = compare([done.path, other.path])
    assert (told["n"], told["units"]) == (216, 108)
    for run, cv in zip(told["runs"], (done, other), strict=True):  # of one epoch, which may have learnt too little
        assert run["marks"] == (
            ["not shown to be better than the majority-class baseline"] if cv.report["caution"] else []
        )


def test_the_command_trains_all_folds_and_prints_each_and_their_mean(folded, ferdata):
    path, done = folded
    options = [word for key, value in ONE.items() for word in (f"--{key}", value)]
    ran = ferdata("train", "--manifest", path, "-o", done.path, "--folds", "all", *options)
    assert ran.code == 0, ran
    for words in ("fold 2 (3 of 3), kept", "By fold", "Mean over 3 folds", "All folds pooled, 216 images"):
        assert words in ran.out, words
    assert ferdata("train", "--manifest", path, "--folds", "all", "--fold", 1).code == 2
