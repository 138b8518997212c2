"""A model of which there is a table alone gets every figure that a run gets, and no guess at what is not known."""

import numpy as np
import pandas as pd
import pytest

from ferdata.errors import AlreadyExists, BadOption
from ferdata.labels import Taxonomy, taxonomy
from tests.zoo.conftest import shape_rows
from tests.zoo.evaluation.test_evaluate import FIGURES
from zoo.evaluation import predictions
from zoo.evaluation.compare import compare
from zoo.evaluation.elsewhere import by_class
from zoo.evaluation.evaluate import evaluate
from zoo.evaluation.prediction_table import Table

WORDS = {"anger": "angry", "happiness": "happy", "sadness": "sad"}  # as Kaggle's folders are called


@pytest.fixture
def kept(trained):
    """What the run said of val and test, by columns that Keras would have; in no order."""
    rows = predictions.read(trained.path / "predictions.parquet")
    shares = {WORDS.get(name, name): rows.probabilities[:, i] for i, name in enumerate(rows.classes)}
    columns = dict(sorted(shares.items())) | {"path": [name.partition(":")[2] for name in rows.sample_id]}
    return pd.DataFrame(columns).sample(frac=1, random_state=0)


@pytest.fixture
def keras(kept, tmp_path):
    kept.to_csv(tmp_path / "keras.csv", index=False)
    return tmp_path / "keras.csv"


