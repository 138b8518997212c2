"""What a test begins in other processes must end with it."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import psutil


def processes_of(pid: int) -> "list[psutil.Process]":
    """Return the processes that a process has begun, without the one in which Python tracks shared memory."""
    import psutil  # a bare machine with a GPU, where other tests of this folder run, need not have it

    begun = psutil.Process(pid).children(recursive=True)
    return [process for process in begun if not any("resource_tracker" in word for word in process.cmdline())]


@pytest.fixture
def no_process_is_left() -> Iterator[None]:
    """Fail a test that leaves a process behind."""
    before = set(processes_of(os.getpid()))
    yield
    assert set(processes_of(os.getpid())) <= before
