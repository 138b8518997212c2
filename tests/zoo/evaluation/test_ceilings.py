"""What people reach by their votes: counted one by one, and against a truth that is known because it was drawn."""

import numpy as np
import pyarrow as pa
import pytest

from ferdata.labels import EMOTIONS, TAXONOMIES, VOTE_COLUMNS, tally
from zoo.evaluation import ceilings

BASIC8, VALENCE3 = TAXONOMIES["basic8"], TAXONOMIES["valence3"]


def table(votes, pixels=None):
    return pa.table(
        {
            "votes": pa.array(votes, pa.list_(pa.int16())),
            "pixel_hash": pa.array(pixels or [f"p{i}" for i in range(len(votes))]),
        }
    )


def of(votes, hard, taxonomy=BASIC8, pixels=None, where=None):
    where = np.arange(len(votes)) if where is None else np.array(where)
    hard = np.array(hard)
    return ceilings.ceilings(table(votes, pixels), where, taxonomy, hard, np.arange(len(where)), draws=200)


def test_one_annotator_is_held_against_the_plurality_of_the_others():
    # 6 neutral, 4 happy: each of the 6 agrees with 5:4, none of the 4 with 6:3. 2 and 2: each disagrees with 1:2.
    found = ceilings.one_annotator(np.array([[6, 4, 0], [2, 2, 0], [0, 0, 10]]))
    assert found.tolist() == [0.6, 0.0, 1.0]


def test_a_tie_among_the_others_goes_to_the_class_that_stands_first():
    # Without its own vote the first annotator sees 1:1, where the first class stands first; the second sees 2:0.
    assert ceilings.one_annotator(np.array([[2, 1]])).tolist() == [2 / 3]
    assert ceilings.one_annotator(np.array([[1, 2]])).tolist() == [0.0]


def test_the_share_behind_the_label_counts_the_votes_for_no_emotion_too():
    unsure = [5, 0, 0, 0, 0, 0, 0, 0, 3, 2]  # unknown, not a face
    sure = [0, 10, 0, 0, 0, 0, 0, 0, 0, 0]
    assert of([unsure, sure], [0, 1])["label_share"] == 0.75


def test_votes_are_summed_by_class_and_what_is_no_class_stands_by_itself():
    votes = np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])
    summed = ceilings.by_class(votes, VALENCE3)
    by_name = dict(zip(VOTE_COLUMNS, votes[0], strict=True))
    assert summed[0, :3].tolist() == [by_name["happiness"], by_name["neutral"], 4 + 5 + 6 + 7 + 8]
    assert sorted(summed[0, 3:].tolist()) == [3, 9, 10]  # surprise, unknown, not a face


def test_a_model_that_knows_all_votes_scores_what_the_drawn_truth_says():
    random = np.random.default_rng(5)
    truth = random.dirichlet(np.full(10, 0.15), 6000)
    votes = random.multinomial(10, truth)
    label, _ = tally(votes.astype(np.int16), "majority")
    kept = (label >= 0) & (label < len(EMOTIONS))
    knows = float((truth[kept][:, :8].argmax(1) == label[kept]).mean())
    found = of(votes[kept].tolist(), label[kept].astype(int))
    assert 0.85 < knows < 0.99
    assert found["true_shares"] == pytest.approx(knows, abs=0.012)
    low, high = found["intervals"]["true_shares"]
    assert low < found["true_shares"] < high


def test_without_votes_there_is_nothing_to_say():
    assert of([None, None], [0, 1]) is None
    assert of([[1, 1] + [0] * 8], [0]) is None  # two votes tell nothing of a third


def test_the_voters_majority_is_scored_on_labels_of_the_same_pixels():
    happy = [0, 10] + [0] * 8
    torn = [5, 5] + [0] * 8  # no majority: says nothing
    votes = [happy, torn, happy, None, None, None, None]
    pixels = ["a", "b", "c", "a", "b", "c", "d"]
    found = of(votes, [1, 0, 3, 1], pixels=pixels, where=[3, 4, 5, 6])
    assert found["n"] == 0
    assert (found["consensus"]["n"], found["consensus"]["accuracy"]) == (2, 0.5)


def report(accuracy, spread, n=100, voted=100):
    found = {"n": voted, "true_shares": 0.938, "intervals": {"true_shares": [0.93, 0.94]}}
    return {"n": n, "accuracy": accuracy, "confidence_intervals": {"accuracy": spread}, "ceilings": found}


def test_an_accuracy_above_what_the_votes_allow_is_marked():
    assert "above the 93.8%" in ceilings.above(report(0.9555, [0.948, 0.962]))
    assert ceilings.above(report(0.94, [0.93, 0.95])) == ""  # its interval holds the ceiling
    assert ceilings.above(report(0.99, [0.98, 1.0], voted=20)) == ""  # few of the images have votes
    assert ceilings.above({**report(0.99, [0.98, 1.0]), "ceilings": None}) == ""
    assert ceilings.lines({"n": 3}) == []  # a report of an earlier ferdata
