"""The index that comes with the package, those of the user, and files that are none."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ferdata.errors import BrokenSource
from ferdata.known import index
from ferdata.manifest import Manifest


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(index.VARIABLE, str(tmp_path / "known"))


def test_fer2013_comes_with_the_package_in_its_official_splits_and_under_a_megabyte_and_a_half():
    (found,) = index.indexes()
    assert (found.name, len(found)) == ("fer2013", 35_714)
    assert np.bincount(found.split).tolist() == [28_561, 3_579, 3_574]
    assert found.keys[0].as_py() == "00000"
    assert found.keys[len(found) - 1].as_py() == "35886"
    assert index.files()["fer2013"].stat().st_size < 1.5e6


def test_it_holds_hashes_alone():
    table = pq.read_table(index.files()["fer2013"])
    assert table.column_names == ["pixels", "phash", "split", "key"]


def test_a_manifest_becomes_an_index_and_comes_back(make_manifest, tmp_path):
    made = make_manifest(
        {"native_label": "anger", "official_split": "test"},
        {"native_label": "anger", "official_split": None},
    )
    opened = Manifest(made)
    table = opened.table("sample_id", "pixel_hash", "phash", "official_split")
    index.write(tmp_path / "known/mine.parquet", index.of_rows("mine", "My faces", table))
    found = index.indexes(without=["fer2013"])[0]
    assert (found.name, found.title, found.split.tolist()) == ("mine", "My faces", [2, -1])
    assert [f"{bits:016x}" for bits in found.pixels.tolist()] == pc.utf8_slice_codeunits(
        table["pixel_hash"], 0, 16
    ).to_pylist()
    assert found.phash.tolist() == table["phash"].to_pylist()
    assert found.keys.to_pylist() == ["0000", "0001"]


def test_an_index_of_the_users_takes_the_place_of_the_packages(make_manifest, tmp_path):
    table = Manifest(make_manifest({"native_label": "anger"})).table(
        "sample_id", "pixel_hash", "phash", "official_split"
    )
    index.write(tmp_path / "known/fer2013.parquet", index.of_rows("fer2013", "FER2013", table))
    (found,) = index.indexes()
    assert len(found) == 1


def test_a_file_that_is_no_index_is_named_with_what_to_do(tmp_path):
    (tmp_path / "known").mkdir()
    (tmp_path / "known/bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(BrokenSource, match=r"bad.parquet is not an index of known faces") as caught:
        index.indexes()
    assert "ferdata known remove bad" in caught.value.hint


def shared(tmp_path, title=b"Theirs", **columns):
    """The index that somebody else has sent, its columns as given."""
    rows = {
        "pixels": pa.array([1, 2], pa.uint64()), "phash": pa.array([1, 2], pa.uint64()),
        "split": pa.array([0, -1], pa.int8()), "key": pa.array(["1", "2"]), **columns,
    }  # fmt: skip
    path = tmp_path / "theirs.parquet"
    pq.write_table(
        pa.table({k: v for k, v in rows.items() if v is not None}).replace_schema_metadata({b"title": title}), path
    )
    return path


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"split": pa.array([0, 3], pa.int8())}, "numbered 0 to 3"),
        ({"split": pa.array([-2, 0], pa.int8())}, "numbered -2 to 0"),
        ({"split": pa.array([0, None], pa.int8())}, "column split lacks 1 values"),
        ({"pixels": pa.array([None, None], pa.uint64())}, "column pixels lacks 2"),
        ({"key": pa.array(["1", None])}, "column key lacks 1"),
        ({"key": None}, "key"),
        ({"phash": pa.array(["a", "b"])}, "a"),
        ({"title": b"\xff"}, "utf-8"),
    ],
)
def test_an_index_of_somebody_elses_that_is_none_is_refused_by_what_is_wrong(tmp_path, change, why):
    assert len(index.read("theirs", shared(tmp_path))) == 2
    with pytest.raises(BrokenSource, match=f"is not an index of known faces: .*{why}"):
        index.read("theirs", shared(tmp_path, **change))


def test_a_pipe_that_is_called_an_index_is_not_waited_on(tmp_path):
    os.mkfifo(tmp_path / "theirs.parquet")
    with pytest.raises(BrokenSource, match="not a regular file"):
        index.read("theirs", tmp_path / "theirs.parquet")


def test_an_index_of_more_rows_than_there_are_faces_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "LARGEST", 1)
    with pytest.raises(BrokenSource, match="it has 2 rows"):
        index.read("theirs", shared(tmp_path))


def test_a_folder_that_may_not_be_read_is_refused_with_the_way_to_do_without(tmp_path, monkeypatch):
    def refuse(place):
        raise PermissionError(13, "Permission denied", str(place))

    (tmp_path / "known").mkdir()
    monkeypatch.setattr(type(tmp_path), "is_dir", refuse)
    with pytest.raises(BrokenSource, match="Cannot read the folder of known faces") as refused:
        index.files()
    assert "--known off" in refused.value.hint
