"""Release: differences from the published counts, and file names that publishers do not give."""

import pytest

from ferdata.adapters import load
from ferdata.sources.declaration import Layout
from ferdata.sources.published_counts import compare, lacking, strangers


def layout(counts: dict | None = None, names: str = "") -> Layout:
    return Layout("made", ("*",), {}, counts or {}, names=names)


COUNTS = {"train": {"happy": 3, "sad": 2}, "test": {"happy": 1, "sad": 1}}


def test_the_published_counts_are_no_difference() -> None:
    found = {("train", "happy"): 3, ("train", "sad"): 2, ("test", "happy"): 1, ("test", "sad"): 1}
    assert compare(layout(COUNTS), found) == ()


def test_every_difference_is_reported_both_ways() -> None:
    found = {("train", "happy"): 5, ("test", "happy"): 1, ("test", "sad"): 1}
    assert [str(d) for d in compare(layout(COUNTS), found)] == [
        "'happy' in train: 5 found, 3 published (+2)",
        "'sad' in train: 0 found, 2 published (-2)",
    ]


def test_a_label_or_a_split_that_nobody_published_a_number_for_is_not_a_published_0() -> None:
    found = {("train", "happy"): 3, ("train", "sad"): 2, ("test", "happy"): 1, ("test", "sad"): 1}
    more = {("train", "angry"): 1, ("train", None): 7, ("val", "sad"): 4, (None, "happy"): 2}
    assert compare(layout(COUNTS), found | more) == ()


def test_a_split_of_which_nothing_is_there_is_said_once_and_not_label_by_label() -> None:
    found = {("train", "happy"): 3, ("train", "sad"): 1}
    assert [str(gap) for gap in lacking(layout(COUNTS), found)] == ["no test: 0 found, 2 published"]
    assert [str(d) for d in compare(layout(COUNTS), found)] == ["'sad' in train: 1 found, 2 published (-1)"]


def test_where_no_counts_are_published_a_layout_names_its_splits() -> None:
    made = Layout("made", ("*",), {}, splits=("train", "val or test"))
    assert [str(gap) for gap in lacking(made, {("test", "happy"): 3})] == ["no train: 0 found"]
    assert lacking(made, {("train", "happy"): 3, ("val", None): 1}) == ()
    assert lacking(layout({"all": {"all": 9}}), {(None, "happy"): 3}) == ()


GENUINE = {
    # Of the csv release, "none", "uncertain" and "non-face" are in the lists, too.
    ("affectnet", "csv"): {
        ("train", str(code)): n
        for code, n in enumerate((74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750, 33088, 11645, 82415))
    }
    | {("val", str(code)): 500 for code in range(11)},
    # 266 of the 593 sequences have no label.
    ("ckplus", "official"): {(None, str(i)): n for i, n in enumerate((135, 54, 177, 75, 207, 84, 249), 1)}
    | {(None, None): 3 * 266},
    ("ckplus", "table"): {("train", str(i)): n for i, n in enumerate((45, 59, 25, 69, 28, 83, 593, 18))},
    # train.csv, and test.csv without labels beside it.
    ("fer2013", "competition"): {("train", str(i)): n for i, n in enumerate((3995, 436, 4097, 7215, 4830, 3171, 4965))}
    | {("test", None): 7178},
}


@pytest.mark.parametrize(("which", "found"), GENUINE.items(), ids=map("-".join, GENUINE))
def test_a_genuine_release_differs_in_nothing(which: tuple[str, str], found: dict[tuple[str | None, str], int]) -> None:
    (declared,) = (each for each in load(which[0]).SOURCE.layouts if each.name == which[1])
    assert compare(declared, found) == ()


def test_totals_are_compared_where_no_more_is_published() -> None:
    assert [str(d) for d in compare(layout({"all": {"all": 10}}), {("train", "a"): 4, (None, None): 3})] == [
        "images in all: 7 found, 10 published (-3)"
    ]


def test_counts_without_splits_cover_every_split() -> None:
    assert compare(layout({"all": {"a": 2, "b": 1}}), {("train", "a"): 1, ("test", "a"): 1, (None, "b"): 1}) == ()


def test_nothing_published_is_nothing_to_compare() -> None:
    assert compare(layout(), {("train", "a"): 1}) == ()


def test_names_that_publishers_do_not_give_are_found() -> None:
    paths = ["x/train_00001.jpg", "x/train_00001_flip.jpg"]
    assert list(strangers(layout(names=r"train_\d{5}\.jpg"), paths)) == ["x/train_00001_flip.jpg"]
    assert list(strangers(layout(), paths)) == []
