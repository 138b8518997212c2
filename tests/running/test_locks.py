"""Locks end with who took them, are not inherited, and hold one writer or many users."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from ferdata.running import locks

TAKE = """
import os, sys, time
from pathlib import Path
from ferdata.running import locks
held = locks.{how}(Path(sys.argv[1]))
if {fork} and not os.fork():
    held.release()
    print("held", flush=True)
    time.sleep(60)
if not {fork}:
    print("held", flush=True)
input()
"""
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def holder(path: Path, how: str, fork: bool = False) -> "subprocess.Popen[str]":
    """Return a process that has taken `path`, or that has forked another after it."""
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE.format(how=how, fork=fork), str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def free(path: Path) -> bool:
    with locks.alone(path) as yes:
        return yes


def test_one_holds_a_lock_at_a_time_and_others_wait_as_long_as_they_say(tmp_path: Path) -> None:
    held = locks.take(tmp_path / "lock")
    assert held
    with held:
        before = time.monotonic()
        assert locks.take(tmp_path / "lock", wait=0) is None
        assert time.monotonic() - before < 0.2
        assert locks.take(tmp_path / "lock", wait=0.3) is None
        assert time.monotonic() - before >= 0.3
    again = locks.take(tmp_path / "lock", wait=0)
    assert again
    again.release()


def test_who_waits_gets_the_lock_when_it_is_released(tmp_path: Path) -> None:
    held = locks.take(tmp_path / "lock")
    assert held
    timer = threading.Timer(0.2, held.release)
    timer.start()
    got = locks.take(tmp_path / "lock", wait=30)
    assert got
    got.release()
    timer.join()


def test_a_lock_ends_with_the_process_that_took_it(tmp_path: Path) -> None:
    with holder(tmp_path / "lock", "take") as other:
        assert locks.take(tmp_path / "lock", wait=0) is None
        other.send_signal(signal.SIGKILL)
        other.wait()
        got = locks.take(tmp_path / "lock", wait=0)
    assert got
    got.release()


@forks
@pytest.mark.parametrize("how", ["take", "share"])
def test_what_is_forked_neither_keeps_a_lock_nor_lets_it_go(tmp_path: Path, how: str) -> None:
    path = tmp_path / "file"
    path.touch()
    with holder(path, how, fork=True) as other:
        (child,) = psutil.Process(other.pid).children()
        try:
            assert not free(path)  # what the child lets go is its parent's
            other.kill()
            other.wait()
            assert child.is_running()
            assert free(path)
        finally:
            child.kill()


def test_a_holder_may_remove_the_file_and_who_waits_begins_anew(tmp_path: Path) -> None:
    path, got = tmp_path / "lock", []
    held = locks.take(path)
    assert held
    waiting = threading.Thread(target=lambda: got.append(locks.take(path, wait=30)))
    waiting.start()
    time.sleep(0.2)
    path.unlink()
    held.release()
    waiting.join()
    assert path.exists()  # that of the new holder, which others meet
    assert locks.take(path, wait=0) is None
    got[0].release()


def test_many_share_a_file_and_nobody_has_it_alone_before_all_have_let_go(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(mode=0o444)
    first, second = locks.share(path), locks.share(path)
    assert first
    assert second
    assert not free(path)
    first.release()
    first.release()  # twice is once
    assert not free(path)
    with holder(path, "share") as other:
        del second  # garbage holds nothing
        assert not free(path)
        other.communicate("\n")
    assert free(path)


def test_a_file_that_is_not_there_is_shared_by_nobody_and_not_made(tmp_path: Path) -> None:
    assert locks.share(tmp_path / "file") is None
    assert not free(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_locking_changes_nothing_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    os.utime(path, (5, 5))
    assert free(path)
    held = locks.take(path)
    assert held
    held.release()
    assert (path.read_text(), path.stat().st_mtime) == ("content", 5)


def test_a_place_that_is_none_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        locks.take(tmp_path / "file" / "lock")


@pytest.mark.parametrize("code", locks.MISSING)
def test_a_disk_without_locks_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refused(*given: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(locks.NoLocks) as caught:
        locks.take(tmp_path / "lock")
    assert caught.value.errno == code != errno.EAGAIN
    shared = locks.share(tmp_path / "lock")
    assert shared  # held against nobody
    shared.release()
    assert not free(tmp_path / "lock")
