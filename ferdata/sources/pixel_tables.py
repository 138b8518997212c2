"""Tables of pixels as text, in FER2013's form: `70 80 82 ...`, 8 kB a face."""

import csv
import itertools
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BrokenSource
from ferdata.running.plain_file import open_plain
from ferdata.sources.tables import broken, read_table, read_usage

SIDE = 48
ROWS_AT_ONCE = 64  # parsed together: with 8, numpy's calls cost a tenth more; with 16 to 32, memory comes and goes
READ_AT_ONCE = 1 << 18  # bytes of the file; a line has 8 kB, as much as Python reads at once if it is not told
DIGITS_AND_BLANKS = b"0123456789 \t"
ZERO, NINE, BLANK = b"09 "


@dataclass(frozen=True, slots=True)
class PixelRow:
    """One row of a table of pixels in FER2013's form; None stands for a column that it does not have."""

    line: int
    index: int
    emotion: str | None
    split: str | None
    pixels: NDArray[np.uint8]


class _Cells(NamedTuple):
    """The cells of one row, as they stand in the file."""

    line: int
    emotion: str | None
    usage: str | None
    pixels: bytes


def read_pixel_table(path: Path, *needed: str) -> Iterator[PixelRow]:
    """Yield the rows of `fer2013.csv` and its kin: columns `emotion`, `pixels`, `Usage`, found by name.

    `needed` are those that must be there besides `pixels`. Raises BrokenSource with file and line.
    """
    index = 0
    for block in _blocks(_rows(path, needed)):
        images = parse([row.pixels for row in block], SIDE)
        for i, row in enumerate(block):
            yield PixelRow(
                row.line,
                index,
                None if row.emotion is None else row.emotion.strip(),
                None if row.usage is None else read_usage(row.usage, path, row.line),
                read_pixels(row.pixels.decode(), path, row.line) if images is None else images[i],
            )
            index += 1


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[_Cells]:
    """Yield the rows of the table: from its first line that is not plain on, as `read_table` understands them."""
    done = yield from _plain_rows(path, needed)
    if done is not None:
        for line, cells in itertools.islice(read_table(path, "pixels", *needed), done, None):
            pixels = cells["pixels"].encode(errors="replace")
            yield _Cells(line, cells.get("emotion"), cells.get("Usage"), pixels)


def _plain_rows(path: Path, needed: tuple[str, ...]) -> Generator[_Cells, None, int | None]:
    """Yield rows of ASCII text without quotes, in a third of `read_table`'s time.

    Return None at the end of the file; before the first line that is anything else, how many rows came before it.
    """
    done = 0
    try:
        with open_plain(path, READ_AT_ONCE) as file:
            header = file.readline().removeprefix(b"\xef\xbb\xbf")
            columns = [name.strip() for name in header.decode().split(",")] if _is_plain(header) else []
            if not {"pixels", *needed} <= set(columns):
                return done
            emotion, usage = (columns.index(name) if name in columns else None for name in ("emotion", "Usage"))
            pixels = columns.index("pixels")
            for number, line in enumerate(file, 2):
                cells = line.split(b",")
                cells[-1] = cells[-1].rstrip(b"\r\n")
                if cells == [b""]:
                    continue
                if len(cells) != len(columns) or not _is_plain(line):
                    return done
                yield _Cells(number, _text(cells, emotion), _text(cells, usage), cells[pixels])
                done += 1
    except OSError:
        return done
    return None


def _is_plain(line: bytes) -> bool:
    """Return whether a line means the same to the csv module as to `split`."""
    lone_return = b"\r" in line.removesuffix(b"\n").removesuffix(b"\r")
    return line.isascii() and b'"' not in line and not lone_return and len(line) <= csv.field_size_limit()


def _text(cells: list[bytes], column: int | None) -> str | None:
    return None if column is None else cells[column].decode()


def _blocks(rows: Iterable[_Cells]) -> Iterator[list[_Cells]]:
    """Cut rows into lists of ROWS_AT_ONCE; those before a broken one come before its error."""
    block: list[_Cells] = []
    try:
        for row in rows:
            block.append(row)
            if len(block) == ROWS_AT_ONCE:
                yield block
                block = []
    except BrokenSource:
        if block:
            yield block
        raise
    if block:
        yield block


def read_pixels(text: str, path: Path, line: int, side: int = SIDE) -> NDArray[np.uint8]:
    """Return the uint8 (side, side) image that a cell of blank-separated grey values holds.

    Raises BrokenSource unless there are side * side whole numbers in 0..255.
    """
    data = text.encode(errors="replace")
    if (images := parse([data], side)) is not None:
        return np.asarray(images[0], np.uint8)
    words = text.split()
    if data.translate(None, DIGITS_AND_BLANKS):
        junk = next(word for word in [*words, text] if not (word.isascii() and word.isdigit()))
        raise broken(path, line, f"a pixel of {junk[:20]!r}")
    if len(words) != side * side:
        raise broken(path, line, f"{len(words):,} pixels, expected {side * side:,}")
    short = [word.lstrip("0") or "0" for word in words]
    if large := next((word for word in short if len(word) > 3 or int(word) > 255), None):
        raise broken(path, line, f"a pixel of {large[:20]}")
    return np.array([int(word) for word in short], np.uint8).reshape(side, side)


def parse(cells: list[bytes], side: int) -> NDArray[np.uint8] | None:
    """Return the uint8 (n, side, side) images of n cells of grey values, or None where `read_pixels` must look."""
    images = _parse(cells, side)
    if images is None and not b"".join(cells).translate(None, DIGITS_AND_BLANKS):
        return _parse([b" ".join(cell.split()) for cell in cells], side)
    return images


def _parse(cells: list[bytes], side: int) -> NDArray[np.uint8] | None:
    """Return the images of cells with one blank between two numbers of at most three digits; None for others.

    All numbers are read at once, each back from the blank behind it. In ASCII, the lower four bits of a digit are its
    value, and those of a blank are 0.
    """
    text = np.frombuffer(b" ".join([b"  ", *cells, b""]), np.uint8)  # three blanks before the first number
    each = side * side
    ends = np.flatnonzero(text[3:] == BLANK)
    if len(ends) != each * len(cells):
        return None
    if (ends[each - 1 :: each] != np.cumsum([len(cell) + 1 for cell in cells]) - 1).any():
        return None
    ones, tens, hundreds = (text[back:].take(ends) for back in (2, 1, 0))
    two = tens >= ZERO
    three = (hundreds >= ZERO) & two
    digits = len(ends) + np.count_nonzero(two) + np.count_nonzero(three)
    if ones.min() < ZERO or text.max() > NINE or digits + len(ends) + 3 != len(text):
        return None  # a blank too many, a sign, a letter, a number of four digits
    ones &= 15
    tens &= 15
    hundreds &= 15
    hundreds *= three
    tens += hundreds * np.uint8(10)
    numbers = tens * np.uint8(10) + ones
    if tens.max() > 25 or (numbers < ones).any():  # above 255 it begins again at 0
        return None
    return numbers.reshape(len(cells), side, side)
