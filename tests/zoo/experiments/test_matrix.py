import json
import shutil

import numpy as np
import pytest

from ferdata.errors import AlreadyExists, BadOption, BrokenRun, Leak
from ferdata.manifest import Manifest
from tests.zoo.conftest import SHAPES, shape, write_shapes
from zoo.evaluation.evaluate import evaluate
from zoo.experiments import matrix_scores
from zoo.experiments.matrix import matrix
from zoo.experiments.matrix_plan import crops, plan, sums
from zoo.options.options import TrainConfig
from zoo.training import resolve

SET = ("batch=16", "device=cpu", "augment=none", "tta=none")
IMAGES = 576  # six epochs of a set's train
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
    return matrix(three, out, seeds=1, images=IMAGES, options=SET)


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
    assert {first["one"], first["two"]} <= {"one", "two"}


def test_a_cell_says_what_it_is_of_and_how_sure_it_is(made):
    told = json.loads((made.path / "matrix.json").read_text())
    cell = next(cell for cell in told["cells"] if (cell["train"], cell["test"]) == ("one", "two"))
    assert (cell["classes"], cell["n"], cell["seeds"], cell["home"]) == (list(SHAPES), 40, 1, False)
    assert cell["interval"][0] <= cell["accuracy"] <= cell["interval"][1]
    assert cell["macro_f1"] > 0.7
    assert told["answer"] == made.report["answer"]
    assert "For faces like odd's, odd itself does best:" in told["answer"]
    assert "| two | 96 |" in (made.path / "matrix.md").read_text()
    assert (made.path / "matrix.png").read_bytes()[:4] == b"\x89PNG"
    assert b"<svg" in (made.path / "matrix.svg").read_bytes()


def test_home_is_the_test_of_training_and_abroad_what_evaluate_says(made, three):
    cells, run = cells_of(made), made.path / "runs" / "one" / "seed-0"
    own = json.loads((run / "report.json").read_text())
    assert cells["one", "one"]["runs"][0]["accuracy"] == pytest.approx(own["accuracy"])
    there = evaluate(run, three, dataset="two", bootstrap=10)
    assert cells["one", "two"]["runs"][0]["accuracy"] == pytest.approx(there["accuracy"])


def test_the_same_call_trains_and_scores_nothing_again(made, three, monkeypatch):
    monkeypatch.setattr(matrix_scores, "score", None)  # whoever calls it fails
    said = []
    again = matrix(three, made.path, seeds=1, images=IMAGES, options=SET, say=said.append)
    assert sum(", kept: " in line for line in said) == 3
    assert again.report == made.report


def test_a_run_that_was_lost_or_never_scored_is_made_up_for(made, three, tmp_path):
    out = shutil.copytree(made.path, tmp_path / "m")
    shutil.rmtree(out / "runs" / "odd" / "seed-0")
    (out / "runs" / "one" / "seed-0" / matrix_scores.FOREIGN).write_bytes(b"cut short")
    said = []
    again = matrix(three, out, seeds=1, images=IMAGES, options=SET, say=said.append)
    assert sum(", kept: " in line for line in said) == 2
    assert again.report["cells"] == made.report["cells"]


def test_a_run_that_is_there_is_a_further_row_scored_as_evaluate_does_and_nothing_is_trained(
    made, three, tmp_path, monkeypatch
):
    out = shutil.copytree(made.path, tmp_path / "m")
    peer = shutil.copytree(made.path / "runs" / "one" / "seed-0", tmp_path / "peer")
    monkeypatch.setattr(matrix_scores, "score", None)  # whoever trains or scores the matrix's own runs fails
    again = matrix(three, out, seeds=1, images=IMAGES, options=SET, also=[peer])
    cells = cells_of(again)
    for test in ("one", "two", "odd"):
        assert cells["peer", test]["accuracy"] == cells["one", test]["accuracy"]
        assert not cells["peer", test]["home"]
    assert [cell for cell in again.report["cells"] if cell["train"] != "peer"] == made.report["cells"]
    assert again.report["rows"][:-1] == made.report["rows"]
    assert again.report["rows"][-1]["elsewhere"]
    assert all(row["train"] != "peer" for column in again.report["tests"] for row in column["rows"])
    assert "peer, trained elsewhere, reaches " in again.report["answer"]


