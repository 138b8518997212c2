"""Conflicts: what is one picture, who says what against whom, and which rows lose."""

import numpy as np
import pyarrow as pa
import pytest

from ferdata.duplicates.label_conflicts import (
    APART_BY,
    MANY,
    PICTURE_BY,
    conflicts,
    losers,
    most_versions,
    parse,
    pictures,
    told_apart,
)
from ferdata.errors import BadOption
from ferdata.schema import arrow_schema

COLUMNS = ("picture", "dataset", "target", "official_split")


def table(*rows: tuple) -> tuple[pa.Table, np.ndarray]:
    """Make a table of (picture, dataset, target, official split)."""
    full = [dict(zip(COLUMNS, r, strict=False)) for r in rows]
    whole = pa.Table.from_pylist(full, schema=arrow_schema(*COLUMNS))
    return whole, whole["picture"].to_numpy()


def lost(rule: str, *rows: tuple) -> list[bool]:
    whole, picture = table(*rows)
    in_test = np.array([row[3:] == ("test",) for row in rows], np.bool_)
    return losers(whole, picture, rule, in_test).tolist()


def test_equal_pixels_and_near_pairs_are_one_picture_by_chains() -> None:
    columns = (*PICTURE_BY, *APART_BY)
    rows = [{"dataset": "a", "pixel_hash": h} for h in "xyxzw"]
    whole = pa.Table.from_pylist(rows, schema=arrow_schema(*columns))
    assert pictures(whole).tolist() == [0, 1, 0, 2, 3]
    assert pictures(whole, np.array([[1, 3], [3, 0]])).tolist() == [0, 0, 0, 0, 1]
    assert pictures(whole, np.zeros((0, 2), np.int64)).tolist() == [0, 1, 0, 2, 3]


@pytest.mark.parametrize(("versions", "several"), [(MANY, 1), (MANY + 1, MANY + 1)])
def test_more_near_copies_than_a_picture_ever_has_are_as_many_pictures(versions: int, several: int) -> None:
    rows = [{"dataset": "a", "pixel_hash": str(h)} for h in (*range(versions), 0, "x", "y")]
    whole = pa.Table.from_pylist(rows, schema=arrow_schema(*PICTURE_BY, *APART_BY))
    chain = np.array([[k, k + 1] for k in range(versions - 1)] + [[versions + 1, versions + 2]])
    found = pictures(whole, chain).tolist()
    assert len(set(found[:versions])) == several
    assert (found[versions], found[-2]) == (0, found[-1])  # equal pixels, and the other near pair
    assert list(dict.fromkeys(found)) == list(range(several + 1))  # numbered by first appearance
    assert most_versions(whole, chain) == (versions, 0)


def test_the_faces_of_one_photograph_are_several_pictures_but_only_where_a_dataset_boxes_them() -> None:
    left, right = [0.0, 0.0, 9.0, 9.0], [20.0, 0.0, 9.0, 9.0]
    rows = [
        {"dataset": d, "pixel_hash": h, "face_box": box}
        for d, h, box in (
            ("expw", "x", left), ("expw", "x", right), ("expw", "x", left),
            ("ferplus", "y", left), ("fer2013", "y", None), ("ferplus", "y", left),
        )
    ]  # fmt: skip
    whole = pa.Table.from_pylist(rows, schema=arrow_schema(*PICTURE_BY))
    assert pictures(whole).tolist() == [0, 1, 0, 2, 2, 2]


@pytest.mark.parametrize("column", ["subject", "sequence", "frame"])
def test_what_a_dataset_tells_apart_itself_is_not_one_picture(column: str) -> None:
    columns = (*PICTURE_BY, *APART_BY)
    rows = [
        {"pixel_hash": h, "dataset": d, column: v if column == "frame" else str(v)}
        for h, d, v in (("x", "a", 1), ("y", "a", 2), ("z", "b", 2))
    ]
    whole = pa.Table.from_pylist(rows, schema=arrow_schema(*columns))
    assert pictures(whole, np.array([[0, 1]])).tolist() == [0, 1, 2]
    assert pictures(whole, np.array([[0, 2]])).tolist() == [0, 1, 0]


