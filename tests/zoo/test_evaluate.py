import json

import pytest

from ferdata.errors import AlreadyExists, BadOption, BrokenRun, NotAManifest
from tests.zoo.conftest import shape_rows
from zoo.evaluate import evaluate

FIGURES = ("n", "accuracy", "balanced_accuracy", "macro_f1", "ece", "log_loss", "per_class", "confusion", "baseline")


def test_evaluating_again_repeats_the_training_report_to_the_last_digit(trained):
    again = evaluate(trained, device="cpu")
    assert {f: again[f] for f in FIGURES} == {f: trained.report[f] for f in FIGURES}
    assert again["confidence_intervals"] == trained.report["confidence_intervals"]
    assert again["protocol"]["same_manifest_as_training"]
    assert again["protocol"]["leak_check"]["shared_with_train"] == 0


def test_without_mirror_images_other_probabilities_come_out(trained):
    assert evaluate(trained, tta=False)["log_loss"] != evaluate(trained, tta=True)["log_loss"]


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
