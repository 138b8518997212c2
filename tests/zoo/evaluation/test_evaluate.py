import json
import shutil

import numpy as np
import pytest

from ferdata.errors import AlreadyExists, BadOption, BrokenRun, NotAManifest
from tests.zoo.conftest import shape_rows
from tests.zoo.greedy import Greedy
from tests.zoo.untaught import untaught
from zoo.evaluation import predictions
from zoo.evaluation.evaluate import evaluate

FIGURES = (
    "n",
    "calibration",
    "voters",
    "by_dataset",
    "by_person",
    "sources",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "ece",
    "log_loss",
    "per_class",
    "confusion",
    "baseline",
)


def test_evaluating_again_repeats_the_training_report_to_the_last_digit(trained):
    again = evaluate(trained, device="cpu")
    assert {f: again[f] for f in FIGURES} == {f: trained.report[f] for f in FIGURES}
    assert again["confidence_intervals"] == trained.report["confidence_intervals"]
    assert again["protocol"]["same_manifest_as_training"]
    assert again["protocol"]["leak_check"]["shared_with_train"] == 0


def test_without_mirror_images_other_probabilities_come_out(trained):
    losses = {tta: evaluate(trained, tta=tta)["log_loss"] for tta in ("none", "flip", "ten-crop")}
    assert len(set(losses.values())) == 3
    with pytest.raises(BadOption, match="sideways"):
        evaluate(trained, tta="sideways")


def test_val_and_all_can_be_scored_and_what_was_trained_on_is_counted(trained):
    assert evaluate(trained, split="val")["n"] == 40
    everything = evaluate(trained, split="all")
    assert everything["n"] == 216
    assert everything["protocol"]["leak_check"]["shared_with_train"] == 128


def test_another_manifest_is_compared_by_its_pixels(trained, shapes):
    rows = [{**r, "split": None, "dataset": "other"} for r in shape_rows()[120:160]]
    report = evaluate(trained, shapes(rows, name="other"), split="all")
    assert report["n"] == 40
    assert not report["protocol"]["same_manifest_as_training"]
    assert report["protocol"]["leak_check"] == {"by": "pixels", "shared_with_train": 8}


def test_a_manifest_with_other_classes_is_refused(trained, shapes):
    with pytest.raises(BrokenRun, match="classes"):
        evaluate(trained, shapes(shape_rows(), taxonomy="basic7"))


def test_a_split_that_is_none_or_empty_is_refused(trained, shapes):
    with pytest.raises(BadOption, match="no split 'dev'"):
        evaluate(trained, split="dev")
    with pytest.raises(BadOption, match="--split all"):
        evaluate(trained, shapes([{**r, "split": None} for r in shape_rows()]))
    with pytest.raises(BadOption, match="no dataset"):
        evaluate(trained, dataset="nowhere")


def test_an_evaluation_is_written_only_if_asked_for_and_not_over_another(trained, tmp_path):
    out = trained.path / "evaluation-val.json"
    evaluate(trained, split="val")
    assert not out.exists()
    report = evaluate(trained, split="val", save=True)
    assert json.loads(out.read_text()) == report
    with pytest.raises(AlreadyExists):
        evaluate(trained, split="val", save=True)
    evaluate(trained, split="val", save=True, force=True)
    out.unlink()


def test_a_folder_that_is_no_run_or_a_manifest_that_is_gone_is_said(trained, tmp_path):
    with pytest.raises(BrokenRun):
        evaluate(tmp_path)
    with pytest.raises(NotAManifest):
        evaluate(trained, tmp_path / "gone.parquet")


def test_the_temperature_of_val_is_kept_with_the_weights_and_told_before_and_after(trained):
    told = evaluate(trained, split="val")["calibration"]
    assert told["temperature"] == trained.report["calibration"]["temperature"] > 0
    assert told["after"]["log_loss"] <= told["before"]["log_loss"]
    assert told["bins"] == 15


def test_predictions_of_val_and_test_are_kept_in_the_run(trained):
    kept = predictions.read(trained.path / "predictions.parquet")
    assert {split: int((kept.split == split).sum()) for split in ("train", "val", "test")} == {
        "train": 0,
        "val": 40,
        "test": 48,
    }
    test = kept.at(kept.split == "test")
    assert (test.probabilities.argmax(1) == test.true).mean() == trained.report["accuracy"]


def test_predictions_are_saved_where_asked_for_and_agree_with_those_of_training(trained, tmp_path):
    out = tmp_path / "test.parquet"
    evaluate(trained, save_predictions=out)
    ours, kept = predictions.read(out), predictions.read(trained.path / "predictions.parquet")
    np.testing.assert_allclose(ours.probabilities, kept.probabilities[kept.split == "test"], atol=1e-6)
    with pytest.raises(AlreadyExists):
        evaluate(trained, save_predictions=out)
    with pytest.raises(BadOption, match="cannot be"):
        evaluate(trained, save_predictions=tmp_path / "test.csv")