def test_a_run_that_is_not_there_or_is_named_twice_is_refused_before_anything_is_trained(made, three, tmp_path):
    peer = made.path / "runs" / "one" / "seed-0"
    with pytest.raises(BrokenRun, match="nowhere is not a folder"):
        matrix(three, tmp_path / "m", images=IMAGES, options=SET, also=[tmp_path / "nowhere"])
    with pytest.raises(BadOption, match="is given twice"):
        matrix(three, tmp_path / "m", images=IMAGES, options=SET, also=[peer, peer])
    assert not (tmp_path / "m").exists()


def test_another_manifest_in_the_same_folder_is_refused(made, tmp_path):
    rows = [*rows_of("one", 0), *rows_of("two", 5000)]
    with pytest.raises(AlreadyExists, match="has runs on other rows"):
        matrix(write_shapes(tmp_path / "other.parquet", rows), made.path, images=IMAGES, options=SET)


@pytest.mark.slow
def test_the_budget_becomes_the_images_that_the_largest_set_manages_and_stays_so(shapes, tmp_path, monkeypatch):
    monkeypatch.setattr(resolve, "MOST_EPOCHS", 4)  # what ends a run here before its time
    small = {"train": 48, "val": 24, "test": 16}
    path = shapes([*rows_of("small", 0, many=small), *rows_of("large", 1000)], name="two")
    said, out = [], tmp_path / "m"
    asked = {"seeds": 1, "budget": 600.0, "options": ("batch=8", *SET[1:]), "say": said.append}

    def stop(line):
        said.append(line)
        if "small/seed-0: training" in "".join(said) and line.startswith("epoch   2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="1 of 2 trainings are finished"):
        matrix(path, out, **{**asked, "say": stop})
    said.clear()
    first = matrix(path, out, **asked)
    assert any("small/seed-0: going on from its last epoch" in line for line in said)
    assert (first.report["images"], first.report["paced_by"]) == (384, "large/seed-0")
    for name, epochs in (("small", 8), ("large", 4)):
        told = json.loads((out / "runs" / name / "seed-0" / "report.json").read_text())["training"]
        assert (told["images"], told["epochs"]) == (384, epochs)

    def told(line):
        said.append(line)
        if line.startswith("each run sees"):
            raise KeyboardInterrupt

    said.clear()
    with pytest.raises(KeyboardInterrupt):  # now the largest set is another, and the pace is that kept
        matrix(path, out, **{**asked, "say": told}, add=["all"])
    assert said[-2:] == ["3 rows x 1 seeds: 3 trainings, 2 tests", "each run sees 384 images"]


def planned(path, train=(), test=(), add=(), equal=None, leak=False, **options):
    return plan(Manifest(path), train, test, add, TrainConfig(**options), equal, leak)


def test_rows_are_single_sets_and_on_request_pairs_all_and_all_but_one(shapes):
    rows = [one for i, name in enumerate("abc") for one in rows_of(name, 1000 * i)]
    names = [row.name for row in planned(shapes(rows), add=["all", "pairs", "all-but-one", "b+a"]).rows]
    assert names == ["a", "b", "c", "all together", "a+b", "a+c", "b+c"]  # all but c is a+b, and stands there already


def test_classes_of_a_row_are_those_of_its_train_and_of_a_test_its_own(shapes):
    found = planned(shapes([*rows_of("all", 0), *rows_of("few", 1000, labels=SHAPES[:2])]))
    assert [set(row.classes) for row in found.rows] == [set(SHAPES), set(SHAPES[:2])]
    assert set(found.tests["few"]) == {"neutral", "happiness"}


def test_sets_of_one_size_are_compared_under_equal_images(shapes):
    path = shapes([*rows_of("a", 0), *rows_of("b", 1000, many={**MANY, "train": 64})])
    assert [row.images for row in planned(path, equal=48, add=["all"]).rows] == [48, 48, 48]
    with pytest.raises(BadOption, match=r"fewer than --equal-images 80") as refused:
        planned(path, train=["b"], equal=80)
    assert "--equal-images 64 or fewer" in refused.value.hint


def test_a_test_that_leaks_into_another_sets_train_is_refused_by_name(shapes):
    rows = [*rows_of("a", 0), *rows_of("b", 1000)]
    stolen = next(row for row in rows if row["dataset"] == "b" and row["split"] == "test")
    rows[0] |= {"shape": stolen["shape"], "native_label": stolen["native_label"]}
    named = Manifest(path := shapes(rows)).table("sample_id")["sample_id"].to_pylist()[rows.index(stolen)]
    with pytest.raises(Leak, match=r"1 of b in that of a \(") as refused:
        planned(path)
    assert named in str(refused.value)
    found = planned(path, leak=True)
    assert found.leaks == {("a", "b"): 1}
    assert any("1 test images of b have duplicates in a's train: allowed" in note for note in found.notes)


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


def test_a_set_that_cannot_be_trained_on_is_tested_on_and_that_is_said(shapes):
    rows = [*rows_of("a", 0), *rows_of("b", 1000), *rows_of("photos", 2000, many={"test": 20})]
    found = planned(shapes(rows))
    assert [row.name for row in found.rows] == ["a", "b"]
    assert list(found.tests) == ["a", "b", "photos"]
    assert any(note.startswith("photos is only tested on") for note in found.notes)


def test_grey_against_colour_and_crops_as_published_are_told(shapes):
    coloured = [
        {**row, "pixels": np.repeat(shape(*row.pop("shape"))[..., None] // 2, 3, 2) + np.array([0, 1, 2], np.uint8)}
        for row in rows_of("b", 1000)
    ]
    path = shapes([*rows_of("a", 0), *coloured])
    assert "a: grey; b: colour; --channels 1 evens that" in planned(path).notes
    assert "a: grey; b: colour; evened by --channels 1" in planned(path, channels=1).notes
    assert any(note.startswith("crops are as published") for note in planned(path).notes)


def test_crops_that_differ_between_sets_are_warned_of():
    aim = {"size": 112, "detector": "yunet"}
    assert crops({"a": aim, "b": aim}) == []
    assert "crops differ (a: cut by ferdata align; b: as published)" in crops({"a": aim, "b": None})[0]
    assert crops({"a": aim, "b": {**aim, "size": 96}})[0].startswith("crops differ")


def test_labels_in_doubt_and_balance_are_counted_from_train_alone(shapes):
    sure, torn = [10, 0, 0, 0, 0, 0, 0, 0, 0, 0], [4, 3, 3, 0, 0, 0, 0, 0, 0, 0]
    rows = [*rows_of("a", 0), *rows_of("b", 1000)]
    for i, row in enumerate(rows[:96]):
        row["votes"] = torn if i < 24 else sure
    found = planned(shapes(rows)).facts
    assert found["b"].doubted is None
    assert found["b"].classes == dict.fromkeys(("neutral", "happiness", "surprise", "anger"), 24)
    assert found["b"].imbalance == 1


def test_datasets_with_a_plus_in_their_name_can_be_added():
    assert sums("ck++fer+", ["ck+", "fer+"]) == ["ck+", "fer+"]


def test_the_command_prints_the_table_and_the_answer(made, three, ferdata):
    options = [word for pair in SET for word in ("--set", pair)]
    asked = ("--seeds", 1, "--images", IMAGES, "-o", made.path, "--plots", "pdf")
    ran = ferdata("matrix", "--manifest", three, *asked, *options)
    assert ran.code == 0, ran
    assert "3 trainings" in ran.out
    assert ran.out.splitlines()[-1] == made.report["answer"].splitlines()[-1]
    assert (made.path / "matrix.pdf").read_bytes()[:4] == b"%PDF"
