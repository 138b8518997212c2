"""Progress on stderr: a bar with rate and remaining time where a person looks, nothing where none does."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ferdata.running.terminal import printable


class Advance(Protocol):
    """Report `n` more pieces of work as done, optionally with a word on how it goes."""

    def __call__(self, n: int = 1, note: str = "", total: int | None = None) -> None:
        """Add `n` to what is done, and show `note` beside it; `total` is how many there are, once that is known."""


QUIET = "FERDATA_QUIET"  # set by --quiet, and heard by every process that a command starts
_drawn: list[str] = []  # the bar that is on the screen


def _silent(n: int = 1, note: str = "", total: int | None = None) -> None:
    del n, note, total


def quiet() -> bool:
    """Say whether a person wants results and errors alone."""
    return bool(os.environ.get(QUIET))


@contextmanager
def bar(what: str, total: int | None = None, unit: str = "rows") -> Iterator[Advance]:
    """Show a bar labelled `what` while the block runs; `total` None means that the end is not known.

    Nothing is drawn when stderr is not a terminal or nobody wants it, and rich is not imported then; nor within another
    bar's block.
    """
    if not sys.stderr.isatty() or _drawn or quiet():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(what), total=total, rate="", note="")
        _drawn.append(what)

        def advance(n: int = 1, note: str = "", total: int | None = None) -> None:
            speed = progress.tasks[task].speed
            rate = f"{speed:,.0f} {unit}/s" if speed else ""
            progress.update(
                task, total=total, advance=n, rate=rate, note=printable(note)
            )  # a total of None changes nothing

        try:
            yield advance
        finally:
            _drawn.pop()
