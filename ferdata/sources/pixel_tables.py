"""Tables of pixels as text, in FER2013's form: `70 80 82 ...`, 8 kB a face."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BrokenSource
from ferdata.sources.tables import broken, read_table, read_usage

SIDE = 48
ROWS_AT_ONCE = 4  # parsed together: with more, each array is large enough to be fresh memory, three times as slow
DIGITS_AND_BLANKS = b"0123456789 \t"
Cells = tuple[int, dict[str, str]]


@dataclass(frozen=True, slots=True)
class PixelRow:
    """One row of a table of pixels in FER2013's form; None stands for a column that it does not have."""

    line: int
    index: int
    emotion: str | None
    split: str | None
    pixels: NDArray[np.uint8]


def read_pixel_table(path: Path, *needed: str) -> Iterator[PixelRow]:
    """Yield the rows of `fer2013.csv` and its kin: columns `emotion`, `pixels`, `Usage`, found by name.

    `needed` are those that must be there besides `pixels`. Raises BrokenSource with file and line.
    """
    index = 0
    for block in _blocks(read_table(path, "pixels", *needed)):
        images = parse([cells["pixels"].encode(errors="replace") for _, cells in block], SIDE)
        for i, (line, cells) in enumerate(block):
            usage = cells.get("Usage")
            yield PixelRow(
                line=line,
                index=index,
                emotion=cells["emotion"].strip() if "emotion" in cells else None,
                split=read_usage(usage, path, line) if usage is not None else None,
                pixels=read_pixels(cells["pixels"], path, line) if images is None else images[i],
            )
            index += 1


def _blocks(rows: Iterable[Cells]) -> Iterator[list[Cells]]:
    """Cut rows into lists of ROWS_AT_ONCE; those before a broken one come before its error."""
    block: list[Cells] = []
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
        raise broken(path, line, f"{len(words):,} pixels where {side * side:,} belong")
    short = [word.lstrip("0") or "0" for word in words]
    if large := next((word for word in short if len(word) > 3 or int(word) > 255), None):
        raise broken(path, line, f"a pixel of {large[:20]}")
    return np.array([int(word) for word in short], np.uint8).reshape(side, side)


def parse(cells: list[bytes], side: int) -> NDArray[np.uint8] | None:
    """Return the uint8 (n, side, side) images of n cells of grey values, or None where `read_pixels` must look.

    Each byte is looked at as if a number of one to three digits ended there, all of them at once: under half the time
    of one number after the other, and most of it without the interpreter's lock.
    """
    text = b"   " + b" ".join(cells) + b" "
    if text.translate(None, DIGITS_AND_BLANKS):
        return None
    found = np.frombuffer(text, np.uint8)
    digit = found >= ord("0")
    pairs = digit[1:] & digit[:-1]
    if (pairs[2:] & pairs[:-2]).any():  # four digits in a row
        return None
    ends = digit[3:-1] > digit[4:]
    first = 0
    for cell in cells:
        if np.count_nonzero(ends[first : first + len(cell)]) != side * side:
            return None
        first += len(cell) + 1
    value = (found - np.uint8(ord("0"))) * digit
    number = value[2:-2] * np.uint16(10)
    number += value[3:-1]
    number += value[1:-3] * digit[2:-2] * np.uint16(100)
    # `compress` is twice as fast as an index of booleans.
    numbers = np.compress(ends, number)
    if numbers.size and numbers.max() > 255:
        return None
    return numbers.astype(np.uint8).reshape(len(cells), side, side)
