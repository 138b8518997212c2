"""Frozen lists: out and in again without a change, and every way in which a list can fail to fit."""

from pathlib import Path

import pyarrow as pa
import pytest

from ferdata.errors import AlreadyExists, BadOption, CannotWrite
from ferdata.splitting.id_list import check, read, write

IDS = pa.chunked_array([["a:1", 'a:"2",x', "a:3"], ["b:ä 4"]])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    split = pa.array(["train", None, "test", "val"])
    write(tmp_path / "ids.csv", IDS, split, pa.array([0, None, 1, 1], pa.int16()))
    back = read(tmp_path / "ids.csv", IDS)
    assert back.side.tolist() == [0, -1, 2, 1]
    assert back.fold.tolist() == [0, -1, 1, 1]
    assert back.listed.all()
    assert (back.missing, back.new) == (0, 0)


def test_there_is_no_fold_column_where_there_are_no_folds(tmp_path: Path) -> None:
    write(tmp_path / "ids.csv", IDS, pa.array(["train"] * 4), pa.nulls(4, pa.int16()))
    assert (tmp_path / "ids.csv").read_text().splitlines()[0] == '"sample_id","split"'
    assert read(tmp_path / "ids.csv", IDS).fold.tolist() == [-1] * 4


def test_ids_that_are_missing_or_new_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("sample_id,split\na:1,test\ngone:7,train\n")
    back = read(tmp_path / "ids.csv", IDS)
    assert (back.missing, back.missing_first) == (1, ("gone:7",))
    assert (back.new, back.new_first) == (3, ('a:"2",x', "a:3", "b:ä 4"))
    assert back.listed.tolist() == [True, False, False, False]


def test_a_list_of_nothing_fits_nothing(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("sample_id,split\n")
    assert read(tmp_path / "ids.csv", IDS).new == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sample_id,split\na:1,train\na:1,test\n", "names 1 ids twice, first a:1"),
        ("sample_id,split\na:1,trian\n", "has the split 'trian'"),
        ("sample_id,split,fold\na:1,train,-2\n", "a fold below 0"),
        ("sample_id,split,fold\na:1,train,x\n", "not a list of ids"),
        ("id,split\na:1,train\n", "has the columns id, split"),
        ("", "not a list of ids"),
        ("sample_id,split\na:1\n", "not a list of ids"),
        ("PAR1\0\0\1", "is not a list of ids|has the columns"),
    ],
)
def test_a_list_that_is_none_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "ids.csv").write_text(text)
    with pytest.raises(BadOption, match=told):
        read(tmp_path / "ids.csv", IDS)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="Cannot read the list"):
        read(tmp_path / "ids.csv", IDS)
    with pytest.raises(BadOption, match="Cannot read the list"):
        read(tmp_path, IDS)


def test_a_list_is_not_written_over_without_force(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("mine")
    with pytest.raises(AlreadyExists, match=r"ids\.csv already exists"):
        check(tmp_path / "ids.csv", force=False)
    check(tmp_path / "ids.csv", force=True)
    with pytest.raises(CannotWrite):
        check(tmp_path, force=True)


def test_a_list_that_cannot_be_written_is_our_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWrite):
        check(tmp_path / "file" / "ids.csv", force=False)
    with pytest.raises(CannotWrite):
        write(tmp_path / "file" / "ids.csv", IDS, pa.nulls(4, pa.string()), pa.nulls(4, pa.int16()))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
