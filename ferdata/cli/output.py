"""What people see: tables on stdout, or one JSON document; colours and widths only where a terminal shows them."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table


def console() -> Console:
    """Return the console for stdout; piped output is never cut to a terminal's width."""
    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=160)


def print_json(value: Any) -> None:
    """Print a result (dataclass, mapping, list) as one JSON document."""
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    click.echo(json.dumps(plain, default=_plain, ensure_ascii=False, indent=1))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(type(value).__name__)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "", text: int = 1) -> None:
    """Print a table whose first `text` columns are words and whose others are numbers."""
    grid = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption or None,
        caption_justify="left",
        header_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for i, column in enumerate(columns):
        grid.add_column(column, justify="left" if i < text else "right", overflow="fold")
    for row in rows:
        grid.add_row(*(cell(value) for value in row))
    screen = console()
    with screen.capture() as drawn:
        screen.print(grid)
    for line in drawn.get().splitlines():  # rich pads every line to the table's width
        click.echo(line.rstrip())
    click.echo()


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
    from rich.markup import escape

    return escape(printable(str(value)))


def printable(text: str) -> str:
    """Return `text` with what a terminal would obey (escapes, newlines in a name) written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def facts(pairs: Mapping[str, Any]) -> None:
    """Print aligned `name  value` lines; pairs whose value is None are left out."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        if value is not None:
            text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
            first, *rest = text.splitlines() or [""]
            click.echo(f"{name:<{width}}  {first}")
            for line in rest:
                click.echo(f"{'':<{width}}  {line}")


def by_reason(counts: Mapping[str, int]) -> str:
    """Return `n reason, n reason`, largest first."""
    return ", ".join(f"{n:,} {why}" for why, n in sorted(counts.items(), key=lambda item: -item[1]))
