"""A league as a file, by its ending: Markdown, LaTeX with booktabs rules, or CSV with plain numbers."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferdata.charts.typeset import latex
from ferdata.charts.typeset import markdown as markdown_table
from ferdata.errors import BadOption, CannotWrite
from ferdata.running.whole_file import write_whole
from zoo.evaluation.league.tables import lines, marks, tables, terms

Made = Mapping[str, Any]
PER_CLASS = ("recall", "precision", "f1", "n")


def format_of(path: Path) -> Callable[[Made], str]:
    """Return what writes a league in the format of a file's ending. Raises BadOption for one that there is not."""
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise BadOption(
            f"A league cannot be written to {path}.", f"End its name in one of {', '.join(WRITERS)}, or give --plot."
        )
    return writer


def write(path: Path, made: Made) -> None:
    """Write a league in the format of the file's ending. Raises BadOption, CannotWrite."""
    text, hint = format_of(path)(made), "Choose another file with --out."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"Cannot write {path}: {error.strerror}.", hint) from None
    write_whole(path, text, hint)


def markdown(made: Made) -> str:
    """Return the league as Markdown."""
    parts = [markdown_table(t.title, t.heads, t.rows, t.caption, t.text) for t in tables(made)]
    for title, told in (("Notes", marks(made)), ("Terms", terms(made))):
        if told:
            parts.append("\n".join([f"**{title}**\n", *(f"- {_plain(line)}" for line in told), ""]))
    if made["answer"]:
        parts.append(f"{_plain(made['answer'])}\n")
    return "\n".join(parts)


def tex(made: Made) -> str:
    """Return the tables of the league as LaTeX, and what is to be known of its runs as comments."""
    parts = [latex(t.title, t.heads, t.rows, t.caption, t.text) for t in tables(made)]
    said = [*marks(made), *terms(made), *filter(None, [made["answer"]])]
    return "\n".join([*parts, *(f"% {line}" for line in said), ""])


def table_of_numbers(made: Made) -> str:
    """Return a line per run, shares in 0..1; what people reach has a line each, with the accuracy alone."""
    text = io.StringIO()
    rows = [dict(_cells(run, made["classes"])) for run in made["runs"]]
    rows += [
        {"run": words, "accuracy": figure, "accuracy_low": ends and ends[0], "accuracy_high": ends and ends[1]}
        for words, figure, ends in lines(made)
    ]
    writer = csv.DictWriter(text, list(rows[0]), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cells(run: Mapping[str, Any], classes: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the columns of a run's line."""
    yield from ((name, run[name]) for name in ("run", "backbone", "trained_elsewhere", "n"))
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "ece", "log_loss"):
        low, high = run["intervals"][name] or (None, None)
        yield from ((name, run[name]), (f"{name}_low", low), (f"{name}_high", high))
    yield from ((f"able_{name}", run["able"][name]) for name in ("accuracy", "n"))
    yield from ((name, run[name]) for name in ("parameters", "bytes", "size", "channels", "views"))
    found = run["speed"] or {}
    yield from ((name, found.get(name)) for name in ("images_per_second", "milliseconds", "processor_milliseconds"))
    for name in classes:
        yield from ((f"{figure}_{name}", run["per_class"][name][figure]) for figure in PER_CLASS)
    yield from (("terms", run["terms"]), ("marks", "; ".join(run["marks"])))


def _plain(line: str) -> str:
    """Return words in which Markdown finds no table and no emphasis."""
    return "".join(f"\\{c}" if c in "*_|`<" else c for c in line)


WRITERS: Mapping[str, Callable[[Made], str]] = {".md": markdown, ".tex": tex, ".csv": table_of_numbers}
