import json
import shutil

import numpy as np
import pytest

from ferdata.errors import AlreadyExists, BadOption, Leak
from ferdata.manifest import Manifest
from tests.zoo.conftest import SHAPES, shape, write_shapes
from zoo.evaluation import predictions
from zoo.evaluation.evaluate import evaluate
from zoo.experiments import matrix_scores
from zoo.experiments.matrix import matrix
from zoo.experiments.matrix_plan import sums

SET = ("batch=16", "device=cpu", "augment=none", "tta=none")
MANY = {"train": 96, "val": 24, "test": 40}
TURNED = dict(zip(SHAPES, SHAPES[1:] + SHAPES[:1], strict=True))  # what the inverted set calls each shape


def rows_of(dataset, seed, labels=SHAPES, drawn=None, many=MANY):
    """Rows of one dataset; `drawn` says which shape stands for a label, where it is not its own."""
    rows = []
    for split, size in many.items():
        for i in range(size):
            label, number = labels[i % len(labels)], seed + len(rows)
            picture = (drawn or {}).get(label, label)
            rows.append(
                {"dataset": dataset, "native_label": label, "split": split, "group": number, "shape": (picture, number)}
            )
    return rows


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Two datasets drawn alike, and one whose labels mean other shapes."""
    rows = [*rows_of("one", 0), *rows_of("two", 1000), *rows_of("odd", 2000, drawn=TURNED)]
    return write_shapes(tmp_path_factory.mktemp("three") / "three.parquet", rows)


@pytest.fixture(scope="module")
def made(three, tmp_path_factory):
    out = tmp_path_factory.mktemp("matrix") / "m"
    return matrix(three, out, add=["one+two"], seeds=3, images=960, options=SET)


def cells_of(made):
    return {(cell["train"], cell["test"]): cell for cell in made.report["cells"]}


def test_sets_that_are_alike_do_well_on_one_another_and_an_inverted_one_does_not(made):
    cells = cells_of(made)
    assert cells["one", "two"]["accuracy"] > 0.8
    assert cells["two", "one"]["accuracy"] > 0.8
    assert cells["odd", "odd"]["accuracy"] > 0.8
    assert max(cells[pair]["accuracy"] for pair in (("one", "odd"), ("two", "odd"), ("odd", "one"))) < 0.2
    rows = {row["train"]: row for row in made.report["rows"]}
    assert rows["one"]["abroad_tests"] == ["two", "odd"]
    assert rows["one"]["abroad"]["mean"] == pytest.approx(
        (cells["one", "two"]["accuracy"] + cells["one", "odd"]["accuracy"]) / 2
    )
    assert rows["odd"]["abroad"]["mean"] < rows["two"]["abroad"]["mean"]
    first = {column["test"]: column["rows"][0]["train"] for column in made.report["tests"]}
    assert first["odd"] == "odd"
    assert {first["one"], first["two"]} <= {"one", "two", "one+two"}


def test_a_cell_says_what_it_is_of_and_how_sure_it_is(made):
    told = json.loads((made.path / "matrix.json").read_text())
    cell = next(cell for cell in told["cells"] if (cell["train"], cell["test"]) == ("one", "two"))
    assert (cell["classes"], cell["n"], cell["seeds"], cell["home"]) == (list(SHAPES), 40, 3, False)
    assert cell["interval"][0] <= cell["accuracy"] <= cell["interval"][1]
    assert cell["macro_f1"] > 0.7
    assert told["answer"] == made.report["answer"]
    assert "For faces like odd's, train on odd itself:" in told["answer"]
    assert "is better there than every other" in told["answer"]
    text = (made.path / "matrix.md").read_text()
    assert "| one+two | 192 |" in text
    assert (made.path / "matrix.png").read_bytes()[:4] == b"\x89PNG"
    assert b"<svg" in (made.path / "matrix.svg").read_bytes()


def test_home_is_the_test_of_training_and_abroad_what_evaluate_says(made, three):
    cells, run = cells_of(made), made.path / "runs" / "one" / "seed-0"
    own = json.loads((run / "report.json").read_text())
    assert cells["one", "one"]["runs"][0]["accuracy"] == pytest.approx(own["accuracy"])
    there = evaluate(run, three, dataset="two", bootstrap=10)
    assert cells["one", "two"]["runs"][0]["accuracy"] == pytest.approx(there["accuracy"])


def test_every_run_sees_as_many_images_whatever_it_learns_from(made):
    for row, size in (("one", 96), ("one+two", 192)):
        told = json.loads((made.path / "runs" / row / "seed-0" / "report.json").read_text())["training"]
        assert (told["images"], told["n_train"]) == (960, size)


def test_the_same_call_trains_and_scores_nothing_again(made, three, monkeypatch):
    monkeypatch.setattr(matrix_scores, "score", None)  # whoever calls it fails
    said = []
    again = matrix(three, made.path, add=["one+two"], seeds=3, images=960, options=SET, say=said.append)
    assert sum(", kept: " in line for line in said) == 12
    assert again.report == made.report


def test_a_run_that_was_lost_or_never_scored_is_made_up_for(made, three, tmp_path):
    out = shutil.copytree(made.path, tmp_path / "m")
    shutil.rmtree(out / "runs" / "odd" / "seed-1")
    (out / "runs" / "one" / "seed-0" / matrix_scores.FOREIGN).write_bytes(b"cut short")
    said = []
    again = matrix(three, out, add=["one+two"], seeds=3, images=960, options=SET, say=said.append)
    assert sum(", kept: " in line for line in said) == 11
    assert cells_of(again)["odd", "one"]["accuracy"] == cells_of(made)["odd", "one"]["accuracy"]
    assert again.report["answer"] == made.report["answer"]


def test_another_manifest_in_the_same_folder_is_refused(made, tmp_path):
    rows = [*rows_of("one", 0), *rows_of("two", 5000)]
    with pytest.raises(AlreadyExists, match="has runs on other rows"):
        matrix(write_shapes(tmp_path / "other.parquet", rows), made.path, images=960, options=SET)


def test_what_adding_gains_is_told_for_each_test_with_its_p(made):
    gains = {(one["over"], one["test"]): one for one in made.report["gains"]}
    assert set(gains) == {(alone, test) for alone in ("one", "two") for test in ("one", "two", "odd")}
    assert all(one["p"] <= one["p_corrected"] <= 1 for one in gains.values())
    assert "one+two in place of one alone" in made.report["answer"]


def test_the_budget_becomes_the_images_that_the_largest_set_manages(shapes, tmp_path):
    small = {"train": 48, "val": 24, "test": 16}
    path = shapes([*rows_of("small", 0, many=small), *rows_of("large", 1000)], name="two")
    said = []
    asked = {"seeds": 1, "budget": 25.0, "options": (*SET, "schedule=constant"), "say": said.append}
    first = matrix(path, tmp_path / "m", **asked)
    seen = first.report["images"]
    assert first.report["paced_by"] == "large/seed-0"
    small_run = json.loads((tmp_path / "m" / "runs" / "small" / "seed-0" / "report.json").read_text())
    assert 0 <= small_run["training"]["images"] - seen < 16  # whole batches
    said.clear()
    again = matrix(path, tmp_path / "m", **asked, add=["all"])  # now the largest set is another
    assert (again.report["images"], again.report["paced_by"]) == (seen, "large/seed-0")
    assert sum(", kept: " in line for line in said) == 2


def test_classes_of_a_cell_are_those_that_both_have(shapes, tmp_path):
    path = shapes([*rows_of("all", 0), *rows_of("few", 1000, labels=SHAPES[:2])], name="two")
    cells = cells_of(matrix(path, tmp_path / "m", seeds=1, images=96, options=SET))
    assert (cells["few", "all"]["classes"], cells["few", "all"]["n"]) == (["neutral", "happiness"], 20)
    assert (cells["all", "few"]["classes"], cells["all", "few"]["n"]) == (["neutral", "happiness"], 40)
    run = predictions.read(tmp_path / "m" / "runs" / "all" / "seed-0" / matrix_scores.FOREIGN)
    places = [run.classes.index(name) for name in ("neutral", "happiness")]
    right = np.array(places)[run.probabilities[:, places].argmax(1)] == run.true
    assert cells["all", "few"]["accuracy"] == pytest.approx(right.mean())


def test_sets_of_one_size_are_compared_under_equal_images(shapes, tmp_path):
    path = shapes([*rows_of("a", 0), *rows_of("b", 1000, many={**MANY, "train": 64})], name="two")
    made = matrix(path, tmp_path / "m", seeds=1, images=64, equal_images=48, options=SET)
    assert [row["images"] for row in made.report["rows"]] == [48, 48]
    with pytest.raises(BadOption, match=r"fewer than --equal-images 80") as refused:
        matrix(path, tmp_path / "n", train=["b"], seeds=1, images=64, equal_images=80, options=SET)
    assert "--equal-images 64 or fewer" in refused.value.hint


def test_a_test_that_leaks_into_another_sets_train_is_refused_by_name(shapes, tmp_path):
    rows = [*rows_of("a", 0), *rows_of("b", 1000)]
    stolen = next(row for row in rows if row["dataset"] == "b" and row["split"] == "test")
    rows[0] |= {"shape": stolen["shape"], "native_label": stolen["native_label"]}
    path = shapes(rows, name="leaky")
    with pytest.raises(Leak, match=r"1 of b in that of a \(") as refused:
        matrix(path, tmp_path / "m", seeds=1, images=96, options=SET)
    named = Manifest(path).table("sample_id")["sample_id"].to_pylist()[rows.index(stolen)]
    assert named in str(refused.value)
    made = matrix(path, tmp_path / "m", seeds=1, images=96, options=SET, allow_leak=True)
    assert cells_of(made)["a", "b"]["leak"] == 1
    assert "settle nothing" in made.report["answer"]


@pytest.mark.parametrize(
    ("rows", "asked", "why"),
    [
        (rows_of("a", 0), {}, "has one dataset"),
        ([*rows_of("a", 0), *rows_of("b", 1000)], {"train": ["c"]}, "has no dataset c"),
        ([*rows_of("a", 0), *rows_of("b", 1000)], {"add": ["a+a"]}, r"--add cannot be a\+a"),
        ([*rows_of("a", 0), *rows_of("b", 1000)], {"options": ("time_limit=9",)}, "set by matrix itself"),
        ([*rows_of("a", 0), *rows_of("b", 1000)], {"train": ["a"], "test": ["a"]}, "No net of a can be tested on"),
        (
            [*rows_of("a", 0, labels=SHAPES[:2]), *rows_of("b", 1000, labels=SHAPES[2:])],
            {},
            "No net of a, b can be tested on another dataset",
        ),
        (
            [*rows_of("a", 0), *rows_of("b", 1000, many={"train": 40, "val": 20})],
            {"test": ["a", "b"]},
            "b of .* has no labelled test image",
        ),
        (
            [*rows_of("a", 0), *rows_of("b", 1000, many={**MANY, "val": 8})],
            {"train": ["b"]},
            "b cannot be trained on. Val has 8 images",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(shapes, tmp_path, rows, asked, why):
    with pytest.raises(BadOption, match=why):
        matrix(shapes(rows, name="m"), tmp_path / "m", **{"options": SET, **asked})
    assert not (tmp_path / "m").exists()


def test_a_set_that_cannot_be_trained_on_is_tested_on_and_that_is_said(shapes, tmp_path):
    rows = [*rows_of("a", 0), *rows_of("b", 1000), *rows_of("photos", 2000, many={"test": 20})]
    made = matrix(shapes(rows, name="m"), tmp_path / "m", seeds=1, images=96, options=SET)
    assert [row["train"] for row in made.report["rows"]] == ["a", "b"]
    assert ("a", "photos") in cells_of(made)
    assert any(note.startswith("photos is only tested on") for note in made.report["notes"])


def test_grey_against_colour_and_crops_as_published_are_told(shapes, tmp_path):
    coloured = [
        {**row, "pixels": np.repeat(shape(*row.pop("shape"))[..., None], 3, 2) + np.array([0, 1, 2], np.uint8)}
        for row in rows_of("b", 1000)
    ]
    path = shapes([*rows_of("a", 0), *coloured], name="m")
    made = matrix(path, tmp_path / "m", seeds=1, images=96, options=SET, channels=1)
    assert any("a: grey; b: colour; evened by --channels 1" in note for note in made.report["notes"])
    assert any(note.startswith("crops are as published") for note in made.report["notes"])


def test_datasets_with_a_plus_in_their_name_can_be_added():
    assert sums("ck++fer+", ["ck+", "fer+"]) == ["ck+", "fer+"]


def test_the_command_prints_the_table_and_the_answer(made, three, ferdata):
    options = [word for pair in SET for word in ("--set", pair)]
    asked = ("--add", "one+two", "--images", 960, "-o", made.path, "--plots", "pdf")
    ran = ferdata("matrix", "--manifest", three, *asked, *options)
    assert ran.code == 0, ran
    assert "12 trainings" in ran.out
    assert ran.out.splitlines()[-1] == made.report["answer"].splitlines()[-1]
    assert (made.path / "matrix.pdf").read_bytes()[:4] == b"%PDF"