def same(ours, theirs):
    """Whether two parts of reports are equal, up to the digits that a CSV file has."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name]) for name in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == pytest.approx(theirs, abs=1e-4) if isinstance(theirs, float) else ours == theirs


def test_the_same_answers_have_the_same_figures_as_the_run_that_gave_them(trained, keras, manifest_path):
    told, ours = evaluate(predictions=keras, manifest=manifest_path), trained.report
    for name in (*FIGURES, "top2_accuracy", "macro_auc", "roc", "confidence_intervals", "caution"):
        assert name == "calibration" or same(told[name], ours[name]), name
    assert told["calibration"]["temperature"] == 1
    assert same(told["calibration"]["before"], ours["calibration"]["after"])
    assert told["protocol"]["leak_check"]["shared_with_train"] is None
    assert told["protocol"]["table"] | {"columns": {}} == {
        **{"matched_by": "path", "columns": {}, "classes_lacking": [], "left_out": {}, "left_out_most_probable": 0},
        **{"columns_ignored": [], "lines": 88, "lines_of_other_rows": 40, "lines_of_no_row": 0, "of_no_row": []},
        "rows_lacking": 0,
    }
    assert told["protocol"]["table"]["columns"]["angry"] == "anger"


def test_rows_that_a_table_lacks_are_refused_and_with_consent_left_out(kept, tmp_path, manifest_path):
    test = kept[kept["path"].astype(int) >= 168]
    test.iloc[5:].to_csv(tmp_path / "short.csv", index=False)
    with pytest.raises(BadOption, match=r"lacks 5 of the 48 rows: made:0\d\d\d, .* and others") as refused:
        evaluate(predictions=tmp_path / "short.csv", manifest=manifest_path)
    assert "--shared" in refused.value.hint
    told = evaluate(predictions=tmp_path / "short.csv", manifest=manifest_path, shared=True, bootstrap=20)
    assert (told["n"], told["protocol"]["table"]["rows_lacking"]) == (43, 5)
    with pytest.raises(BadOption, match="none of the 40 rows asked for; 43 of its lines are about others"):
        evaluate(predictions=tmp_path / "short.csv", manifest=manifest_path, split="val", shared=True)


BASIC7 = taxonomy("basic7")
COARSE = Taxonomy("coarse", ("good", "bad"), {"happiness": "good", "anger": "bad", "fear": "bad"})


def columns(*meanings):
    return Table(None, "path", ["a"], np.empty((1, 0)), meanings, meanings, ())


def test_an_emotion_without_a_class_is_left_out_and_the_rest_are_shares_of_what_is_left():
    p, facts = by_class(columns("contempt", "happiness", "fear"), np.array([[0.5, 0.4, 0.1], [0, 0.4, 0.6]]), BASIC7)
    assert p[:, [1, 6]].tolist() == [pytest.approx([0.8, 0.2]), pytest.approx([0.4, 0.6])]
    assert facts["left_out"] == {"contempt": 0.25}
    assert facts["left_out_most_probable"] == 1
    assert facts["classes_lacking"] == ["neutral", "surprise", "sadness", "anger", "disgust"]
    with pytest.raises(BadOption, match="in 1 lines all probability is on contempt, which is no class"):
        by_class(columns("contempt", "happiness"), np.array([[1.0, 0.0]]), BASIC7)


def test_emotions_of_one_class_are_added_up_and_two_columns_of_one_are_refused():
    p, _ = by_class(columns("anger", "fear", "happiness"), np.array([[0.2, 0.3, 0.5]]), COARSE)
    assert p.tolist() == [pytest.approx([0.5, 0.5])]
    both = taxonomy("basic7:contempt=disgust")  # a class that has the name of one of its emotions
    p, _ = by_class(columns("contempt", "disgust", "fear"), np.array([[0.2, 0.3, 0.5]]), both)
    assert p[0, both.classes.index("disgust")] == pytest.approx(0.5)
    for twice in (("anger", "anger", "happiness"), ("bad", "fear", "happiness")):
        with pytest.raises(BadOption, match="2 columns for bad"):
            by_class(columns(*twice), np.array([[0.2, 0.3, 0.5]]), COARSE)
    with pytest.raises(BadOption, match="none of which is a class of the taxonomy coarse: good, bad"):
        by_class(columns("sadness", "other"), np.array([[0.5, 0.5]]), COARSE)


def test_what_is_written_lies_beside_the_table_and_is_compared_with_runs(trained, keras, ferdata, manifest_path):
    kept = keras.with_name("k.parquet")
    asked = ("evaluate", "--predictions", keras, "--manifest", manifest_path, "--bootstrap", "50")
    ran = ferdata(*asked, "--save", "--save-predictions", kept, "--plots", "png")
    assert ran.code == 0, ran
    for words in (
        "48 of 48, by the column path",
        "angry as anger, happy as happiness, sad as sadness",
        "not known, so",
    ):
        assert words in ran.out, words
    drawn = {f"keras-evaluation-test-{name}.png" for name in ("confusion", "classes", "reliability", "roc")}
    assert {path.name for path in keras.parent.iterdir()} == {
        *("keras.csv", "k.parquet", "keras-evaluation-test.json"), *drawn
    }  # fmt: skip
    assert all(name in ran.out for name in drawn)
    with pytest.raises(AlreadyExists):
        evaluate(predictions=keras, manifest=manifest_path, save=True)
    with pytest.raises(AlreadyExists, match="never modified"):
        evaluate(predictions=kept, manifest=manifest_path, save_predictions=kept, force=True)
    with pytest.raises(AlreadyExists, match="never modified"):
        evaluate(trained, save_predictions=trained.path / "predictions.parquet", force=True)
    for file in (kept, keras):
        told = compare([file, trained.path])
        assert told["pairs"][0]["difference"] == 0
        assert "a leak cannot be excluded" in told["runs"][0]["marks"][0]
        assert told["runs"][1]["marks"] == []


def test_a_table_alone_does_not_say_of_which_manifest_it_is(keras, kept, trained):
    with pytest.raises(BadOption, match="no run beside it") as refused:
        compare([keras, keras])
    assert f"ferdata evaluate --predictions {keras} --manifest M --save-predictions" in refused.value.hint
    kept[kept["path"].astype(int) != 170].to_csv(keras, index=False)
    with pytest.raises(BadOption, match="different rows"):
        compare([trained.path, keras])
    assert compare([trained.path, keras], shared=True)["n"] == 47


def test_a_table_is_judged_on_another_manifest_too_and_what_it_knows_nothing_of_is_said(
    keras, ferdata, shapes, manifest_path
):
    """In a manifest of seven classes contempt is none; two of its rows have another path."""
    other = shapes(shape_rows(), taxonomy="basic7", name="other")
    ran = ferdata("evaluate", "--predictions", keras, "--manifest", other, "--bootstrap", "50")
    assert ran.code == 0, ran
    assert "left out" in ran.out
    assert "other lines" in ran.out
    few = shapes(shape_rows()[:200], name="few")
    ran = ferdata("evaluate", "--predictions", keras, "--manifest", few, "--bootstrap", "50", "--split", "all")
    assert ran.code == 1
    ran = ferdata("evaluate", "--predictions", keras, "--manifest", few, "--bootstrap", "50")
    assert "16 lines about no row of the manifest, such as" in ran.out


def test_a_class_without_a_column_is_said_and_what_that_costs_where_it_has_images(
    kept, ferdata, manifest_path, tmp_path
):
    for lost, words in (("contempt", ": no column in the table\n"), ("happy", "so that each of these images counts")):
        names = [name for name in kept.columns if name not in ("path", lost)]
        left = kept[names].div(kept[names].sum(axis=1), axis=0).assign(path=kept["path"])
        left.to_csv(tmp_path / "k.csv", index=False)
        ran = ferdata("evaluate", "--predictions", tmp_path / "k.csv", "--manifest", manifest_path, "--bootstrap", "20")
        assert ran.code == 0, ran
        assert words in ran.out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "Nothing to judge was named"),
        ({"run": "runs/a", "predictions": "k.csv", "manifest": "m.parquet"}, "Both a run and --predictions"),
        ({"predictions": "k.csv"}, "k.csv does not say which images"),
        ({"predictions": "k.csv", "manifest": "m.parquet", "tta": "flip"}, "--tta flip cannot be had of a table"),
    ],
)
def test_a_run_or_a_table_with_its_manifest_is_judged_and_nothing_else(more, words):
    with pytest.raises(BadOption, match=words):
        evaluate(**more)


def test_options_that_do_nothing_are_refused(trained, keras, ferdata, manifest_path):
    ran = ferdata("evaluate", trained.path, "--shared")
    assert (ran.code, "it goes with --predictions" in ran.err) == (2, True)
    for option in (("--device", "cpu"), ("--tta", "flip")):
        ran = ferdata("evaluate", "--predictions", keras, "--manifest", manifest_path, *option)
        assert (ran.code, "nothing is computed" in ran.err) == (2, True), option
