"""The readers of tables and their cells that adapters share: csv rows, labels, splits and votes.

A table may be in UTF-8, UTF-16 or Windows-1252, and its separator a comma, a semicolon or a tab.
"""

import contextlib
import csv
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from ferdata.errors import BrokenSource, UnknownLabel
from ferdata.running.text_file import open_text
from ferdata.sources.declaration import Layout

# The words of the FER2013 challenge, which FER+ and the CK+ table took over.
USAGES: Mapping[str, str] = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
SEPARATORS = ",;\t"
# What pandas, R and databases write where there is nothing. NA is not among them: it may be somebody's initials.
MISSING = frozenset(("", "nan", "none", "null", "<na>", "n/a"))
_EXCEL = re.compile(r'"?sep=(.)"?\r?\n?')
_WHOLE = re.compile(r"([+-]?\d+)\.0+", re.ASCII)


@functools.lru_cache(maxsize=65536)
def value(cell: str) -> str | None:
    """Return a cell as it was before a program wrote it: None for nan and its like, 3 for 3.0, no blanks around."""
    text = cell.strip()
    if text.casefold() in MISSING:
        return None
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def separator(line: str) -> str:
    """Return what stands between the cells of a table's first line: the commonest of SEPARATORS outside quotes."""
    bare = re.sub(r'"[^"]*"?', "", line)
    return max(SEPARATORS, key=bare.count)


def header_of(path: Path) -> list[str]:
    """Return the names in a table's first line, which may be cut at 4,096 characters. Raises OSError, UnicodeError."""
    with open_text(path) as file:
        first = file.readline(4096)
    return [name.strip().strip('"') for name in first.split(separator(first))]


def read_rows(path: Path, columns: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of a csv file; a byte-order mark, CRLF and empty lines are passed over.

    `columns` is the number of cells that every row must have. Raises BrokenSource with file and line; NotAFile.
    """
    with text_of(path) as file:
        begun, delimiter = _begin(file)
        for number, row in _split(itertools.chain(begun, file), path, delimiter):
            if columns is not None and len(row) != columns:
                raise broken(path, number, f"{len(row)} cells, expected {columns}")
            yield number, row


@contextlib.contextmanager
def text_of(path: Path) -> Iterator[IO[str]]:
    """Give an open text, in whichever encoding it is. Raises BrokenSource where it is none or is not read; NotAFile."""
    try:
        with open_text(path) as file:
            yield file
    except UnicodeDecodeError:
        raise BrokenSource(
            f"{path} is not text in UTF-8, UTF-16 or Windows-1252.", "Is it the table itself? Unpack it first."
        ) from None
    except UnicodeError as error:
        raise BrokenSource(f"{path} is {error}, not a text table.", _way_to_text(path, str(error))) from None
    except OSError as error:
        rights = isinstance(error, PermissionError)
        raise BrokenSource(
            f"Cannot read {path}: {error.strerror}.",
            "Give yourself read access to it (chmod u+r)." if rights else "Is the dataset complete? Download it again.",
        ) from None


def _begin(lines: Iterable[str]) -> tuple[list[str], str]:
    """Take lines up to the first that holds text, and return what separates its cells; `sep=;` is Excel's, and none."""
    begun = []
    for line in lines:
        hint = _EXCEL.fullmatch(line)
        begun.append("\n" if hint else line)
        if hint:
            return begun, hint[1]
        if line.strip():
            break
    return begun, separator("".join(begun))


def _way_to_text(path: Path, kind: str) -> str:
    if "Parquet" in kind:
        return (
            f"Write it as text: python -c \"import pandas; pandas.read_parquet({path.name!r}).to_csv('table.csv')\" "
            "(pictures inside it have to be written to files first)."
        )
    return "Unpack or download it again, or save it as csv."


def _split(lines: Iterable[str], path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of csv text; the csv module begins at the first quote, since it takes its time."""
    number = 0
    remaining = iter(lines)
    for line in remaining:
        if '"' in line or len(line) > csv.field_size_limit():
            break
        number += 1
        if bare := line.rstrip("\r\n"):
            yield number, bare.split(delimiter)
    else:
        return
    reader = csv.reader(itertools.chain([line], remaining), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if row:
                yield number + reader.line_num, row
    except csv.Error as error:
        raise broken(path, number + reader.line_num, f"not csv ({error})") from None


def read_table(path: Path, *needed: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, cells by column name) of a csv file with a header; blanks around names are dropped.

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
            raise broken(path, line, f"{len(row)} cells, expected {len(header)}")
        yield line, dict(zip(header, row, strict=True))


def broken(path: Path, line: int, what: str) -> BrokenSource:
    """Return the error for a damaged line of a file."""
    return BrokenSource(f"{path}:{line}: {what}.", "The file is damaged or incomplete; download it again.")


def is_code(label: str) -> bool:
    """Return whether a label is a number, which means nothing without its publishers' list."""
    return re.fullmatch(r"[+-]?\d+(\.\d*)?", label.strip(), re.ASCII) is not None


def known(label: str, layout: Layout, path: Path, line: int) -> str:
    """Return `label`, or 3 for 3.0, if the layout's map has it. Raises UnknownLabel with file and line."""
    if label not in layout.labels:
        if (plain := value(label)) is not None and plain in layout.labels and plain != label:
            return plain
        raise UnknownLabel(
            f"{path}:{line}: label {label!r}, which this release does not have.",
            f"Known labels: {', '.join(layout.labels)}. Check that this is the release you mean.",
        )
    return label


def read_usage(cell: str, path: Path, line: int) -> str:
    """Return the official split that FER2013's `Usage` means. Raises BrokenSource on any other word."""
    try:
        return USAGES[cell.strip()]
    except KeyError:
        raise broken(path, line, f"Usage {cell!r}, which is not one of {', '.join(USAGES)}") from None


def read_votes(cells: list[str], path: Path, line: int) -> tuple[int, ...]:
    """Return the ten votes of a FER+ row. Raises BrokenSource where one is missing, negative or no number."""
    try:
        votes = _votes(cells)
    except ValueError:
        raise broken(path, line, f"votes that are missing or not whole numbers ({','.join(cells)})") from None
    if len(votes) != 10:
        raise broken(path, line, f"{len(votes)} votes, expected 10")
    if sum(votes) > 10:
        raise broken(path, line, f"{sum(votes):,} votes, but ten annotators")
    if min(votes) < 0:
        raise broken(path, line, f"a negative vote ({min(votes)})")
    return votes


def _votes(cells: list[str]) -> tuple[int, ...]:
    try:
        return tuple(map(int, cells))
    except ValueError:  # 3.0, as pandas writes a column in which one was missing
        return tuple(int(value(cell) or "") for cell in cells)
