"""The Kaggle re-split of FER2013: under its own name, told apart from FER2013."""

import pytest

from ferdata import adapters
from ferdata.errors import NotThisDataset
from ferdata.steps.ingest import ingest
from tests.adapters.test_contract import read
from tests.fakes import fer2013, kaggle_face_expression


def test_a_nested_and_a_flat_unpacking_give_the_same_keys(tmp_path):
    for name, nested in (("flat", False), ("nested", True)):
        kaggle_face_expression.images(tmp_path / name, nested)
    flat, nested = ([s.key for s in read("kaggle_face_expression", tmp_path / n)[2]] for n in ("flat", "nested"))
    assert flat == nested
    assert "train/angry/0" in flat
    assert "validation/angry/0" in flat


def test_fer2013_says_whose_folder_it_was_given(tmp_path):
    kaggle_face_expression.images(tmp_path / "data")
    with pytest.raises(
        NotThisDataset, match="looks like kaggle_face_expression: ferdata ingest kaggle_face_expression"
    ):
        ingest("fer2013", root=tmp_path / "data", out=tmp_path / "m.parquet")


def test_fer2013s_own_folders_are_not_taken_for_it(tmp_path):
    fer2013.folders(tmp_path)
    assert adapters.looks_like(tmp_path) == ["fer2013"]


def test_it_says_that_it_is_fer2013(tmp_path):
    kaggle_face_expression.images(tmp_path)
    assert "FER2013" in read("kaggle_face_expression", tmp_path)[0].note


def test_the_published_counts_add_up_to_fer2013():
    counts = adapters.load("kaggle_face_expression").SOURCE.layouts[0].counts
    assert {split: sum(c.values()) for split, c in counts.items()} == {"train": 28821, "val": 7066}
    fer = next(x for x in adapters.load("fer2013").SOURCE.layouts if x.name == "folders").counts
    for label in counts["train"]:
        assert sum(c[label] for c in counts.values()) == sum(c[label] for c in fer.values())
