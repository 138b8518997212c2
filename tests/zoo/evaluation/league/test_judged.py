"""Every run is judged on the same rows as `evaluate` judges it, and by the classes of that manifest."""

import numpy as np
import pytest

from ferdata.errors import BadOption, BrokenRun
from ferdata.labels import taxonomy
from tests.zoo.conftest import shape_rows, write_shapes
from tests.zoo.untaught import untaught
from zoo.evaluation import predictions
from zoo.evaluation.compare import compare
from zoo.evaluation.evaluate import evaluate
from zoo.evaluation.metrics import calibration_error, log_loss

CONFIG = {"targets": "crossentropy", "select": "accuracy"}


def run_of(made, path):
    return next(run for run in made["runs"] if run["run"] == str(path))


@pytest.mark.filterwarnings("ignore:.*may be read wrongly")  # it is: nobody taught it
def test_a_run_has_the_figures_that_evaluate_gives_it_to_the_digit(league, trained, adopted, manifest_path):
    made, _ = league
    for path in (trained.path, adopted):
        alone, run = evaluate(path, manifest_path, bootstrap=200, device="cpu"), run_of(made, path)
        for name in ("accuracy", "macro_f1", "balanced_accuracy", "ece", "log_loss", "per_class", "confusion", "n"):
            assert run[name] == alone[name], name
        assert run["intervals"]["accuracy"] == alone["confidence_intervals"]["accuracy"]
        assert run["intervals"]["ece"] == alone["calibration"]["intervals"]["ece"]


def test_the_best_comes_first_and_the_difference_is_tested(league, trained, adopted):
    made, _ = league
    assert [run["run"] for run in made["runs"]] == [str(trained.path), str(adopted)]
    (pair,) = made["pairs"]
    assert (pair["a"], pair["b"], pair["test"]) == (str(trained.path), str(adopted), "McNemar, exact")
    assert pair["difference"] == pytest.approx(made["runs"][1]["accuracy"] - made["runs"][0]["accuracy"])
    assert pair["real"]
    assert made["answer"].startswith("Yes: ")


@pytest.fixture
def eight(tmp_path):
    """A run of ours under basic8, and what it says of the test rows of a manifest under the same classes."""
    run = untaught(tmp_path / "eight", size=32, config=CONFIG)
    path = write_shapes(tmp_path / "eight.parquet", shape_rows())
    evaluate(run, path, save_predictions=tmp_path / "p.parquet", bootstrap=10, device="cpu")
    return run, predictions.read(tmp_path / "p.parquet")


def test_a_run_keeps_its_own_temperature_and_views(eight, tmp_path):
    run, alone = eight
    made = compare([run], on=tmp_path / "eight.parquet", bootstrap=10, device="cpu")["runs"][0]
    assert alone.facts["temperature"] == 1.3
    assert made["ece"] == pytest.approx(calibration_error(alone.probabilities, alone.true))
    assert made["log_loss"] == pytest.approx(log_loss(alone.probabilities, alone.true))
    assert made["views"] == 2  # the face and its mirror image


def test_a_run_of_ours_with_finer_classes_has_them_added_up(eight, tmp_path):
    run, fine = eight
    few = taxonomy("valence3")  # no class for surprise, and one for what basic8 calls anger, sadness, ...
    path = write_shapes(tmp_path / "three.parquet", shape_rows(), "valence3")
    with pytest.raises(BrokenRun, match="The model's classes are"):
        evaluate(run, path, device="cpu")  # alone it is refused, and in a league it is told how it was read
    made = compare([run], on=path, bootstrap=10, device="cpu")
    summed = np.zeros((len(fine), 3))
    for column, emotion in enumerate(fine.classes):
        if emotion in few.mapping:
            summed[:, few.classes.index(few.mapping[emotion])] += fine.probabilities[:, column]
    true = [few.mapping.get(fine.classes[c]) for c in fine.true]
    right = [few.classes[best] == name for best, name in zip(summed.argmax(1), true, strict=True) if name]
    assert made["n"] == len(right) == 36
    assert made["runs"][0]["accuracy"] == pytest.approx(np.mean(right))
    marks = made["runs"][0]["marks"]
    assert any("anger as negative, disgust as negative" in mark for mark in marks)
    assert any(mark.startswith("surprise (") and "no class here" in mark for mark in marks)
    assert made["answer"] == ""  # one run is compared with none


