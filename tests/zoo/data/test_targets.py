from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from ferdata import labels
from ferdata.errors import BadOption
from ferdata.labels import EMOTIONS, POLICIES
from tests.conftest import make_rows
from zoo.data import targets

DIVIDED = [4, 0, 0, 0, 4, 0, 0, 0, 1, 1]  # half neutral, half angry: no majority
MIXED = [6, 3, 0, 0, 0, 0, 0, 0, 1, 0]  # the single vote is noise
THREE = [4, 3, 3, 0, 0, 0, 0, 0, 0, 0]


@dataclass
class Rows:
    table: pa.Table
    taxonomy: labels.Taxonomy
    hard: np.ndarray


def rows_of(*rows: dict[str, Any], taxonomy: str = "basic8") -> Rows:
    table = pa.Table.from_batches([make_rows(list(rows), taxonomy=taxonomy)])
    chosen = labels.taxonomy(taxonomy)
    classes = table["target"].to_pylist()
    hard = np.array([-1 if t is None else chosen.classes.index(t) for t in classes], np.int64)
    return Rows(table, chosen, hard)


def share(how: str, *rows: dict[str, Any], **more: Any) -> list[list[float]]:
    return [[round(v, 4) for v in row] for row in targets.distributions(rows_of(*rows, **more), how).tolist()]


def emotions(**mass: float) -> list[float]:
    return [mass.get(e, 0.0) for e in EMOTIONS]


def test_majority_teaches_the_one_class_and_leaves_the_divided_out():
    assert share("majority", {"votes": MIXED}, {"votes": DIVIDED}) == [emotions(neutral=1), emotions()]


@pytest.mark.parametrize("how", ["crossentropy", "probability"])
def test_the_shares_are_those_of_the_votes_that_count(how):
    got = share(how, {"votes": MIXED}, {"votes": DIVIDED})
    assert got == [emotions(neutral=0.6667, happiness=0.3333), emotions(neutral=0.5, anger=0.5)]


def test_every_class_with_three_votes_in_ten_is_right_under_multi_target():
    got = share("multi_target", {"votes": THREE}, {"votes": [7, 2, 0, 0, 1, 0, 0, 0, 0, 0]})
    assert got == [emotions(neutral=1, happiness=1, surprise=1), emotions(neutral=1)]


@pytest.mark.parametrize("how", POLICIES)
def test_a_row_without_votes_is_taken_at_its_label(how):
    assert share(how, {"native_label": "fear"}, {"native_label": None}) == [emotions(fear=1), emotions()]


@pytest.mark.parametrize("how", POLICIES)
def test_a_reviewers_word_goes_over_votes_and_ratings(how):
    rated = {"native_label": "sadness", "ratings": [None, 1, 1, 5, 3, 1, 1, None], "reviewed_label": "anger"}
    got = share(how, {"votes": MIXED, "reviewed_label": "anger"}, rated)
    assert got == [emotions(anger=1)] * 2


@pytest.mark.parametrize("how", POLICIES)
def test_what_a_net_has_proposed_goes_over_the_votes(how):
    assert share(how, {"votes": MIXED, "proposed_label": "anger"}) == [emotions(anger=1)]


def test_ratings_are_shares_of_what_lies_above_not_at_all():
    rated = {"native_label": "sadness", "ratings": [None, 1, 1, 4, 2, 1, 1, None]}
    assert share("crossentropy", rated) == [emotions(sadness=0.75, anger=0.25)]
    assert share("multi_target", rated) == [emotions(sadness=1)]
    assert share("majority", rated) == [emotions(sadness=1)]


def test_a_neutral_face_is_not_taught_the_ratings_of_what_it_does_not_show():
    """JAFFE's raters were not asked about neutral: its neutral faces have a little of everything else."""
    rated = {"native_label": "neutral", "ratings": [None, 2.9, 1.9, 2.5, 2.0, 2.0, 2.0, None]}
    assert share("crossentropy", rated) == [emotions(neutral=1)]


def test_ratings_so_even_that_nothing_reaches_three_in_ten_leave_the_label():
    rated = {"native_label": "fear", "ratings": [None, 2, 2, 2, 2, 2, 2, None]}
    assert share("multi_target", rated) == [emotions(fear=1)]


def test_ratings_are_right_together_if_they_hold_more_than_half():
    both = {"native_label": "sadness", "ratings": [None, 1, 1, 3.4, 2.6, 1, 2, None]}  # 0.48, 0.32 and 0.2
    assert share("multi_target", both) == [emotions(sadness=1, anger=1)]
    one = {"native_label": None, "ratings": [None, 1, 2.2, 3, 2.2, 1, 2.2, None]}  # 0.36, and three of 0.21
    assert share("multi_target", one) == [emotions()]


def test_emotions_outside_the_taxonomy_leave_the_rest_summing_to_one():
    assert share("crossentropy", {"votes": [5, 3, 0, 2, 0, 0, 0, 0, 0, 0]}, taxonomy="fer3") == [[0, 1, 0]]


def test_emotions_of_one_class_add_up():
    votes = [0, 4, 0, 3, 3, 0, 0, 0, 0, 0]
    assert share("crossentropy", {"votes": votes}, taxonomy="valence3") == [[0.4, 0, 0.6]]
    assert share("multi_target", {"votes": votes}, taxonomy="valence3") == [[1, 0, 1]]


def test_targets_of_no_known_kind_are_refused():
    with pytest.raises(BadOption, match="multi_target"):
        share("soft", {"votes": MIXED})


def test_a_class_is_drawn_as_often_as_its_share_and_never_at_share_zero():
    dist = torch.tensor([[0.0, 0.7, 0.0, 0.3]]).repeat(20_000, 1)
    drawn = targets.draw(dist, torch.Generator().manual_seed(0))
    assert drawn.sum(1).unique().tolist() == [1]
    assert drawn.mean(0).tolist() == pytest.approx([0, 0.7, 0, 0.3], abs=0.015)
    assert drawn.mean(0)[[0, 2]].tolist() == [0, 0]


def test_a_draw_repeats_with_its_seed_and_changes_with_the_next():
    dist = torch.full((64, 4), 0.25)
    first, again, other = (targets.draw(dist, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_row_that_teaches_nothing_draws_nothing():
    assert targets.draw(torch.zeros(3, 4), torch.Generator()).sum() == 0
