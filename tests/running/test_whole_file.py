"""A file is put in place whole or not at all, is on the disk then, and leaves no temporary that stays."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ferdata.errors import CannotWrite
from ferdata.running import whole_file as module
from ferdata.running.whole_file import (
    is_leftover,
    put_in_place,
    recover,
    temporaries,
    temporary_beside,
    whole_file,
    write_whole,
)

HALF = """
import sys, time
from pathlib import Path
from ferdata.running.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("half", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_is_written_and_then_replaced(tmp_path: Path) -> None:
    for data, expected in (("één\r\n", "één\r\n".encode()), (b"two", b"two"), (memoryview(b"three"), b"three")):
        write_whole(tmp_path / "f", data)
        assert (tmp_path / "f").read_bytes() == expected
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError("no")])
def test_an_error_in_the_block_leaves_the_old_file_and_no_temporary(
    tmp_path: Path, error: BaseException | type[BaseException]
) -> None:
    (tmp_path / "f").write_text("old")

    def failing() -> None:
        with whole_file(tmp_path / "f") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises((KeyboardInterrupt, ValueError)):
        failing()
    assert (tmp_path / "f").read_text() == "old"
    assert names(tmp_path) == ["f"]


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_tidies_up(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", HALF, str(tmp_path / "f")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "half\n"
        write_whole(tmp_path / "f", "meanwhile")
        (half,) = temporaries(tmp_path, "f")  # it lives
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "f").read_text() == "meanwhile"
    assert half.read_text() == "half"
    write_whole(tmp_path / "f", "new")
    assert names(tmp_path) == ["f"]


def test_the_file_is_on_the_disk_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, done, real = tmp_path / "f", [], os.fsync

    def recorded(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append(("folder" if is_folder else "file", path.read_text()))
        real(descriptor)

    path.write_text("old")
    monkeypatch.setattr(os, "fsync", recorded)
    write_whole(path, "new")
    assert done == [("file", "old"), ("folder", "new")]


def test_a_disk_whose_folders_cannot_be_synced_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def refused(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refused)
    write_whole(tmp_path / "f", "new")
    assert (tmp_path / "f").read_text() == "new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_reported_with_the_hint_and_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")

    def failing() -> None:
        with whole_file(tmp_path / "f", "Choose another --report.") as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_text("new")

    with pytest.raises(CannotWrite, match=r"Cannot write .*f: No space left on device\.") as refused:
        failing()
    assert refused.value.hint == "Choose another --report."
    assert (tmp_path / "f").read_text() == "old"
    assert names(tmp_path) == ["f"]


def test_a_disk_that_is_found_full_when_the_data_reach_it_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="No space left") as refused:
        write_whole(tmp_path / "f", "new")
    assert "Free some space" in refused.value.hint
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="No such file"):
        write_whole(tmp_path / "no" / "f", b"three")


def test_no_two_writers_share_a_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = temporary_beside(tmp_path / "f")
    monkeypatch.setattr(module, "_here", lambda: "abc")  # another machine, where a process has the same number
    there = temporary_beside(tmp_path / "f")
    assert str(os.getpid()) in here.name
    assert here.name.replace(".f.", "").partition("-")[0] != there.name.replace(".f.", "").partition("-")[0] == "abc"
    assert len({temporary_beside(tmp_path / "f") for _ in range(1000)}) == 1000


def test_threads_may_write_one_file_side_by_side(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write_whole(tmp_path / "f", str(i) * 10_000), range(10)))
    assert len(set((tmp_path / "f").read_text())) == 1
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("name", [".f.0123ab-1-0a.part", ".f.123-0.part"])
def test_what_another_machine_writes_is_a_leftover_after_a_day(tmp_path: Path, name: str) -> None:
    temporary = tmp_path / name
    temporary.touch()
    assert not is_leftover(temporary)
    os.utime(temporary, (time.time() - 2 * 24 * 3600,) * 2)
    assert is_leftover(temporary)
    assert not is_leftover(tmp_path / ".f.0123ab-2-0a.part")  # which is not there


def test_the_temporaries_of_a_name_are_its_own(tmp_path: Path) -> None:
    mine, others = temporary_beside(tmp_path / "f[1]"), temporary_beside(tmp_path / "f1")
    for path in (mine, others, tmp_path / ".f[1].lock"):
        path.touch()
    assert temporaries(tmp_path, "f[1]") == [mine]
    assert temporaries(tmp_path) == sorted([mine, others])


REPLACED = """
import os, sys
from pathlib import Path
from ferdata.running import whole_file as module
if sys.argv[2] == "two renames":
    module._exchange = lambda one, other: False
def killed(*given, real):
    real(*given)
    os._exit(9)
exchange, rename = module._exchange, Path.rename
def once(self, to):
    done = rename(self, to)
    if self.name == "f":
        os._exit(9)
    return done
Path.rename = once
if sys.argv[2] == "one":
    module._exchange = lambda one, other: killed(one, other, real=exchange)
module.put_in_place(Path(sys.argv[1]) / ".new", Path(sys.argv[1]) / "f")
"""


def two_folders(tmp_path: Path) -> None:
    for name in ("f", ".new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such rename")
def test_a_folder_is_replaced_at_one_moment_whatever_kills_the_writer(tmp_path: Path) -> None:
    two_folders(tmp_path)
    done = subprocess.run([sys.executable, "-c", REPLACED, str(tmp_path), "one"], check=False)
    assert done.returncode == 9
    assert names(tmp_path / "f") == [".new"]
    assert names(tmp_path / ".new") == ["f"]


def test_where_it_takes_two_renames_a_kill_between_them_loses_no_folder(tmp_path: Path) -> None:
    two_folders(tmp_path)
    done = subprocess.run([sys.executable, "-c", REPLACED, str(tmp_path), "two renames"], check=False)
    assert done.returncode == 9
    assert not (tmp_path / "f").exists()
    recover(tmp_path / "f")
    assert names(tmp_path / "f") == ["f"]
    assert names(tmp_path) == [".new", "f"]


def test_what_was_moved_aside_makes_way_where_something_has_come_in_its_place(tmp_path: Path) -> None:
    two_folders(tmp_path)
    (tmp_path / ".new").rename(temporary_beside(tmp_path / "f").with_suffix(module.ASIDE))
    recover(tmp_path / "f")
    assert len(names(tmp_path)) == 2  # its writer, which is this process, may be at it
    old = next(path for path in tmp_path.iterdir() if path.suffix == module.ASIDE)
    old.rename(old.with_name(old.name.replace(f"-{os.getpid()}-", "-999999999-")))
    recover(tmp_path / "f")
    assert names(tmp_path) == ["f"]
    assert names(tmp_path / "f") == ["f"]


def test_what_a_hidden_process_of_another_user_writes_is_no_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = temporary_beside(tmp_path / "f")
    temporary.touch()
    monkeypatch.setattr(os, "listdir", lambda path: [])  # as /proc with hidepid=2
    assert not is_leftover(temporary)
    os.utime(temporary, (time.time() - 2 * 24 * 3600,) * 2)
    assert is_leftover(temporary)


def test_a_file_that_may_replace_none_leaves_no_second_name(tmp_path: Path) -> None:
    temporary, path = temporary_beside(tmp_path / "a"), tmp_path / "a"
    temporary.write_text("new")
    put_in_place(temporary, path, replace=False)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    temporary.write_text("newer")
    with pytest.raises(FileExistsError):
        put_in_place(temporary, path, replace=False)
    assert path.read_text() == "new"
