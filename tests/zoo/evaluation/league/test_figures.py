"""What a run cannot answer counts as wrong and stands apart; what people reach stands beside, and what is above it."""

import numpy as np
import pytest

from tests.zoo.conftest import shape_rows, write_shapes
from tests.zoo.evaluation.league.conftest import THREE
from zoo.evaluation.compare import compare

ONE_SIDED = {"neutral": 0, "happiness": 1, "surprise": 2, "anger": 4}  # the columns of votes


def voted(path, of_label):
    """The shapes, whose ten voters agree on the label so often; the others see the next emotion."""
    rows = []
    for row in shape_rows():
        votes = np.zeros(10, int)
        votes[ONE_SIDED[row["native_label"]]] = of_label
        votes[(ONE_SIDED[row["native_label"]] + 1) % 8] += 10 - of_label
        rows.append({**row, "votes": votes.tolist()})
    return write_shapes(path, rows)


def test_classes_that_a_net_cannot_answer_count_as_wrong_and_the_others_are_told_apart(league):
    ours, theirs = league[0]["runs"]
    assert theirs["never_answered"] == {
        **{"anger": 12, "sadness": 0, "disgust": 0, "fear": 0, "contempt": 0},
    }
    assert theirs["able"]["n"] == 36
    assert theirs["able"]["accuracy"] * 36 == pytest.approx(theirs["accuracy"] * 48)
    low, high = theirs["able"]["interval"]
    assert low <= theirs["able"]["accuracy"] <= high
    assert theirs["per_class"]["anger"]["recall"] == 0
    assert "it cannot answer anger (12 images), which count as wrong" in theirs["marks"]
    assert ours["able"] == {"n": 48, "accuracy": ours["accuracy"], "interval": ours["able"]["interval"]}
    assert ours["never_answered"] == {}
    assert set(THREE) == {name for name, row in theirs["per_class"].items() if row["n"] and name != "anger"}


def test_a_league_without_votes_has_the_majority_alone_beside_it(league):
    made, _ = league
    assert made["people"] is None
    assert made["majority_share"] == 0.25


def test_what_people_reach_stands_beside_the_runs_and_a_figure_above_it_is_marked(trained, adopted, tmp_path):
    path = voted(tmp_path / "torn.parquet", 6)
    made = compare([trained.path, adopted], on=path, bootstrap=100, device="cpu")
    people = made["people"]
    assert people["label_share"] == pytest.approx(0.6)
    assert people["one_annotator"] == pytest.approx(0.6, abs=0.01)  # 6 of 10 vote with the others' plurality
    best = made["runs"][0]
    assert best["run"] == str(trained.path)
    assert best["intervals"]["accuracy"][0] > people["true_shares"]
    assert "is above the" in best["above_ceiling"]
    assert any(mark.startswith("ABOVE WHAT VOTERS ALLOW: an accuracy of") for mark in best["marks"])
    assert made["runs"][1]["above_ceiling"] == ""


def test_a_run_that_no_voters_doubt_is_not_marked(trained, tmp_path):
    path = voted(tmp_path / "sure.parquet", 10)
    made = compare([trained.path], on=path, bootstrap=100, device="cpu")
    assert made["people"]["one_annotator"] == 1
    assert made["runs"][0]["above_ceiling"] == ""
    assert made["runs"][0]["marks"] == []
