"""Labels: the vote policies against FER+'s reference, taxonomies that close, and the one derivation."""

import csv

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata import labels
from ferdata.errors import BadOption, UnknownLabel
from ferdata.schema import arrow_schema
from tests.conftest import real_data

SPLITS = ("Train", "Valid", "Test")
# Counts of the FER+ authors' own reader over its own label.csv files, per split.
KEPT = {
    "majority": (25_045, 3_191, 3_137),
    "crossentropy": (27_947, 3_508, 3_507),
    "probability": (27_947, 3_508, 3_507),
    "multi_target": (27_667, 3_472, 3_466),
}
MAJORITY = {
    "Train": (8733, 7284, 3136, 3022, 2098, 116, 536, 120),
    "Valid": (1180, 862, 411, 348, 289, 25, 60, 16),
    "Test": (1083, 892, 394, 382, 269, 16, 86, 15),
}


def reference_votes(split: str) -> np.ndarray:
    path = real_data() / "fer2013" / f"label-FER2013{split}.csv"
    with path.open(newline="") as file:
        return np.array([[int(v) for v in row[2:]] for row in csv.reader(file)], np.int16)


@pytest.mark.parametrize("policy", labels.POLICIES)
def test_every_policy_keeps_as_many_faces_as_the_ferplus_reference(policy: str) -> None:
    kept = []
    for split in SPLITS:
        label, _ = labels.tally(reference_votes(split), policy)
        kept.append(int(((label >= 0) & (label < 8)).sum()))
    assert tuple(kept) == KEPT[policy]


@pytest.mark.parametrize("split", SPLITS)
def test_majority_gives_the_reference_counts_per_class(split: str) -> None:
    label, _ = labels.tally(reference_votes(split), "majority")
    assert tuple(np.bincount(label[(label >= 0) & (label < 8)], minlength=8)) == MAJORITY[split]


def one(votes: list[int], policy: str) -> tuple[int, list[float]]:
    label, dist = labels.tally(np.array([votes], np.int16), policy)
    return int(label[0]), [round(float(p), 4) for p in dist[0]]


def test_a_single_vote_is_noise() -> None:
    assert one([0, 3, 1, 1, 1, 1, 1, 1, 1, 0], "majority") == (1, [0, 1, 0, 0, 0, 0, 0, 0])


def test_half_of_the_votes_is_no_majority() -> None:
    assert one([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], "majority")[0] == -1


def test_unknown_can_win() -> None:
    assert one([2, 0, 0, 0, 0, 0, 0, 0, 8, 0], "majority")[0] == 8
    assert one([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], "crossentropy")[0] == 9


def test_crossentropy_shares_the_target_among_the_winners() -> None:
    assert one([4, 0, 0, 4, 2, 0, 0, 0, 0, 0], "crossentropy") == (0, [0.5, 0, 0, 0.5, 0, 0, 0, 0])


def test_crossentropy_leaves_out_unknown_that_comes_after_an_emotion() -> None:
    label, dist = one([6, 0, 0, 0, 0, 0, 0, 0, 4, 0], "crossentropy")
    assert (label, dist[0]) == (0, 1.0)


def test_four_winners_through_a_tie_are_too_many() -> None:
    assert one([4, 2, 2, 2, 0, 0, 0, 0, 0, 0], "crossentropy")[0] == -1


def test_multi_target_keeps_what_has_thirty_percent() -> None:
    assert one([4, 3, 3, 0, 0, 0, 0, 0, 0, 0], "multi_target") == (0, [0.4, 0.3, 0.3, 0, 0, 0, 0, 0])


def test_no_votes_at_all_are_no_majority() -> None:
    for policy in labels.POLICIES:
        assert one([0] * 10, policy) == (-1, [0.0] * 8)


@given(
    st.lists(st.lists(st.integers(0, 10), min_size=10, max_size=10), min_size=1, max_size=20),
    st.sampled_from(labels.POLICIES),
)
def test_a_target_is_a_distribution_exactly_where_an_emotion_won(rows: list[list[int]], policy: str) -> None:
    label, dist = labels.tally(np.array(rows, np.int16), policy)
    won = (label >= 0) & (label < 8)
    assert np.allclose(dist.sum(axis=1), won)
    assert (dist[won].argmax(axis=1) == label[won]).all()


@given(st.lists(st.lists(st.integers(0, 10), min_size=10, max_size=10), min_size=2, max_size=20))
def test_a_row_is_tallied_the_same_alone_and_in_company(rows: list[list[int]]) -> None:
    together, _ = labels.tally(np.array(rows, np.int16), "crossentropy")
    assert together.tolist() == [one(row, "crossentropy")[0] for row in rows]


def test_an_unknown_policy_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(BadOption, match="no vote policy 'median'") as caught:
        labels.tally(np.zeros((1, 10), np.int16), "median")
    assert "multi_target" in caught.value.hint


def test_every_built_in_taxonomy_closes() -> None:
    for taxonomy in labels.TAXONOMIES.values():
        assert set(taxonomy.mapping.values()) == set(taxonomy.classes)
        assert set(taxonomy.mapping) | set(taxonomy.left_out) == set(labels.EMOTIONS)


