"""The rows of one table as samples."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ferdata.adapters.csv.columns import Columns
from ferdata.adapters.csv.emotions import Said, numbers_of, said
from ferdata.adapters.csv.paths import Files, Start
from ferdata.errors import BrokenSource
from ferdata.sources import Sample, leads_out, read_rows, split_of, value
from ferdata.sources.words import both, own_meaning, splits_named

MEND = "Correct the line, or remove it."


@dataclass(frozen=True, slots=True)
class Table:
    """A table and how it is read: `name` is its path below the root, `split` the one that is stated for all rows.

    Where none is stated, a column says it, else the names of the table and of the images' folders. With `any_case`, a
    path means the file that differs from it in capitals alone.
    """

    path: Path
    name: str
    columns: Columns
    start: Start
    stated: bool = False
    split: str | None = None
    any_case: bool = True

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (line number, cells). Raises BrokenSource with file and line."""
        width = len(self.columns.names)
        rows = read_rows(self.path)
        if self.columns.header:
            next(rows, None)
        for line, cells in rows:
            if len(cells) != width:
                raise self.wrong(line, f"{len(cells)} cells, expected {width}")
            yield line, cells

    def key(self, line: int, cells: Sequence[str]) -> str:
        """Return the image's path relative to where the table's paths start. Raises BrokenSource where it is none."""
        key = self.start.key(cells[self.columns.image])
        if not key or not key.isprintable():
            raise self.wrong(line, f"the image path {key!r}")
        return key

    def native(self, cells: Sequence[str], own: Mapping[str, str]) -> str | None:
        """Return the label; `None` or `nan` is one only where the user's own map has it. Raises BrokenSource."""
        if self.columns.label is None:
            return None
        cell = cells[self.columns.label]
        return value(cell) or (cell.strip() if own and own_meaning(cell, own) else None)

    def box(self, cells: Sequence[str]) -> tuple[float, ...] | None:
        """Return x, y, width and height in pixels, or None where no cell holds any. Raises ValueError."""
        texts = [cells[column] for column in self.columns.box]
        if not any(map(value, texts)):
            return None
        words = texts if len(texts) > 1 else re.split(r"[\s,;]+", texts[0].strip(" ()[]"))
        try:
            x, y, third, fourth = map(float, words)
        except ValueError:
            raise ValueError(f"the box {' '.join(texts)!r}") from None
        box = (x, y, third - x, fourth - y) if self.columns.corners else (x, y, third, fourth)
        if not all(map(math.isfinite, box)) or box[2] <= 0 or box[3] <= 0:
            raise ValueError(f"the box {' '.join(texts)!r}")
        return box

    def said(self, line: int, cells: Sequence[str]) -> Said:
        """Return what the columns of emotions say, nothing where there are none. Raises BrokenSource."""
        columns = self.columns
        try:
            numbers = numbers_of(cells, columns.emotions) if columns.emotions else None
            return Said(None) if numbers is None else said(numbers, columns.emotions, columns.names, columns.kind)
        except ValueError as error:
            raise self.wrong(line, str(error)) from None

    def facts(self, line: int, cells: Sequence[str]) -> dict[str, Any]:
        """Return valence, frame, age and others, as far as there are columns for them. Raises BrokenSource."""
        try:
            return {name: fact(name, cells[column]) for name, column in self.columns.facts}
        except ValueError as error:
            raise self.wrong(line, str(error)) from None

    def splits_by_names(self, image: str) -> dict[str, str]:
        """Return the splits that the names of the table and of an image's folders say; more than one contradict."""
        return splits_named([*PurePosixPath(self.name).parts, *image.split("/")[:-1]])

    def wrong(self, line: int, what: str, hint: str = MEND) -> BrokenSource:
        """Return the error for a line."""
        return BrokenSource(f"{self.path}:{line}: {what}.", hint)


def fact(name: str, cell: str) -> float | int | str | None:
    """Return a cell of one of FACTS: a number from -1 to 1, a whole number, or a word. Raises ValueError."""
    word = value(cell)
    if word is None or name not in ("valence", "arousal", "frame"):
        return word
    try:
        number = int(word) if name == "frame" else float(word)
    except ValueError:
        raise ValueError(f"the {name} {word!r}") from None
    if name != "frame" and not -1 <= number <= 1:
        raise ValueError(f"the {name} {word}, which is not between -1 and 1")
    return number


def samples(table: Table, own: Mapping[str, str], base: Path) -> Iterator[tuple[int, Sample, str]]:
    """Yield (line number, sample, image) of every row, the path as key. Raises BrokenSource with file and line."""
    columns, start, files = table.columns, table.start, Files(base, table.any_case)
    by_folder: dict[str, str | None] = {}
    for line, cells in table.rows():
        key = table.key(line, cells)
        if leads_out(key):
            raise table.wrong(line, f"the image path {key!r}, which leads outside the folder")
        image = start.image(key)
        if table.stated:
            split = table.split
        elif columns.split is not None:
            split = split_of(value(cells[columns.split]) or "")
        else:
            folder = image.rpartition("/")[0]
            if folder not in by_folder:
                by_folder[folder] = _named_split(table, line, image)
            split = by_folder[folder]
        emotions = table.said(line, cells)
        sample = Sample(
            key,
            files.find(image) or image,
            native_label=emotions.native if columns.label is None else table.native(cells, own),
            ratings=emotions.ratings,
            votes=emotions.votes,
            subject=None if columns.subject is None else value(cells[columns.subject]),
            sequence=None if columns.clip is None else value(cells[columns.clip]),
            face_box=table.box(cells) if columns.box else None,
            official_split=split,
            **table.facts(line, cells),
        )
        yield line, sample, image


def _named_split(table: Table, line: int, image: str) -> str | None:
    said = table.splits_by_names(image)
    if len(said) > 1:
        raise table.wrong(
            line,
            f"the names of the table and of the image's folders give two splits, {both(said)}",
            f"Give it for each table: --table {next(iter(said))}={table.name} (also train=, val=, test= or none=; "
            f"several separated by commas).",
        )
    return next(iter(said), None)