def test_classes_in_another_order_are_the_same_classes(eight, tmp_path):
    run, fine = eight
    turned = tmp_path / "turned.toml"
    names = tuple(reversed(fine.classes))
    lines = "".join(f'{name} = "{name}"\n' for name in names)
    turned.write_text(f"name = 'turned'\nclasses = {list(names)}\n[mapping]\n{lines}")
    path = write_shapes(tmp_path / "turned.parquet", shape_rows(), str(turned))
    made = compare([run], on=path, bootstrap=10, device="cpu")["runs"][0]
    assert made["accuracy"] == pytest.approx(float((fine.probabilities.argmax(1) == fine.true).mean()))
    assert made["never_answered"] == {}


def test_a_class_of_ours_that_is_several_here_is_refused_since_leaving_it_out_would_flatter(tmp_path):
    three = taxonomy("valence3")
    run = untaught(tmp_path / "three", size=32, config=CONFIG, classes=three.classes, taxonomy=three.as_dict())
    path = write_shapes(tmp_path / "eight.parquet", shape_rows())
    with pytest.raises(BadOption, match=r"three answers negative for what is .*anger") as refused:
        compare([run], on=path, device="cpu")
    assert "ferdata merge M --taxonomy valence3" in refused.value.hint


def test_a_run_that_has_learnt_from_these_images_is_marked_and_of_an_adopted_one_it_is_not_known(
    trained, adopted, tmp_path
):
    rows = shape_rows()
    turned = {"train": "test", "test": "train", "val": "val"}
    path = write_shapes(tmp_path / "turned.parquet", [{**row, "split": turned[row["split"]]} for row in rows])
    made = compare([adopted, trained.path], on=path, bootstrap=10, device="cpu")
    ours, theirs = run_of(made, trained.path), run_of(made, adopted)
    assert "LEAK: 128 of the 128 images, or copies of them, are in its train" in ours["marks"]
    assert any("not known, so that a leak cannot be excluded" in mark for mark in theirs["marks"])
    assert not any("LEAK" in mark for mark in theirs["marks"])
    assert made["answer"].endswith(f"But the test of {trained.path} leaked, so that this settles nothing.")


def test_a_table_stands_in_a_league_too_and_the_rows_that_it_lacks_are_asked_about(trained, manifest_path, tmp_path):
    kept = predictions.read(trained.path / "predictions.parquet")
    test = kept.at(np.flatnonzero(kept.split == "test"))
    predictions.save(tmp_path / "whole.parquet", test)
    predictions.save(tmp_path / "part.parquet", test.at(np.arange(40)[::-1]))
    asked = {"on": manifest_path, "bootstrap": 10, "device": "cpu"}
    made = compare([trained.path, tmp_path / "whole.parquet"], **asked)
    assert made["runs"][0]["accuracy"] == made["runs"][1]["accuracy"]
    assert made["pairs"][0]["interval"] is None
    table = run_of(made, tmp_path / "whole.parquet")
    assert (table["speed"], table["parameters"], table["bytes"], table["terms"]) == (None, None, None, "not known")
    with pytest.raises(BadOption, match="lacks 8 of the 48 rows"):
        compare([trained.path, tmp_path / "part.parquet"], **asked)
    made = compare([trained.path, tmp_path / "part.parquet"], **asked, shared=True)
    assert made["n"] == 40
    assert made["runs"][0]["accuracy"] == made["runs"][1]["accuracy"]


def test_what_cannot_be_judged_is_refused_by_name(trained, manifest_path, tmp_path):
    with pytest.raises(BrokenRun, match="nowhere is not a folder"):
        compare([tmp_path / "nowhere"], on=manifest_path)
    with pytest.raises(BadOption, match="A league cannot be written to"):
        compare([trained.path], on=manifest_path, out=["league.docx"])
    with pytest.raises(BadOption, match="--out is for a league"):
        compare([trained.path, trained.path], out=["league.md"])
    with pytest.raises(BadOption, match="--dataset made: of stored predictions all are compared"):
        compare([trained.path, trained.path], dataset="made")
    none = write_shapes(tmp_path / "none.parquet", [row for row in shape_rows() if row["split"] != "test"])
    with pytest.raises(BadOption, match="no labelled row in test"):
        compare([trained.path], on=none)