def test_every_alias_means_an_emotion_and_every_emotion_has_a_colour() -> None:
    assert set(labels.ALIASES.values()) == set(labels.EMOTIONS) == set(labels.COLOURS)


def test_contempt_can_be_mapped_by_choice() -> None:
    chosen = labels.taxonomy("basic7:contempt=disgust")
    assert chosen.mapping["contempt"] == "disgust"
    assert labels.taxonomy("basic7").left_out == ("contempt",)


def test_a_taxonomy_is_read_from_a_file(tmp_path) -> None:
    path = tmp_path / "two.toml"
    path.write_text('classes = ["good", "bad"]\n[mapping]\nhappiness = "good"\nanger = "bad"\n')
    assert labels.taxonomy(str(path)).classes == ("good", "bad")


@pytest.mark.parametrize(
    "text",
    [
        'classes = ["good"]\n[mapping]\nhappines = "good"\n',  # no such emotion
        'classes = ["good"]\n[mapping]\nhappiness = "god"\n',  # no such class
        'classes = ["good", "bad"]\n[mapping]\nhappiness = "good"\n',  # nothing maps to bad
        "classes = [",
        "",
    ],
)
def test_a_taxonomy_that_does_not_close_is_refused(tmp_path, text: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(BadOption):
        labels.taxonomy(str(path))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_taxonomy_is_read_as_windows_saves_it(tmp_path, encoding: str) -> None:
    path = tmp_path / "two.toml"
    path.write_bytes(
        'classes = ["gut", "böse"]\r\n[mapping]\r\nhappiness = "gut"\r\nanger = "böse"\r\n'.encode(encoding)
    )
    assert labels.taxonomy(str(path)).classes == ("gut", "böse")


def test_a_taxonomy_with_a_class_twice_is_refused(tmp_path) -> None:
    path = tmp_path / "twice.toml"
    path.write_text('classes = ["a", "a", "b"]\n[mapping]\nhappiness = "a"\nsadness = "b"\n')
    with pytest.raises(BadOption, match="classes listed twice \\['a'\\]"):
        labels.taxonomy(str(path))


def test_no_spelling_means_two_emotions() -> None:
    from ferdata.sources.words import meaning

    assert set(labels.SPELLINGS.values()) == set(labels.EMOTIONS)
    assert {word: meaning(word, {}) for word in labels.ALIASES} == labels.ALIASES


def table(**columns: list) -> pa.Table:
    n = len(next(iter(columns.values())))
    full = {name: [None] * n for name in labels.DERIVED_FROM} | {"dataset": ["d"] * n}
    return pa.table(full | columns, schema=arrow_schema(*full))


def derived(rows: pa.Table, taxonomy: str = "basic8") -> dict[str, list]:
    maps = {"d": {"3": "happiness", "9": "uncertain"}}
    columns = labels.derive(rows, maps, "majority", labels.taxonomy(taxonomy))
    return {name: column.to_pylist() for name, column in columns.items()}


def test_native_labels_become_emotions_or_reasons() -> None:
    out = derived(table(native_label=["3", "9", None]))
    assert out["label"] == ["happiness", None, None]
    assert out["label_reason"] == [None, "uncertain", "unlabelled"]
    assert out["target"] == ["happiness", None, None]


def test_votes_decide_over_the_native_label() -> None:
    out = derived(table(native_label=["3"], votes=[[0, 0, 0, 9, 0, 0, 0, 0, 1, 0]]))
    assert out["label"] == ["sadness"]
    assert out["label_dist"] == [[0, 0, 0, 1, 0, 0, 0, 0]]


def test_ratings_give_a_soft_label_and_leave_the_label_alone() -> None:
    ratings = [None, 4.0, 1.0, 2.0, 1.0, None, 0.5, None]
    out = derived(table(native_label=["3", None], ratings=[ratings, ratings]))
    assert out["label"] == ["happiness", None]
    assert out["label_dist"] == [[0, 0.75, 0, 0.25, 0, 0, 0, 0]] * 2


def test_a_reviewer_decides_over_both_and_the_label_stays() -> None:
    out = derived(table(native_label=["3"], reviewed_label=["fear"]))
    assert (out["label"], out["target"]) == (["happiness"], ["fear"])


def test_what_the_taxonomy_leaves_out_keeps_its_label() -> None:
    out = derived(table(native_label=["3"], reviewed_label=["contempt"]), "basic7")
    assert (out["label"], out["target"]) == (["happiness"], [None])


def test_a_label_that_the_map_does_not_know_is_refused_with_its_count() -> None:
    with pytest.raises(UnknownLabel, match=r"2 rows .* first is '7' of d"):
        derived(table(native_label=["3", "7", "7"]))


def test_a_class_has_the_colour_of_its_own_or_first_emotion() -> None:
    assert labels.TAXONOMIES["basic8"].colour("fear") == labels.COLOURS["fear"]
    assert labels.TAXONOMIES["fer3"].colour("happy") == labels.COLOURS["happiness"]
    assert labels.TAXONOMIES["valence3"].colour("negative") in labels.COLOURS.values()
    assert labels.TAXONOMIES["basic8"].colour("unlabelled") == labels.COLOURS["neutral"]
