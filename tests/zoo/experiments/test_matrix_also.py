"""Runs that are there already as rows of a matrix: scored as `evaluate` does, and marked where they leak."""

import pytest

from ferdata.manifest import Manifest
from tests.zoo.conftest import SHAPES, shape_rows, write_shapes
from tests.zoo.evaluation.league.conftest import THREE, bright
from tests.zoo.untaught import untaught
from zoo.deploy.adopt import adopt
from zoo.evaluation.evaluate import evaluate
from zoo.experiments.matrix_also import also, beside

TURNED = {"train": "test", "test": "train", "val": "val"}


def two(path, turned=()):
    """Two datasets of other pictures; of those that are `turned` test and train have changed places."""
    rows = []
    for number, name in enumerate(("one", "two")):
        for row in shape_rows(dataset=name):
            label, seed = row["shape"]
            split = TURNED[row["split"]] if name in turned else row["split"]
            place = {"group": 1000 * number + seed, "shape": (label, 1000 * number + seed), "split": split}
            rows.append({**row, **place})
    return write_shapes(path, rows)


@pytest.mark.filterwarnings("ignore:.*may be read wrongly")  # it is: nobody taught it
def test_a_run_is_scored_on_each_test_as_evaluate_does_and_what_it_lacks_is_no_class_of_its_row(tmp_path):
    path = two(tmp_path / "two.parquet")
    run = adopt(bright(tmp_path / "bright.onnx"), tmp_path / "bright", classes=THREE, pixels=(0, 1)).out
    found = also([run], Manifest(path), ["one", "two"], [], "cpu", None)
    (row,) = found.rows
    assert (row.name, row.datasets, row.classes) == ("bright", (), THREE)
    for test in ("one", "two"):
        rows = found.answers["bright"][test]
        alone = evaluate(run, path, dataset=test, bootstrap=10, device="cpu")
        assert (rows.probabilities.argmax(1) == rows.true).mean() == pytest.approx(alone["accuracy"])
        assert list(rows.sample_id) == sorted(rows.sample_id)
        assert set(rows.dataset) == {test}
    assert (found.leaks, found.unknown) == ({}, ("bright",))


def test_a_run_of_ours_is_marked_on_the_test_that_it_has_learnt_from(tmp_path):
    run = untaught(tmp_path / "run", two(tmp_path / "two.parquet"), size=32)
    other = Manifest(two(tmp_path / "turned.parquet", turned=("two",)))
    found = also([run], other, ["one", "two"], [], "cpu", None)
    assert found.leaks == {("run", "two"): 128}
    assert found.unknown == ()
    assert set(SHAPES) < set(found.rows[0].classes)


def test_a_row_has_a_name_of_its_own(tmp_path):
    path = two(tmp_path / "two.parquet")
    runs = [untaught(tmp_path / place, path, size=32) for place in ("a/net", "b/net", "one")]
    found = also(runs, Manifest(path), ["one"], ["one", "two"], "cpu", None)
    assert [row.name for row in found.rows] == [str(run) for run in runs]
    assert [row.name for row in also(runs[:1], Manifest(path), ["one"], ["two"], "cpu", None).rows] == ["net"]


def test_the_best_row_and_a_run_are_compared_on_the_same_images(tmp_path):
    path = two(tmp_path / "two.parquet")
    run = untaught(tmp_path / "run", path, size=32)
    rows = also([run], Manifest(path), ["one"], [], "cpu", None).answers["run"]["one"]
    assert beside([rows, rows], rows) == {"difference": 0.0, "over_images": None}
