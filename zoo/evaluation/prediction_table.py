"""A table of predictions that another program wrote: a line per image, and a column of probabilities per class."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ferdata.errors import BadOption, listed
from ferdata.labels import REASONS, Taxonomy, spelled
from ferdata.manifest import checksums
from ferdata.manifest.safe_paths import must_be_file
from ferdata.running.documents import parse_json
from ferdata.running.spreadsheet import from_cell
from ferdata.running.text_file import open_text
from zoo.evaluation.predictions import KEY

NAMED_BY = ("sample_id", "pixel_hash", "path", "file", "filename", "filenames", "image")  # the first that is there
SAID = ("predicted", "prediction", "pred", "label", "class", "emotion", "expression", "target")  # what holds one word
NAMELESS = "one without a name"  # the index, which pandas writes too unless it is told not to
SEPARATORS = ",;\t"
TOLERANCE = 0.01 + 1e-9  # what a row's probabilities may differ from 1 by, in sum; a sum of 1.01 is some ulps above it
FORM = (
    "A table needs a column path (or pixel_hash, or sample_id) and a column of probabilities for each class, named as "
    "the class is, such as happy or happiness: docs/judging.md has ten lines for Keras that write one."
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Lines that say of the image `names[i]`, a cell of the column `named_by`, how probable each class is.

    `p` is float64 (n, columns), with rows that sum to 1. Each column has its name in the file, and what that means: a
    class of the taxonomy, an emotion, or a reason for having none. `ignored` are the file's other columns.
    """

    path: Path
    named_by: str
    names: list[str]
    p: Floats
    columns: tuple[str, ...]
    meanings: tuple[str, ...]
    ignored: tuple[str, ...]

    def at(self, where: NDArray[np.intp]) -> Floats:
        """Return the probabilities in the lines `where`."""
        return np.asarray(self.p[where])


def is_foreign(path: Path) -> bool:
    """Return whether a file is a table that another program wrote, by its ending and what its metadata lack."""
    if path.suffix.lower() != ".parquet":
        return path.is_file()
    try:
        must_be_file(path)
        return KEY not in (pq.read_metadata(path).metadata or {})
    except (OSError, pa.ArrowException):  # not there, or no Parquet
        return False


def read(path: Path, taxonomy: Taxonomy) -> Table:
    """Read a CSV or Parquet file. Raises BadOption where it is none, or its numbers are no probabilities."""
    cells, lines = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    meanings = {name: means for name in cells if (means := meaning(name, taxonomy))}
    lower = {name.strip().casefold(): name for name in reversed(cells) if name not in meanings}
    named_by = next((lower[key] for key in NAMED_BY if key in lower), None)
    if not meanings:
        raise BadOption(_without_classes(path, list(cells)), FORM)
    if named_by is None:
        raise BadOption(f"{path} has no column that names a row: it has {listed(cells)}.", FORM)
    if not lines:
        raise BadOption(f"{path} has a header, and no line below it.", FORM)
    p = np.stack([_numbers(path, name, cells[name], lines) for name in meanings], axis=1)
    others = (name for name in cells if name not in meanings and name != named_by)
    ignored = tuple(name if name.strip() else NAMELESS for name in others)
    _check(path, p, lines, ignored)
    names = [from_cell(str(cell if cell is not None else "").strip()) for cell in cells[named_by]]
    return Table(path, named_by, names, p / p.sum(1, keepdims=True), tuple(meanings), tuple(meanings.values()), ignored)


def meaning(name: str, taxonomy: Taxonomy) -> str | None:
    """Return the class, emotion or reason that a column's name means, `p_` before it or not; None where it is none."""
    word = name.strip().casefold()
    for form in (word, word.removeprefix("p_")):
        known = {c.casefold(): c for c in taxonomy.classes} | {reason: reason for reason in REASONS}
        if means := known.get(form) or spelled(form):
            return means
    return None


def _without_classes(path: Path, names: list[str]) -> str:
    """Return what a table without a column of a class has instead."""
    if said := [name for name in names if name.strip().casefold() in SAID]:
        return (
            f"{path} has no column of probabilities: {said[0]} says which class was predicted, and not how probable "
            "each class was, which AUC, calibration and log loss are made of."
        )
    if numbers := [name for name in names if name.strip().isdecimal()]:
        return f"{path} has the columns {listed(numbers)}, which do not say which class each is of."
    return f"{path} has no column named as a class: it has {listed(names)}."


