"""From a path as a table has it to a file below the root: absolute ones, another machine's, another case."""

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from ferdata.sources import leads_out


def posix(path: str) -> str:
    """Return a path in POSIX spelling, without blanks around it, empty steps and `.`; `..` stays."""
    plain = path.strip().replace("\\", "/")
    if "//" in plain or "./" in plain or plain.endswith(("/", "/.")):
        begin = "//" if plain.startswith("//") else "/" if plain.startswith("/") else ""
        plain = begin + "/".join(part for part in plain.split("/") if part not in ("", "."))
    return plain


def below(path: str, roots: Sequence[str]) -> str | None:
    """Return an absolute path relative to the first of `roots` that it lies in; where there is a drive, in any case."""
    for root in roots:
        begin = root.rstrip("/") + "/"
        start = path[: len(begin)]
        if start == begin or (PureWindowsPath(root).drive and start.casefold() == begin.casefold()):
            return path[len(begin) :]
    return None


@dataclass(frozen=True, slots=True)
class Start:
    """Where a table's paths start: `strip` is cut from them, `folder`, below the root, is put before them."""

    roots: tuple[str, ...]
    strip: str = ""
    folder: str = ""

    def key(self, cell: str) -> str:
        """Return the path in a cell relative to where the table's paths start, if it can be."""
        path = posix(cell)
        if self.strip and path.startswith(self.strip):
            return path[len(self.strip) :]
        if path.startswith("/") or path[1:2] == ":":
            return below(path, self.roots) or path
        return path

    def image(self, key: str) -> str:
        """Return the path below the root."""
        return posixpath.join(self.folder, key) if self.folder else key


def roots_of(base: Path) -> tuple[str, ...]:
    """Return how absolute paths may name the root: as it was given, and without links."""
    return tuple(dict.fromkeys((base.absolute().as_posix(), base.resolve().as_posix())))


class Files:
    """The files below a root, each folder listed once.

    A name is found in another Unicode form too, and with `any_case` in other capitals, where one entry is so spelled.
    """

    def __init__(self, root: Path, any_case: bool = True) -> None:
        from ferdata.manifest.safe_paths import Below  # whose room loads pyarrow

        self.any_case = any_case
        self._root = root
        self._below = Below(root)

    def find(self, path: str) -> str | None:
        """Return the file that `path` names, as it is spelled on disk."""
        return self._below.spelled(path, self.any_case)

    def folder_of(self, path: str) -> str | None:
        """Return the only folder in the root, or up to two below, from which `path` is a file; None for none."""
        found = [place for depth in ("*/", "*/*/") for place in self._root.glob(depth) if (place / path).is_file()]
        return found[0].relative_to(self._root).as_posix() if len(found) == 1 else None


def shared_prefixes(paths: Iterable[str]) -> list[str]:
    """Return what all paths, in POSIX spelling, share of their folders, shortest first, each with a `/` at its end."""
    shared: list[str] | None = None
    for path in paths:
        folders = path.split("/")[:-1]
        if shared is None:
            shared = folders
        elif folders[: len(shared)] != shared:
            same = next((i for i, pair in enumerate(zip(shared, folders, strict=False)) if len(set(pair)) > 1), None)
            shared = shared[: min(len(shared), len(folders)) if same is None else same]
    return ["/".join(shared[:n]) + "/" for n in range(1, len(shared or ()) + 1)] if shared else []


def prefixes(paths: Sequence[str], start: Start, files: Files) -> dict[str, int]:
    """Return, for each prefix that all paths share, how many of them are files without it; shortest first."""
    return {
        prefix: sum(1 for path in rest if not leads_out(path) and files.find(start.image(path)))
        for prefix in shared_prefixes(paths)
        if (rest := [path.removeprefix(prefix) for path in paths])
    }
