"""Errors: a list in a message says what it leaves out."""

import pytest

from ferdata.errors import did_you_mean, listed, paths_like


def test_a_list_that_is_cut_says_how_many_are_left_out():
    assert listed([]) == ""
    assert listed("ab", 2) == "a, b"
    assert listed(range(1, 8), 6) == "1, 2, 3, 4, 5, 6 and 1 more"
    assert listed(range(2000), 1) == "0 and 1,999 more"


@pytest.mark.parametrize(
    ("word", "name"),
    [("CK+", "ckplus"), ("CK+48", "ckplus"), ("FER+", "ferplus"), ("RAF_DB", "rafdb"), ("ferplu", "ferplus")],
)
def test_a_dataset_is_known_by_the_name_that_people_write(word, name):
    assert did_you_mean(word, ["ckplus", "ferplus", "fer2013", "rafdb", "folder"]).startswith(f"Did you mean {name}")


def test_a_path_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "ckplus.parquet").touch()
    (tmp_path / "first").mkdir()
    assert paths_like(tmp_path / "ckplus.parquet") == f"Did you mean {tmp_path}/manifests/ckplus.parquet? "
    assert paths_like(tmp_path / "firts") == f"Did you mean {tmp_path}/first? "
    assert paths_like(tmp_path / "nothing-like-it") == ""
    assert paths_like(tmp_path / "manifests" / "nothere.parquet") == ""  # that both end in .parquet says nothing
    assert paths_like(tmp_path / "gone" / "x.parquet") == ""
