"""What people see: tables on stdout, or one JSON document; colours and widths only where a terminal shows them."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import coloured, echo, room, tabulated, wrapped
from ferdata.errors import shortened
from ferdata.running.terminal import printable, printable_json


def print_json(value: Any) -> None:
    """Print a result (dataclass, mapping, list) as one JSON document."""
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    click.echo(printable_json(json.dumps(plain, default=_plain, ensure_ascii=False, indent=1)))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(type(value).__name__)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "", text: int = 1) -> None:
    """Print a table whose first `text` columns are words and whose others are numbers, as it fits the terminal."""
    width = room(sys.stdout)
    if title:
        click.secho("\n".join(wrapped(title, width)), color=coloured(), bold=True)
    for line in tabulated([*map(printable, columns)], [[cell(value) for value in row] for row in rows], text, width):
        click.echo(line)  # of cells, which `cell` has made fit
    if caption:
        click.secho("\n".join(wrapped(caption, width)), color=coloured(), italic=True)
    echo()


def cell(value: Any) -> str:
    """Return a cell's text: thousands in groups, a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return printable(shortened(str(value)))


def facts(pairs: Mapping[str, Any]) -> None:
    """Print aligned `name  value` lines; pairs whose value is None are left out."""
    longest = max((len(name) for name in pairs), default=0)
    width = room(sys.stdout)
    for name, value in pairs.items():
        if value is not None:
            text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
            for number, line in enumerate(text.splitlines() or [""]):
                head = f"{'' if number else name:<{longest}}  "
                click.echo("\n".join(wrapped(shortened(line), width, head)))


Branch = tuple[str, "Sequence[Branch]"]  # what a line of a tree says, and what hangs below it


def tree(branches: Sequence[Branch], guide: str = "") -> None:
    """Print a tree; each line of a text that a terminal breaks goes on beside its branch."""
    for number, (words, below) in enumerate(branches):
        fork, on = ("└── ", "    ") if number == len(branches) - 1 else ("├── ", "│   ")
        trunk = guide + on + ("│   " if below else "")
        click.echo("\n".join(wrapped(words, room(sys.stdout), guide + fork, trunk)))
        tree(below, guide + on)


def by_reason(counts: Mapping[str, int]) -> str:
    """Return `n reason, n reason`, largest first."""
    return ", ".join(f"{n:,} {why}" for why, n in sorted(counts.items(), key=lambda item: -item[1]))