def _csv(path: Path) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """Return the cells of each column, and where each line is; a byte-order mark, semicolons and tabs are read."""
    try:
        must_be_file(path)
        with open_text(path) as file:
            text = file.read()
    except FileNotFoundError:
        raise BadOption(f"There is no file {path}.", "Name a table of predictions, CSV or Parquet.") from None
    except (OSError, UnicodeError) as error:
        raise BadOption(f"{path} is no table: {getattr(error, 'strerror', None) or error}.", FORM) from None
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows, lines = [], []
    try:
        header = next(reader, [])
        for row in reader:
            if any(map(str.strip, row)):
                rows.append(row)
                lines.append(f"line {reader.line_num}")
    except csv.Error as error:
        raise BadOption(f"{path} is no CSV: {error}.", FORM) from None
    _check_header(path, header)
    if (bad := next((i for i, row in enumerate(rows) if len(row) != len(header)), None)) is not None:
        raise BadOption(f"{path}, {lines[bad]}: {len(rows[bad])} cells, where the header has {len(header)}.", FORM)
    return dict(zip(header, zip(*rows, strict=True) if rows else ((),) * len(header), strict=True)), lines


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not any(name.strip() for name in header):
        raise BadOption(f"{path} is empty.", FORM)
    if twice := [name for name in dict.fromkeys(header) if list(header).count(name) > 1]:
        raise BadOption(f"{path} has the column {twice[0]!r} twice.", "Keep one of them.")


def _parquet(path: Path) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """Return the cells of each column, and where each row is; ferdata's own files have the classes in one column."""
    try:
        table = checksums.read_table(path)
    except FileNotFoundError:
        raise BadOption(f"There is no file {path}.", "Name a table of predictions, CSV or Parquet.") from None
    except checksums.Damaged as error:
        raise BadOption(f"{path} is damaged: {error}.", "Restore it from a copy, or write it anew.") from None
    except (OSError, pa.ArrowException) as error:
        raise BadOption(f"{path} is no Parquet file: {str(error).splitlines()[0]}.", FORM) from None
    lines = [f"row {i}" for i in range(1, len(table) + 1)]
    _check_header(path, table.column_names)
    if KEY in (table.schema.metadata or {}) and {"sample_id", "probabilities"} <= {*table.column_names}:
        try:
            classes = [str(name) for name in parse_json(table.schema.metadata[KEY])["classes"]]
            shares = zip(*table["probabilities"].to_pylist(), strict=True) if len(table) else ((),) * len(classes)
            return {"sample_id": table["sample_id"].to_pylist(), **dict(zip(classes, shares, strict=True))}, lines
        except (ValueError, TypeError, KeyError) as error:
            raise BadOption(f"{path} does not say what its probabilities are of: {error}.", FORM) from None
    return {name: table[name].to_pylist() for name in table.column_names}, lines


def _numbers(path: Path, name: str, cells: Sequence[Any], lines: Sequence[str]) -> Floats:
    """Return a column's cells as numbers, float64 (n,). Raises BadOption for the first that is none."""
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            # Half of Europe writes 0,35.
            values[i] = float(cell.replace(",", ".") if isinstance(cell, str) else cell)
        except (TypeError, ValueError):
            values[i] = np.nan
    lost = np.flatnonzero(~np.isfinite(values))
    if len(lost):
        cell = cells[lost[0]]
        what = "empty" if cell is None or not str(cell).strip() else f"{cell!s:.40}, which is no number"
        more = f" So are {len(lost) - 1:,} more cells of this column." if len(lost) > 1 else ""
        raise BadOption(
            f"{path}, {lines[lost[0]]}: {name} is {what}.{more}",
            "Each class needs a probability in each line; leave out lines of images that were not predicted.",
        )
    return values


def _check(path: Path, p: Floats, lines: Sequence[str], ignored: Sequence[str]) -> None:
    """Raise BadOption unless every row is probabilities: 0 or more, and 1 in sum."""
    below, total = np.flatnonzero((p < 0).any(1)), p.sum(1)
    off = np.flatnonzero(abs(total - 1) > TOLERANCE)
    if len(below):
        raise BadOption(
            f"{_first(path, below, lines)}: a value is {p[below[0]].min():.4g}, and no probability is below 0.",
            "These look like raw scores (logits). Apply softmax to each row and write that: "
            "tf.nn.softmax(scores).numpy(), or scipy.special.softmax(scores, axis=1).",
        )
    if len(off) and abs(np.median(total) - 100) < 100 * TOLERANCE:
        raise BadOption(f"{_first(path, off, lines)}: the values are per cent.", "Divide them by 100.")
    if len(off):
        beside = f" Columns that were not read as a class: {listed(ignored)}." if ignored else ""
        raise BadOption(
            f"{_first(path, off, lines)}: the probabilities are {total[off[0]]:.4g} in sum, not 1.{beside}",
            "Write one column for each class of the model, with four digits or more, as its softmax gives them; apply "
            "softmax to raw scores. Outputs of a sigmoid are no probabilities of one class.",
        )


def _first(path: Path, bad: NDArray[np.intp], lines: Sequence[str]) -> str:
    """Return where the first of bad lines is, and how many there are."""
    return f"{path}, {lines[bad[0]]} ({len(bad):,} of {len(lines):,} lines)"
