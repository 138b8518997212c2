"""Paths below a root that never lead out of it, and files that are files.

One rule for links: one that stays within the root is followed, and so is the root itself, which the user named; what
leads out is refused by name. Paths mean the same on every system, so that none has a backslash.
"""

import errno
import os
import stat
import unicodedata
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from ferdata.schema import escapes


def inside(root: Path, relative: str) -> Path:
    """Return `root / relative`. Raises PermissionError if that leads out of `root`, by `..` or by a link."""
    folder, _, name = relative.rpartition("/")
    if not name or escapes(relative):
        raise _outside(relative)
    path = _folder_inside(root, folder) / name
    if path.is_symlink() and not _resolved(path).is_relative_to(_resolved(root)):
        raise _outside(relative, relative)
    return path


def _outside(relative: str, link: str | None = None) -> PermissionError:
    what = "the path" if link is None else f"{link} is a link that"
    return PermissionError(errno.EPERM, f"{what} leads outside the root", relative)


def must_be_file(path: Path) -> None:
    """Raise OSError unless `path` is a regular file: a pipe or a device would be waited on for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


class Below:
    """The files below a root, read by their paths relative to it; a folder is looked at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, str] = {}
        self._names: dict[str, dict[str, list[str]]] = {}
        self._spelled: dict[tuple[str, bool], str | None] = {}

    def read(self, relative: str) -> bytes:
        """Return the bytes of a file. Raises OSError; PermissionError if its path leads out of the root."""
        folder, _, name = relative.rpartition("/")
        if name and not escapes(relative) and _PLAIN:
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

    def has(self, relative: str) -> bool:
        """Return whether a path is there, and does not lead out of the root."""
        try:
            return inside(self.root, relative).exists()
        except OSError:
            return False

    def alike(self, relative: str) -> list[str]:
        """Return the paths that differ from `relative` in capitals, or in how an accent is encoded, and are there."""
        found = [""]
        for part in relative.split("/"):
            found = [f"{above}{name}/" for above in found for name in self._listed(above).get(_folded(part), ())]
        return [path[:-1] for path in found]

    def spelled(self, relative: str, any_case: bool) -> str | None:
        """Return a path as it is on disk: as given, or the one that is alike, with `any_case` in capitals too."""
        above, _, name = relative.rpartition("/")
        if (above, any_case) not in self._spelled:
            self._spelled[above, any_case] = self.spelled(above, any_case) if above else ""
        folder = self._spelled[above, any_case]
        return None if folder is None else self._entry(f"{folder}/" if folder else "", name, any_case)

    def _entry(self, folder: str, name: str, any_case: bool) -> str | None:
        alike = self._listed(folder).get(_folded(name), [])
        if name not in alike:
            alike = alike if any_case else [other for other in alike if same_text(other, name)]
            if len(alike) != 1:
                return None
            name = alike[0]
        return folder + name

    def _listed(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._names:
            names = self._names[folder] = {}
            try:
                listed = sorted(os.listdir(self.root / folder))  # noqa: PTH208  # no Path for each of many
            except OSError:
                listed = []
            for name in listed:
                names.setdefault(_folded(name), []).append(name)
        return self._names[folder]


def same_text(one: str, other: str) -> bool:
    """Return whether two names are the same to a reader: an accent may be one character, or a character of its own."""
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@lru_cache(maxsize=64)
def below(root: Path) -> Below:
    """Return the files below `root`."""
    return Below(root)


def read_inside(root: Path, relative: str) -> bytes:
    """Return the bytes of the file `root / relative`. Raises OSError; PermissionError if that leads out of `root`."""
    return below(root).read(relative)


def seen_from(folder: Path, path: Path, paths: ModuleType = os.path) -> str:
    """Return `path` relative to `folder`, with slashes, so that a tree of both can be moved.

    Where no way leads from one to the other, as over two drives of Windows, it is `path` whole. `paths` is the system's
    own module for paths.
    """
    try:
        way = paths.relpath(path, folder)
    except ValueError:
        way = paths.abspath(path)
    return str(way).replace(paths.sep, "/")


# Opened so, a file is no link, and a pipe is not waited on; 0 where the system has no such thing.
_PLAIN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK if hasattr(os, "O_NOFOLLOW") else 0


def _read(descriptor: int, name: str) -> bytes:
    """Return all bytes of an open file, and close it. Raises OSError where it is no regular file."""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        data = os.read(descriptor, status.st_size + 1)
        while len(data) != status.st_size and (more := os.read(descriptor, 1 << 20)):  # it grows, or is very large
            data += more
        return data
    finally:
        os.close(descriptor)


def _resolved(path: Path) -> Path:
    """Return `path` with its links followed. Raises OSError for a link that leads to itself, on every Python."""
    try:
        return path.resolve()
    except RuntimeError:  # before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None


@lru_cache(maxsize=4096)
def _folder_inside(root: Path, relative: str) -> Path:
    whole = _resolved(root)
    folder = _resolved(whole / relative)
    if not folder.is_relative_to(whole):
        above = ["/".join(relative.split("/")[: n + 1]) for n in range(relative.count("/") + 1)]
        out = (path for path in above if not _resolved(whole / path).is_relative_to(whole))
        raise _outside(relative, next(out))
    return folder
