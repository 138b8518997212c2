"""Locks between processes: one writer alone, or many users of a file; all end with the process that took them.

What is forked from a process has none of its locks. They are the system's own (filelock's on Linux is `flock`): on a
disk without them NoLocks is raised, and each caller decides whether to go on without.
"""

import contextlib
import errno
import os
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor

MISSING = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
FOREVER = -1.0


class NoLocks(OSError):
    """The disk, such as a network's, has no locks."""


class Lock:
    """A lock that this process holds, until `release` or the end of a `with` block."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Let the next one have it."""
        self._lock.release()

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def take(path: Path, wait: float = FOREVER) -> Lock | None:
    """Return the lock whose file is `path`, made if need be; None where another holds it longer than `wait` seconds.

    The holder may remove the file before the release: who waits for it then begins anew. Raises OSError where the
    file cannot be opened, and NoLocks.
    """
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        return None
    except OSError as error:
        if error.errno in MISSING:
            raise NoLocks(error.errno, error.strerror) from None
        raise
    return Lock(lock)


class Shared:
    """A file in use, beside others that use it: until `release`, or until this is garbage, `alone` is refused."""

    def __init__(self, descriptor: int) -> None:
        self._close = weakref.finalize(self, _close, _keep(descriptor))

    def release(self) -> None:
        """Let the file go."""
        self._close()


def share(path: Path) -> Shared | None:
    """Return `path`, which need only be readable, held against `alone`; None where it is not there, or no more.

    Waits for who has it alone, which is never long. Where there are no locks nothing is held against anybody.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return None
        try:
            _lock_shared(descriptor)
            if _is_still(descriptor, path):
                return Shared(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # removed between the two


@contextlib.contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Yield whether nobody shares `path`, which must be there, and keep it so while the block runs.

    False where it cannot be locked: it is not ours to remove, or there are no locks to tell.
    """
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(path, os.O_RDWR)
            stack.callback(os.close, descriptor)
            taken = lock_descriptor(descriptor, blocking=False)
        except OSError:
            taken = False
        yield taken


# filelock has no lock that readers of a read-only file can share, so this one is `flock` itself.
def _lock_shared(descriptor: int) -> None:
    if sys.platform == "win32":  # which does not remove files that are open
        return
    import fcntl

    with contextlib.suppress(OSError):  # a network disk without locks
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def _is_still(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one that has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


_kept: dict[object, int] = {}  # the descriptors of what is shared


def _keep(descriptor: int) -> object:
    token = object()
    _kept[token] = descriptor
    return token


def _close(token: object) -> None:
    descriptor = _kept.pop(token, None)
    if descriptor is not None:
        os.close(descriptor)


def _leave_to_the_parent() -> None:
    while _kept:
        os.close(_kept.popitem()[1])


# Open in a forked process too, a lock would outlive the process that took it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
