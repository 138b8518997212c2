"""What an adapter declares about its dataset, how a folder is recognised, and the readers that adapters share.

An adapter is a module with `SOURCE`, a `Source`, and `samples(base, layout, options)`, a generator of `Sample`
that opens no image and yields in a stable order. Variants of a dataset are layouts of one source.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BrokenSource, NotThisDataset

# class -> count, per split; "all" where a layout has no splits
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Licence:
    """Under which terms a dataset is had; `redistribution` and `commercial` say what is allowed."""

    name: str
    terms: str
    redistribution: bool = False
    commercial: bool = False


@dataclass(frozen=True)
class Option:
    """An option of one adapter, as the command line and `ingest(**options)` take it."""

    name: str
    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One form in which the dataset is found on disk.

    `marks` are glob patterns that all match below the layout's base folder; `labels` takes every native label of
    this layout to a canonical emotion or a reason (`ferdata.labels`); `counts` are the published ones.
    """

    name: str
    marks: tuple[str, ...]
    labels: Mapping[str, str]
    counts: Counts = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Source:
    """A dataset as its publishers describe it: what, whose, under which terms, how to obtain it."""

    name: str
    title: str
    homepage: str
    licence: Licence
    citation: str  # BibTeX
    access: str  # who may have it
    obtain: tuple[str, ...]  # steps, in order
    place: str  # where to put it, below the data root
    content: str  # one line: how many images, which classes
    layouts: tuple[Layout, ...]
    options: tuple[Option, ...] = ()


def recognise(source: Source, root: Path) -> tuple[Layout, Path] | None:
    """Return the first of the source's layouts that lies in `root` or at most two folders below, and its base."""
    bases = [root, *_folders(root)]
    bases += [inner for base in bases[1:] for inner in _folders(base)]
    for layout in source.layouts:
        for base in bases:
            if layout.marks and all(any(True for _ in base.glob(mark)) for mark in layout.marks):
                return layout, base
    return None


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))
    except PermissionError:
        raise NotThisDataset(
            f"No right to read the folder {root}.", "Give yourself read access to it (chmod u+rx)."
        ) from None


IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".gif"))


def images_below(folder: Path) -> list[Path]:
    """Return the image files in `folder` and below, sorted, hidden files and macOS leftovers left out."""
    found = []
    for parent, folders, names in folder.walk() if hasattr(folder, "walk") else _walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
        found += [
            parent / n for n in names if not n.startswith(".") and Path(n).suffix.lower() in IMAGE_SUFFIXES
        ]
    return sorted(found)


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    import os  # Path.walk came with Python 3.12

    for parent, folders, names in os.walk(folder):
        yield Path(parent), folders, names


def relative(path: Path, base: Path) -> str:
    """Return `path` as a POSIX path relative to `base`."""
    return path.relative_to(base).as_posix()


def read_rows(path: Path, columns: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of a csv file; a byte-order mark, CRLF and empty lines are passed over.

    `columns` is the number of cells that every row must have. Raises BrokenSource with file and line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if not row:
                    continue
                if columns is not None and len(row) != columns:
                    raise broken(path, reader.line_num, f"{len(row)} cells where {columns} belong")
                yield reader.line_num, row
    except UnicodeDecodeError:
        raise BrokenSource(f"{path} is not text in UTF-8.", "Is it the csv file itself? Unpack it first.") from None
    except csv.Error as error:
        raise broken(path, reader.line_num, f"not csv ({error})") from None
    except OSError as error:
        raise BrokenSource(f"Cannot read {path}: {error.strerror}.", "Check the file's rights.") from None


def read_table(path: Path, *needed: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, cells by column name) of a csv file with a header; blanks around the names are dropped.

    `needed` are the columns that must be there. Raises BrokenSource with file and line.
    """
    rows = read_rows(path)
    number, first = next(rows, (1, []))
    header = [name.strip() for name in first]
    if missing := [name for name in needed if name not in header]:
        raise BrokenSource(
            f"{path}:{number}: no column {', '.join(map(repr, missing))}; the first line reads "
            f"{','.join(header)[:80]!r}.",
            f"The file needs a header line with {', '.join(needed)}. Has the header been cut off?",
        )
    for line, row in rows:
        if len(row) != len(header):
            raise broken(path, line, f"{len(row)} cells where {len(header)} belong")
        yield line, dict(zip(header, row, strict=True))


def broken(path: Path, line: int, what: str) -> BrokenSource:
    """Return the error for a damaged line of a file."""
    return BrokenSource(f"{path}:{line}: {what}.", "The file is damaged or cut short; download it again.")


def read_pixels(text: str, path: Path, line: int, side: int = 48) -> NDArray[np.uint8]:
    """Return the uint8 (side, side) image that a cell of blank-separated grey values holds.

    Raises BrokenSource unless there are side * side whole numbers in 0..255.
    """
    try:
        values = np.fromstring(text, dtype=np.int32, sep=" ")
    except (ValueError, DeprecationWarning):
        raise broken(path, line, "pixels that are no whole numbers") from None
    if len(values) != side * side:
        raise broken(path, line, f"{len(values):,} pixels where {side * side:,} belong")
    if values.min() < 0 or values.max() > 255:
        raise broken(path, line, f"a pixel of {values.max() if values.max() > 255 else values.min()}")
    return values.astype(np.uint8).reshape(side, side)


def read_votes(cells: list[str], path: Path, line: int) -> tuple[int, ...]:
    """Return the ten votes of a FER+ row. Raises BrokenSource where one is missing, negative or no number."""
    try:
        votes = tuple(int(cell) for cell in cells)
    except ValueError:
        raise broken(path, line, f"votes that are missing or no whole numbers ({','.join(cells)})") from None
    if len(votes) != 10:
        raise broken(path, line, f"{len(votes)} votes where 10 belong")
    if min(votes) < 0:
        raise broken(path, line, f"a negative vote ({min(votes)})")
    return votes


def metadata(source: Source, layout: Layout) -> dict[str, Any]:
    """Return what a manifest's metadata keeps of a source: enough to cite it and to derive its labels again."""
    return {
        "title": source.title,
        "homepage": source.homepage,
        "licence": source.licence.name,
        "redistribution": source.licence.redistribution,
        "commercial": source.licence.commercial,
        "citation": source.citation,
        "release": layout.name,
        "labels": dict(layout.labels),
    }
