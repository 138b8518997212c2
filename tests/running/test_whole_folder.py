"""A folder is written whole or not at all, and never over what others put there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ferdata.errors import AlreadyExists, CannotWrite
from ferdata.running.whole_file import temporary_beside
from ferdata.running.whole_folder import check, whole_folder


def write(out: Path, text: str, force: bool = False, then: BaseException | None = None) -> None:
    """Write a folder with one file; `then` stops its writer after that."""
    with whole_folder(out, force) as temporary:
        (temporary / "a.txt").write_text(text)
        if then:
            raise then


def test_a_folder_is_there_with_all_its_files_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        write(out, "half", then=KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []
    write(out, "one")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_earlier_one_stays_when_its_successor_fails(tmp_path: Path) -> None:
    write(tmp_path / "out", "one")
    with pytest.raises(CannotWrite, match="No space"):
        write(tmp_path / "out", "two", force=True, then=OSError(28, "No space left on device"))
    assert (tmp_path / "out" / "a.txt").read_text() == "one"
    write(tmp_path / "out", "three", force=True)
    assert (tmp_path / "out" / "a.txt").read_text() == "three"


def test_what_another_run_wrote_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(AlreadyExists, match="in the meantime"), whole_folder(tmp_path / "out", force=False):
        write(tmp_path / "out", "theirs")
    assert (tmp_path / "out" / "a.txt").read_text() == "theirs"


def test_a_folder_with_anything_of_others_in_it_is_not_replaced_even_by_force(tmp_path: Path) -> None:
    write(tmp_path / "out", "one")
    check(tmp_path / "out", True, [], ["a.txt"])
    with pytest.raises(AlreadyExists, match="already exists"):
        check(tmp_path / "out", False, [], ["a.txt"])
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(CannotWrite, match=r"such as mine\.txt"):
        check(tmp_path / "out", True, [], ["a.txt"])


@pytest.mark.parametrize("out", ["data", "data/out", "."])
def test_no_input_is_written_over_nor_into(tmp_path: Path, out: str) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(AlreadyExists, match="is an input"):
        check(tmp_path / out, True, [tmp_path / "data"], ["data"])


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(CannotWrite, match="is a file"):
        check(tmp_path / "out", True, [], [])


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    ours = temporary_beside(tmp_path / "out").name
    left = tmp_path / ours.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    left.mkdir()
    (left / "a.txt").touch()
    write(tmp_path / "out", "one")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
