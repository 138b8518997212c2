"""Release: differences from the published counts, and file names that publishers do not give."""

from ferdata.sources.declaration import Layout
from ferdata.sources.published_counts import compare, strangers


def layout(counts: dict | None = None, names: str = "") -> Layout:
    return Layout("made", ("*",), {}, counts or {}, names=names)


COUNTS = {"train": {"happy": 3, "sad": 2}, "test": {"happy": 1, "sad": 1}}


def test_the_published_counts_are_no_difference() -> None:
    found = {("train", "happy"): 3, ("train", "sad"): 2, ("test", "happy"): 1, ("test", "sad"): 1}
    assert compare(layout(COUNTS), found) == ()


def test_every_difference_is_told_both_ways() -> None:
    found = {("train", "happy"): 5, ("train", "angry"): 1, ("test", "happy"): 1, ("test", "sad"): 1, ("val", "sad"): 4}
    told = [str(d) for d in compare(layout(COUNTS), found)]
    assert told == [
        "'angry' in train: 1 found, 0 published (+1)",
        "'happy' in train: 5 found, 3 published (+2)",
        "'sad' in train: 0 found, 2 published (-2)",
        "images in val: 4 found, 0 published (+4)",
    ]


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