def test_who_says_what_against_whom_is_counted_in_pictures() -> None:
    found = conflicts(
        *table(
            (0, "a", "fear"), (0, "b", "fear"), (0, "b", "fear"),  # agree; b's copies agree with each other
            (1, "a", "fear"), (1, "b", "anger"),
            (2, "a", "contempt"), (2, "b", "anger"),
            (3, "a", "fear"), (3, "a", "anger"),
            (4, "a", "fear"), (4, "b", None),  # who does not label says nothing
            (5, "a", "anger"),
        )
    )  # fmt: skip
    assert (found.copied, found.pictures, found.rows) == (4, 3, 6)
    aa, ab, bb = found.between
    assert (aa.first, aa.second, aa.cells, aa.agreement) == ("a", "a", (("anger", "fear", 1),), 0.0)
    assert ab.cells == (("contempt", "anger", 1), ("fear", "anger", 1), ("fear", "fear", 1))
    assert (ab.pictures, ab.agreement) == (3, pytest.approx(1 / 3))
    assert (bb.first, bb.second, bb.cells, bb.agreement) == ("b", "b", (("fear", "fear", 1),), 1.0)


def test_agreement_on_shared_classes_leaves_out_what_only_one_dataset_uses() -> None:
    rows = [(0, "a", "fear"), (0, "b", "fear"), (1, "a", "contempt"), (1, "b", "fear")]
    (between,) = conflicts(*table(*rows)).between
    assert (between.agreement, between.on_shared) == (0.5, 1.0)


def test_without_copies_there_is_nothing_to_say() -> None:
    found = conflicts(*table((0, "a", "fear"), (1, "b", "fear")))
    assert (found.copied, found.pictures, found.rows, found.between) == (0, 0, 0, ())
    assert conflicts(*table()).between == ()


TORN = [(0, "a", "fear"), (0, "b", "anger"), (0, "b", None), (1, "a", "fear"), (1, "b", "fear")]


def test_keep_takes_nothing_and_drop_takes_every_labelled_row_of_a_torn_picture() -> None:
    assert lost("keep", *TORN) == [False] * 5
    assert lost("drop", *TORN) == [True, True, False, False, False]


def test_the_first_dataset_that_labels_the_picture_wins() -> None:
    assert lost("first:b,a", *TORN)[:2] == [True, False]
    assert lost("first:a", *TORN)[:2] == [False, True]
    assert lost("first:b", (0, "b", None), (0, "a", "fear"), (0, "c", "anger")) == [False, True, True]


def test_a_first_dataset_that_contradicts_itself_settles_nothing() -> None:
    rows = [(0, "a", "fear"), (0, "a", "anger"), (0, "b", "fear")]
    assert lost("first:a,b", *rows) == [True] * 3


def test_the_majority_wins_and_a_draw_loses() -> None:
    assert lost("majority", *[(0, d, label) for d, label in zip("abc", ("fear", "fear", "anger"), strict=True)]) == [
        False,
        False,
        True,
    ]
    assert lost("majority", *TORN)[:2] == [True, True]


def test_a_datasets_own_copies_do_not_outvote_the_others() -> None:
    rows = [(0, "a", "fear")] * 5 + [(0, "b", "anger"), (0, "c", "anger")]
    assert lost("majority", *rows) == [True] * 5 + [False] * 2
    own = [(0, "a", "fear"), (0, "a", "fear"), (0, "a", "anger")]
    assert lost("majority", *own) == [False, False, True]


def test_no_picture_leaves_an_official_test() -> None:
    rows = [(0, "a", "fear", "test"), (0, "b", "anger", "train")]
    assert lost("drop", *rows) == [False, True]
    assert lost("first:b", *rows) == [False, False]  # the winner is not in test, so the test's own row stays
    both = [(0, "a", "fear", "test"), (0, "b", "anger", "test")]
    assert lost("first:b", *both) == [True, False]
    assert lost("drop", *both) == [False, False]


@pytest.mark.parametrize("rule", ["", "first", "first:", "first:z", "drop:a", "sometimes", "majority:a"])
def test_rules_that_are_none_are_refused(rule: str) -> None:
    with pytest.raises(BadOption, match="--conflicts cannot be"):
        parse(rule, ["a", "b"])


def test_two_people_of_one_dataset_are_told_apart_and_of_two_datasets_are_not() -> None:
    columns = ("dataset", "subject", "sequence", "frame")
    rows = [
        ("a", "p", "1", None),
        ("a", "q", "1", None),
        ("b", "p", "1", None),
        ("a", "p", "2", None),
        ("a", None, "1", 3),
    ]
    whole = pa.Table.from_pylist([dict(zip(columns, r, strict=True)) for r in rows], schema=arrow_schema(*columns))
    pairs = np.array([[0, 1], [0, 2], [0, 3], [1, 4]])
    assert told_apart(whole, pairs).tolist() == [True, False, True, False]
    assert told_apart(whole, pairs[:0]).tolist() == []
