"""Files of the user's, opened only where they are plain files.

A pipe would be waited on for ever and a device read without end, whoever put it, or a link to it, where a file belongs.
"""

import errno
import os
import stat
from pathlib import Path
from typing import IO

from ferdata.errors import NotAFile

# Opened so, a pipe is not waited on; 0 where the system has no such thing.
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)
_FLAGS = os.O_RDONLY | _WITHOUT_WAITING | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_plain(path: Path | str, buffering: int = -1) -> IO[bytes]:
    """Open a plain file, or a link to one, for its bytes. Raises OSError; NotAFile for a pipe, a socket or a device."""
    must_be_plain(path)  # asked first, since some devices act on being opened
    descriptor = os.open(path, _FLAGS)
    try:
        _check(os.fstat(descriptor).st_mode, path)  # asked again: it may have been put in between
        if _WITHOUT_WAITING:
            os.set_blocking(descriptor, True)
        return open(descriptor, "rb", buffering)  # noqa: PTH123  # a descriptor has no Path
    except BaseException:
        os.close(descriptor)
        raise


def read_plain(path: Path | str) -> bytes:
    """Return the bytes of a plain file, or of a link to one. Raises OSError, NotAFile."""
    with open_plain(path) as file:
        return file.read()


def must_be_plain(path: Path | str) -> None:
    """Raise OSError or NotAFile unless `path` is a plain file: for libraries that take nothing but names."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # a str as well
    except ValueError:  # a NUL, or characters that no file system has: no file is called that
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    _check(mode, path)


def _check(mode: int, path: Path | str) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "something else")
    raise NotAFile(f"{path} is {kind}, not a file.", "Put the file itself in its place, or remove it.")
