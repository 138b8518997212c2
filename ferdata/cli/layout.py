"""Where words go on a terminal: tables that fit its width, and text that breaks between words.

A pipe has no width: each row of a table and each paragraph is one line there. Numbers and words are never cut, and
nothing is left out. A command to copy stays on one line, whatever its length.

Everything that a command prints goes through here or through `ferdata.cli.output`: what a terminal would obey is spelt
out, whoever wrote it.
"""

import os
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, TextIO

import click

from ferdata.running import progress
from ferdata.running.terminal import printable, printable_lines

LEAST = 18  # characters that a column of running text needs to be read
GAP = "  "
# What is copied as a whole: something in backticks, or a command after a colon, which goes on to the line's end.
WHOLE = re.compile(r"`[^`]*`|(?<=: )(?:ferdata|pip|make|python) .*")

MARK = re.compile(r" *(?:\d+\. |- )?")  # blanks, and a list's number or dash

Rows = Sequence[Sequence[str]]


def room(stream: TextIO) -> int | None:
    """Return how many characters a line of the terminal has that shows `stream`; None for a pipe or a file."""
    if not stream.isatty():
        return None
    try:
        shown = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        shown = 0
    return int(os.environ.get("COLUMNS", "0") or 0) or shown or 80


def echo(text: object = "", err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print text as it is, in no lines but its own: a path, or a command to copy.

    What is dim says where one could go from here, which --quiet leaves out.
    """
    if style.get("dim") and progress.quiet():
        return
    click.secho(printable_lines(str(text)), err=err, nl=nl, color=coloured(), **style)


def prose(text: str, err: bool = False, **style: Any) -> None:
    """Print text for people; a terminal breaks it between words, and no command that stands after a colon."""
    lines = paragraphs(text, room(sys.stderr if err else sys.stdout))
    click.secho("\n".join(lines), err=err, color=coloured(), **style)


def coloured() -> bool | None:
    """Return False where nobody wants colours (https://no-color.org), None where a terminal gets them."""
    return False if os.environ.get("NO_COLOR") else None


def wrapped(text: str, width: int | None, first: str = "", rest: str | None = None) -> list[str]:
    """Return the lines of `text`, the first begun with `first` and the others with `rest` (default: as many blanks)."""
    rest, text = " " * len(first) if rest is None else rest, printable(text)
    if width is None:
        return [first + text]
    whole = WHOLE.sub(lambda found: found[0].replace(" ", "\xa0"), text)
    lines = textwrap.wrap(
        whole, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\xa0", " ") for line in lines] or [first.rstrip()]


def paragraphs(text: str, width: int | None) -> list[str]:
    """Return the lines of a text of several; where one goes on, it does so below its first word, past its number."""
    lines: list[str] = []
    for line in text.split("\n"):
        begun = MARK.match(line)
        head = begun[0] if begun else ""
        lines += wrapped(line[len(head) :], width, head, " " * len(head) + ("  " if head.isspace() else ""))
    return lines


def tabulated(columns: Sequence[str], rows: Rows, text: int, width: int | None) -> Iterator[str]:
    """Yield the lines of a table, headings first; the first `text` columns are words, the others numbers.

    Where `width` is too small for it, sentences among the numbers go below it; then it is turned, so that each column
    becomes a row; and where that is too wide as well, each row becomes a list of its own.
    """
    prose = {i for i in range(len(columns)) if any(" " in row[i] and len(row[i]) > LEAST for row in rows)}
    soft = {i for i in prose if i < text}
    if widths := _widths(columns, rows, soft, width):
        yield from _drawn(columns, rows, widths, {*range(text), *prose})
        return
    kept = [i for i in range(len(columns)) if i not in prose - soft]
    heads, cells = [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]
    turned = [list(stack) for stack in zip(heads, *cells, strict=True)]
    if widths := _widths(heads, cells, soft, width):
        yield from _drawn(heads, cells, widths, set(range(text)))
    elif text == 1 and (widths := _widths(turned[0], turned[1:], set(), width)):
        yield from _drawn(turned[0], turned[1:], widths, {0})
    else:
        yield from _listed(columns, rows, width)
        return
    for i in sorted(prose - soft):
        yield ""
        yield from _listed([columns[i], *(row[0] for row in rows)], [[columns[i], *(row[i] for row in rows)]], width)


def length(text: str) -> int:
    """Return how many characters' room a terminal gives `text`: some scripts and signs take two each."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _widths(columns: Sequence[str], rows: Rows, soft: set[int], width: int | None) -> list[int] | None:
    """Return each column's width, None if they do not fit. Those of `soft` may be narrower than their texts."""
    stacks = list(zip(columns, *rows, strict=True))
    natural = [max(map(length, stack)) for stack in stacks]
    if width is None:
        return natural
    chosen = [_least(stack, i in soft) for i, stack in enumerate(stacks)]
    spare = width - sum(chosen) - len(GAP) * (len(columns) - 1)
    if spare < 0:
        return None
    while spare and (short := [i for i in range(len(columns)) if chosen[i] < natural[i]]):
        chosen[min(short, key=lambda i: chosen[i])] += 1
        spare -= 1
    return chosen


def _least(stack: Sequence[str], soft: bool) -> int:
    """Return the least width of a column, its heading on top: no word of it is cut, and no cell unless it is soft."""
    head, *cells = stack
    words = [word for cell in (stack if soft else (head,)) for word in cell.split()]
    whole = min(LEAST, max(map(length, stack))) if soft else max(map(length, cells), default=0)
    return max((whole, *map(length, words)))


def _drawn(columns: Sequence[str], rows: Rows, widths: Sequence[int], left: set[int]) -> Iterator[str]:
    """Yield a table's lines, its columns so wide; those of `left` begin at the left, the others end at the right."""
    for number, row in enumerate((columns, *rows)):
        cells = [_folded(cell, width) for cell, width in zip(row, widths, strict=True)]
        deepest = max(map(len, cells))
        if not number:  # headings stand on what they head
            cells = [[""] * (deepest - len(cell)) + cell for cell in cells]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = [
                part + " " * (width - length(part)) if i in left else " " * (width - length(part)) + part
                for i, (part, width) in enumerate(zip(parts, widths, strict=True))
            ]
            line = GAP.join(padded).rstrip()
            yield line if number else click.style(line, bold=True)


def _folded(cell: str, width: int) -> list[str]:
    if length(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)


def _listed(columns: Sequence[str], rows: Rows, width: int | None) -> Iterator[str]:
    """Yield each row as a list: its first cell, and below it a line for each other column."""
    longest = max(map(length, columns[1:]), default=0)
    for number, (first, *others) in enumerate(rows):
        if number:
            yield ""
        yield click.style(first, bold=True)
        for name, cell in zip(columns[1:], others, strict=True):
            if cell:
                yield from wrapped(cell, width, f"{GAP}{name:<{longest}}{GAP}")