def test_predictions_never_replace_the_manifest(trained, shapes):
    other = shapes(shape_rows(), name="mine")
    before = other.read_bytes()
    with pytest.raises(AlreadyExists, match="never modified"):
        evaluate(trained, other, save_predictions=other, force=True)
    assert other.read_bytes() == before


def test_figures_by_person_have_support_and_intervals(trained, shapes):
    rows = [{**r, "gender": "female" if i % 4 else "male", "subject": f"S{i % 50}"} for i, r in enumerate(shape_rows())]
    rows = [{**row, "group": i % 50} for i, row in enumerate(rows)]
    report = evaluate(trained, shapes(rows), split="all", bootstrap=200)
    assert report["bootstrap"] == {
        "draws": 200,
        "unit": "groups of images (one person, clip or picture)",
        "units": 50,
    }
    assert list(report["by_person"]) == ["gender"]
    female, male = report["by_person"]["gender"]["female"], report["by_person"]["gender"]["male"]
    assert (female["n"], male["n"]) == (162, 54)
    assert not female["small"]
    low, high = female["intervals"]["accuracy"]
    assert low <= female["accuracy"] <= high


def test_where_annotators_voted_the_distance_to_them_is_told(trained, shapes):
    rows = [{**r, "votes": [2, 6, 0, 2, 0, 0, 0, 0, 0, 0]} for r in shape_rows()]
    report = evaluate(trained, shapes(rows), split="test", bootstrap=50)
    assert report["voters"]["n"] == 48
    assert 0 < report["voters"]["total_variation"] < 1
    assert trained.report["voters"] is None


def test_the_card_has_protocol_licences_use_caveats_and_each_class(trained):
    card = (trained.path / "card.md").read_text()
    for words in ("## Protocol", "## Intended use", "## Caveats", "## Data, licences, citations", "Made for a test"):
        assert words in card
    assert "| happiness | 12 (few) |" in card
    assert "No test image at all: sadness, disgust, fear, contempt" in card
    assert "The checkpoint is of epoch" in card


def test_the_command_prints_each_table_and_one_document(trained, ferdata):
    ran = ferdata("evaluate", trained.path, "--tta", "none", "--bootstrap", "100")
    assert ran.code == 0, ran
    for words in (
        "By class",
        "true class down, predicted across",
        "\nECE  ",
        "majority-class baseline",
        "top-2 accuracy",
        "macro AUC, one against rest",
        "none (-) where no image is of the class",
        "seen in training  0 of 48",
    ):
        assert words in ran.out, words
    assert json.loads(ferdata("evaluate", trained.path, "--json").out)["n"] == 48


def test_charts_are_drawn_in_the_formats_that_are_named_and_not_over_others(trained, ferdata, tmp_path):
    run = shutil.copytree(trained.path, tmp_path / "copied")
    ran = ferdata("evaluate", run, "--split", "val", "--plots", "svg", "--bootstrap", 50)
    assert ran.code == 0, ran
    there = {path.name for path in run.iterdir()} - {path.name for path in trained.path.iterdir()}
    assert there == {
        *(f"evaluation-val-{name}.svg" for name in ("confusion", "classes", "reliability", "roc")),
        "curves.svg",
    }
    assert all(str(run / name) in ran.out for name in there)
    with pytest.raises(AlreadyExists, match=r"evaluation-val-confusion\.svg"):
        evaluate(run, split="val", plots=("pdf", "svg"))
    assert not (run / "evaluation-val-confusion.pdf").exists()  # refused before the work


def test_memory_that_holds_a_few_images_is_enough_and_none_says_what_to_do(manifest_path, tmp_path, monkeypatch):
    options = {"targets": "crossentropy", "select": "last"}
    run = untaught(tmp_path / "run", manifest_path, "greedy", size=32, config=options)
    whole = evaluate(run, device="cpu")
    monkeypatch.setattr(Greedy, "scores", 7)
    few = evaluate(run, device="cpu")
    assert few["confusion"] == whole["confusion"]
    assert few["log_loss"] == pytest.approx(whole["log_loss"], abs=1e-5)
    for limit, words in (("scores", "to score a single image of 32 px"), ("fits", "for greedy at 32 px")):
        monkeypatch.setattr(Greedy, limit, 0)
        with pytest.raises(BadOption, match=words) as error:
            evaluate(run, device="cpu")
        assert "--batch" not in str(error.value)
    monkeypatch.setattr(Greedy, "fits", True)
    monkeypatch.setattr(Greedy, "loads", False)  # the weights are whole: nothing says to train again
    with pytest.raises(BadOption, match="for greedy at 32 px"):
        evaluate(run, device="cpu")
