import numpy as np
import pytest

from ferdata.labels import TAXONOMIES
from ferdata.manifest import Manifest
from zoo.evaluation.subgroups import by, decades, distance, facts


def of(make_manifest, *rows, taxonomy="basic8"):
    path = make_manifest(*rows)
    return facts(Manifest(path), TAXONOMIES[taxonomy], np.arange(len(rows)))


def test_rows_of_a_group_belong_together_and_else_those_of_a_person_or_a_clip(make_manifest):
    grouped = of(make_manifest, {"group": 3}, {"group": 5}, {"group": 3, "subject": "S1"})
    assert grouped.clusters[0] == grouped.clusters[2] != grouped.clusters[1]


def test_before_grouping_a_person_is_one_within_a_dataset(make_manifest):
    found = of(
        make_manifest,
        {"subject": "S1"},
        {"subject": "S1"},
        {"subject": "S1", "dataset": "other"},
        {"sequence": "S1"},
        {"sequence": "S1"},
        {},
        {},
    ).clusters
    assert found[0] == found[1]
    assert found[3] == found[4]
    assert len(set(found.tolist())) == 5


def test_annotators_shares_are_of_votes_for_a_class(make_manifest):
    votes = {"votes": [6, 1, 0, 0, 0, 0, 0, 1, 2, 0]}
    said = of(make_manifest, votes, {"native_label": "fear"}).voters
    np.testing.assert_allclose(said[0], [0.75, 0.125, 0, 0, 0, 0, 0, 0.125])
    assert not said[1].any()


def test_emotions_of_one_class_add_up_and_those_without_a_class_count_as_none(make_manifest):
    said = of(make_manifest, {"votes": [2, 1, 4, 1, 0, 0, 0, 0, 2, 0]}, taxonomy="valence3").voters
    np.testing.assert_allclose(said[0], [0.25, 0.5, 0.25])


def test_what_was_published_of_people_is_read_and_the_rest_left_out(make_manifest):
    parts = of(make_manifest, {"gender": "female", "age": "20-29"}, {"gender": "male"}).parts
    assert parts["gender"].tolist() == ["female", "male"]
    assert parts["age"].tolist() == ["20-29", ""]
    assert not parts["ethnicity"].astype(bool).any()


def test_many_ages_in_years_are_taken_by_decade_and_words_stay():
    assert decades(np.array([*map(str, range(18, 40)), ""]))[[0, 2, 21, 22]].tolist() == ["10-19", "20-29", "30-39", ""]
    assert decades(np.array(["25", "31"])).tolist() == ["25", "31"]
    assert decades(np.array(["child", *map(str, range(30))]))[0] == "child"


def test_each_part_has_its_own_figures_and_small_ones_are_marked():
    true = np.repeat([0, 1], [60, 20])
    p = np.eye(2, dtype=np.float32)[np.zeros(80, int)]
    words = np.repeat(["big", "small"], [60, 20])
    table = by(words, p, true, np.arange(80), 100)
    assert (table["big"]["accuracy"], table["small"]["accuracy"]) == (1, 0)
    assert (table["big"]["small"], table["small"]["small"]) == (False, True)
    low, high = table["big"]["intervals"]["accuracy"]
    assert 0.9 < low < 1 == pytest.approx(high)
    # Sixty images of three people say no more than three do.
    assert by(words, p, true, np.arange(80) // 20, 100)["big"]["small"]
    assert list(by(np.array(["", "x"] * 40), p, true, np.arange(80), 10)) == ["x"]


def test_the_distance_to_the_annotators_is_over_voted_rows_and_beside_that_of_their_mean():
    said = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
    p = np.array([[1, 0], [0.5, 0.5], [1, 0]], np.float32)
    found = distance(p, said, np.arange(3), 200)
    assert found["n"] == 2
    assert found["total_variation"] == pytest.approx(0.25)
    assert found["kl"] == pytest.approx(np.log(2) / 2)
    assert found["baseline"] == {"kl": pytest.approx(np.log(2)), "total_variation": pytest.approx(0.5)}
    low, high = found["intervals"]["total_variation"]
    assert low <= 0.25 <= high
    assert distance(p, np.zeros((3, 2), np.float32), np.arange(3), 10) is None
