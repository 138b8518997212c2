"""A net that knows nothing is said to know nothing, by everything that judges or uses it."""

import json

import numpy as np
import pytest

from ferdata.images import encode_png
from tests.zoo.conftest import QUICK, shape, shape_rows, write_shapes
from zoo.deploy.onnx_export import describe
from zoo.evaluation.caution import caution
from zoo.evaluation.evaluate import evaluate
from zoo.evaluation.metrics import prior, score
from zoo.run.model_file import read_meta
from zoo.training.train import train

CLASSES = ("neutral", "happiness", "surprise", "anger")


def report_of(true, answers, split="test"):
    """The figures of a net that gives each row the class in `answers`, and is sure of it."""
    import torch

    p = np.full((len(true), len(CLASSES)), 0.1, np.float32)
    p[np.arange(len(true)), answers] = 0.7
    true = np.asarray(true)
    figures = score(p, true, CLASSES, draws=200)
    return {**figures, "baseline": prior(torch.from_numpy(true), len(CLASSES)), "protocol": {"split": split}}


TRUE = np.repeat(np.arange(4), (60, 20, 10, 10))


def test_one_answer_for_every_face_is_said_with_the_answer():
    told = caution(report_of(TRUE, np.full(100, 3)))
    assert told == "The net answers anger to all 100 test images: its labels say nothing about a face."
    assert "all 100 labelled images" in caution(report_of(TRUE, np.full(100, 3), "all"))


def test_an_interval_that_holds_the_majority_baseline_is_said_with_both_figures():
    answers = np.r_[np.full(5, 1), np.zeros(55, int), np.full(5, 1), np.zeros(35, int)]  # five lost, five won
    told = caution(report_of(TRUE, answers))
    assert "not shown to be better than the majority-class baseline" in told
    assert told.endswith("baseline 60.0%.")


def test_nothing_is_said_of_a_net_that_beats_the_baseline_or_where_one_class_was_asked_for():
    assert caution(report_of(TRUE, np.where(np.arange(100) % 10, TRUE, 0))) == ""
    assert caution(report_of(np.zeros(50, int), np.zeros(50, int))) == ""


@pytest.fixture(scope="module")
def constant(tmp_path_factory):
    """A net whose training hardly moved it, and the lines that it was trained with."""
    folder, lines = tmp_path_factory.mktemp("constant"), []
    manifest = write_shapes(folder / "shapes.parquet", shape_rows())
    still = {**QUICK, "epochs": 1, "backbone": "vgg13_ferplus"}
    return train(manifest, folder / "run", **still, lr=1e-9, say=lines.append), lines


def test_training_says_it_of_an_epoch_it_calls_best_and_keeps_it_in_report_card_and_model(constant):
    run, lines = constant
    (answer,) = (
        name for name in run.report["classes"] if any(row.endswith(f"every answer is {name}") for row in lines)
    )
    last = [row for row in lines if row.startswith("epoch")][-1]
    assert last.endswith(f"best, but every answer is {answer}")
    sentence = f"The net answers {answer} to all 48 test images: its labels say nothing about a face."
    assert run.report["caution"] == sentence
    assert json.loads((run.path / "report.json").read_text())["caution"] == sentence
    card = (run.path / "card.md").read_text()
    assert f"**{sentence}**" in card.split("|")[0]  # before any figure
    missed = [name for name in CLASSES if name != answer]
    assert f"Lowest recall: {', '.join(missed)} (0%)." in card
    meta = read_meta(run.path / "model.safetensors")
    assert meta.caution == describe(meta, "none", None)["caution"] == sentence


def test_evaluate_and_predict_say_it_too(constant, ferdata, tmp_path):
    run, _ = constant
    (tmp_path / "face.png").write_bytes(encode_png(shape("anger", 1)))
    assert run.report["caution"] in ferdata("evaluate", run.path, "--bootstrap", "50").out
    assert "40 val images" in evaluate(run, split="val", bootstrap=50)["caution"]
    for more in ((), ("--json",)):
        told = ferdata("predict", run.path, tmp_path / "face.png", *more)
        assert (told.code, told.err.strip()) == (0, run.report["caution"])


def test_a_net_that_has_learnt_is_not_talked_down(trained, ferdata, tmp_path):
    assert trained.report["caution"] == ""
    assert "**" not in (trained.path / "card.md").read_text().split("|")[0]
    (tmp_path / "face.png").write_bytes(encode_png(shape("anger", 1)))
    assert ferdata("predict", trained.path, tmp_path / "face.png").err == ""
    assert "not shown" not in ferdata("evaluate", trained.path, "--bootstrap", "50").out
