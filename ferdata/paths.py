"""Paths below a root that never lead out of it, and files that are files."""

import errno
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


def read_inside(root: Path, relative: str) -> bytes:
    """Return the bytes of the file `root / relative`. Raises OSError; PermissionError if that leads out of `root`."""
    path = inside(root, relative)
    must_be_file(path)
    return path.read_bytes()


@lru_cache(maxsize=4096)
def _folder_inside(root: Path, relative: str) -> Path:
    whole = root.resolve()
    folder = (whole / relative).resolve()
    if not folder.is_relative_to(whole):
        raise PermissionError(errno.EPERM, "leads out of the root", relative)
    return folder
