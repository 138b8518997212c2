"""Paths below a root that never lead out of it, and files that are files."""

import errno
import os
import stat
from functools import lru_cache
from pathlib import Path


def inside(root: Path, relative: str) -> Path:
    """Return `root / relative`. Raises PermissionError if that leads out of `root`, by `..` or by a link."""
    folder, _, name = relative.rpartition("/")
    parent = _folder_inside(root, folder)
    path = parent / name
    if name in ("", "..") or (path.is_symlink() and not path.resolve().is_relative_to(root.resolve())):
        raise PermissionError(errno.EPERM, "leads out of the root", relative)
    return path


def must_be_file(path: Path) -> None:
    """Raise OSError unless `path` is a regular file: a pipe or a device would be waited on for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "no regular file", str(path))


class Below:
    """The files below a root, read by their paths relative to it; a folder is looked at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, str] = {}

    def read(self, relative: str) -> bytes:
        """Return the bytes of a file. Raises OSError; PermissionError if its path leads out of the root."""
        folder, _, name = relative.rpartition("/")
        if name not in ("", "..") and _PLAIN:
            within = self._folders.get(folder)
            if within is None:
                within = self._folders[folder] = str(_folder_inside(self.root, folder))
            try:
                descriptor = os.open(f"{within}/{name}", _PLAIN)
            except OSError as error:
                if error.errno != errno.ELOOP:  # a link, which is looked at below
                    raise
            else:
                return _read(descriptor, relative)
        path = inside(self.root, relative)
        must_be_file(path)
        return path.read_bytes()


@lru_cache(maxsize=64)
def below(root: Path) -> Below:
    """Return the files below `root`."""
    return Below(root)


def read_inside(root: Path, relative: str) -> bytes:
    """Return the bytes of the file `root / relative`. Raises OSError; PermissionError if that leads out of `root`."""
    return below(root).read(relative)


# Opened so, a file is no link, and a pipe is not waited on; 0 where the system has no such thing.
_PLAIN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK if hasattr(os, "O_NOFOLLOW") else 0


def _read(descriptor: int, name: str) -> bytes:
    """Return all bytes of an open file, and close it. Raises OSError where it is no regular file."""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "no regular file", name)
        data = os.read(descriptor, status.st_size + 1)
        while len(data) != status.st_size and (more := os.read(descriptor, 1 << 20)):  # it grows, or is very large
            data += more
        return data
    finally:
        os.close(descriptor)


@lru_cache(maxsize=4096)
def _folder_inside(root: Path, relative: str) -> Path:
    whole = root.resolve()
    folder = (whole / relative).resolve()
    if not folder.is_relative_to(whole):
        raise PermissionError(errno.EPERM, "leads out of the root", relative)
    return folder
