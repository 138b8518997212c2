"""Whose faces a folder of unknown origin holds, told at ingest; and the user's own indexes."""

import json

import cv2
import pytest

from ferdata.errors import AlreadyExists, BadOption
from ferdata.known import index
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from ferdata.steps.known import add, known, remove
from tests.fakes import ckplus, face, save


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(index.VARIABLE, str(tmp_path / "known"))


@pytest.fixture
def published(tmp_path):
    """A dataset with official splits, whose index is added: 6 train, 2 val, 3 test; one picture is in two."""
    for split, seeds in {"train": range(6), "val": (6, 7), "test": (8, 9, 0)}.items():
        for seed in seeds:
            save(tmp_path / "published" / split / ("happy", "sad")[seed % 2] / f"{seed}.png", face(seed))
    made = ingest(
        "folder", root=tmp_path / "published", name="first", out=tmp_path / "first.parquet", workers=1, known="off"
    )
    return add(made.out)


def repacked(tmp_path, seeds, ending=".png", side=48):
    """Write the pictures under other names, without splits."""
    for i, seed in enumerate(seeds):
        picture = cv2.resize(face(seed), (side, side), interpolation=cv2.INTER_LINEAR)
        save(tmp_path / "repack" / ("happy", "sad")[seed % 2] / f"im{i:03}{ending}", picture)
    return tmp_path / "repack"


def rows(done):
    table = Manifest(done.out).table("sample_id", "official_split").to_pylist()
    return {row["sample_id"].rpartition("/")[2]: row["official_split"] for row in table}


def taken_in(tmp_path, root, **options):
    return ingest("folder", root=root, name="second", out=tmp_path / "second.parquet", workers=1, **options)


def test_it_is_told_whose_faces_they_are_and_the_splits_stay(published, tmp_path):
    done = taken_in(tmp_path, repacked(tmp_path, [8, 3, 6, 100]))
    assert [str(hit) for hit in done.known] == [
        "3 of 4 faces are first's (1 of its train, 1 of its val, 1 of its test)"
    ]
    assert set(rows(done).values()) == {None}
    source = Manifest(done.out).sources["second"]
    assert source["known"]["first"]["splits"] == {"train": 1, "val": 1, "test": 1}


def test_the_official_splits_are_taken_over(published, tmp_path):
    done = taken_in(tmp_path, repacked(tmp_path, [8, 3, 6, 100, 0, 0]), known="use")
    assert rows(done) == {
        "im000.png": "test", "im001.png": "train", "im002.png": "val", "im003.png": None,
        "im004.png": "test", "im005.png": "train",  # the picture that stands in both: a row each
    }  # fmt: skip


def test_enlarged_and_compressed_copies_are_known_too(published, tmp_path):
    done = taken_in(tmp_path, repacked(tmp_path, range(1, 10), ".jpg", 224), known="use")
    assert [hit.rows for hit in done.known] == [9]
    assert sorted(map(str, rows(done).values())) == ["test"] * 2 + ["train"] * 5 + ["val"] * 2


def test_a_dataset_with_splits_of_its_own_is_not_looked_up(published, tmp_path):
    with pytest.raises(BadOption, match="official splits of its own"):
        ingest("ferplus", root=tmp_path, out=tmp_path / "m.parquet", known="use")


def test_votes_without_use_are_idle(tmp_path):
    with pytest.raises(BadOption, match="--known-votes has no effect"):
        taken_in(tmp_path, repacked(tmp_path, [1]), known_votes=tmp_path)


def test_an_index_is_not_replaced_unasked_and_goes_again(published, tmp_path):
    assert [(each.name, each.rows, each.own) for each in known()] == [("fer2013", 35_714, False), ("first", 11, True)]
    with pytest.raises(AlreadyExists):
        add(tmp_path / "first.parquet")
    assert add(tmp_path / "first.parquet", force=True).splits == {"train": 6, "val": 2, "test": 3}
    with pytest.raises(BadOption, match="no index 'fer2013' of yours"):
        remove("fer2013")
    remove("first")
    assert [each.name for each in known()] == ["fer2013"]


def test_the_command_adds_lists_and_removes(ferdata, tmp_path, published):
    assert ferdata("known", "add", tmp_path / "first.parquet", "--name", "other").code == 0
    listed = json.loads(ferdata("known", "--json").out)
    assert [each["name"] for each in listed] == ["fer2013", "first", "other"]
    assert "35,714" in ferdata("known").out
    assert ferdata("known", "remove", "other").code == 0
    wrong = ferdata("known", "remove", "frist")
    assert wrong.code == 1
    assert "Did you mean first" in wrong.err
    assert ferdata("known", "remove", "../first").code == 1
    assert ferdata("known", "remove", tmp_path / "first").code == 1
    assert (tmp_path / "first.parquet").is_file()  # a manifest beside the folder of indexes is not one of them


def test_a_published_dataset_read_as_class_folders_is_called_by_its_name(tmp_path):
    ckplus.LAYOUTS["ck48"](tmp_path)
    done = taken_in(tmp_path, tmp_path)
    assert "This looks like" in done.note
    assert f"ferdata ingest ckplus --root {tmp_path}" in done.note
