"""A league as tables of words: the same cells for the terminal, Markdown and LaTeX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.evaluation import ceilings
from zoo.evaluation.league import speed
from zoo.evaluation.metrics import CALLED

Made = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A title, headings, rows of words (None: nothing to say), and a caption; the first `text` columns are words."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    caption: str = ""
    text: int = 1


def tables(made: Made) -> list[Table]:
    """Return the tables of a league: figures, cost, recall by class."""
    return [figures(made), cost(made), recall(made)]


def where(made: Made) -> str:
    """Return what was judged on, such as `ferplus, test, 3,137 images`."""
    units = "" if made["units"] == made["n"] else f", {made['units']:,} {made['unit']}"
    return f"{', '.join(made['datasets'])}, {made['split']}, {made['n']:,} images{units}"


def figures(made: Made) -> Table:
    """Return the table of what each run scores, and below it what people reach on the same rows."""
    rows: list[tuple[str | None, ...]] = [
        (
            run["run"] + " !" * bool(run["above_ceiling"] or any("LEAK" in mark for mark in run["marks"])),
            *(share(run["accuracy"]), span(run["intervals"]["accuracy"])),
            *(share(run["macro_f1"]), span(run["intervals"]["macro_f1"])),
            *(share(run["ece"]), *_able(run)),
        )
        for run in made["runs"]
    ]
    partial = any(run["never_answered"] for run in made["runs"])
    rows += [(words, share(figure), span(ends), *[None] * (5 if partial else 3)) for words, figure, ends in lines(made)]
    heads = ("run", CALLED["accuracy"], "95 %", CALLED["macro_f1"], "95 %", CALLED["ece"], "on its own classes", "n")
    kept = heads if partial else heads[:-2]
    about = [
        "! see below." if any(str(row[0]).endswith(" !") for row in rows) else "",
        "On its own classes: accuracy on the images whose class the model can answer; in accuracy the others count as "
        "wrong."
        if partial
        else "",
    ]
    return Table(f"League: {where(made)}", kept, tuple(row[: len(kept)] for row in rows), " ".join(filter(None, about)))


def lines(made: Made) -> list[tuple[str, float, list[float] | None]]:
    """Return what people reach on the judged rows, and what always answering the largest class does."""
    known = ceilings.lines({"ceilings": made["people"], "n": made["n"]})
    return [*known, (CALLED["majority_share"], made["majority_share"], None)]


def cost(made: Made) -> Table:
    """Return the table of what each run takes, weighs, and how fast it is here."""
    rows = tuple(
        (
            run["run"],
            None if run["size"] is None else f"{run['size']} px, {'grey' if run['channels'] == 1 else 'RGB'}",
            None if run["views"] is None else str(run["views"]),
            None if run["parameters"] is None else f"{run['parameters']:,}",
            None if run["bytes"] is None else f"{run['bytes'] / 1e6:.2f}",
            *_speed(run["speed"], made["speed"] or {"busy": False}),
        )
        for run in made["runs"]
    )
    busy = made["speed"] is not None and made["speed"]["busy"]
    heads: tuple[str, ...] = ("run", "input", "views", "parameters", "file, MB", "images/s", "ms an image")
    heads += ("CPU ms an image",) if busy else ()
    about = [] if made["speed"] is None else [speed.in_words(made["speed"])]
    if any(run["trained_elsewhere"] and run["parameters"] for run in made["runs"]):
        about.append("Parameters of an ONNX file: the weights that lie in it.")
    return Table("Size and speed", heads, rows, " ".join(about))


def recall(made: Made) -> Table:
    """Return the table of each run's recall by class; with a star where it cannot answer."""
    first = made["runs"][0]["per_class"]
    heads = ("run", *(f"{name} ({first[name]['n']:,})" for name in made["classes"]))
    rows = tuple(
        (
            run["run"],
            *(
                "*" if name in run["never_answered"] else share(run["per_class"][name]["recall"])
                for name in made["classes"]
            ),
        )
        for run in made["runs"]
    )
    stars = any("*" in row for row in rows)
    return Table("Recall by class (images)", heads, rows, "* it cannot answer this class." if stars else "")


def _able(run: Mapping[str, Any]) -> tuple[str | None, str]:
    return share(run["able"]["accuracy"]), f"{run['able']['n']:,}"


def _speed(found: Mapping[str, float] | None, how: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return images a second, milliseconds an image, and, where others kept the processor busy, its own time."""
    each = ["milliseconds", *(["processor_milliseconds"] if how["busy"] else [])]
    if found is None:
        return None, *[None] * len(each)
    return f"{found['images_per_second']:,.0f}", *(f"{found[name]:,.3g}" for name in each)


def share(value: float | None) -> str | None:
    """Return a share in per cent; None stays None."""
    return None if value is None else f"{value:.1%}"


def span(interval: Sequence[float] | None) -> str | None:
    """Return an interval of shares in per cent, `83.9 to 86.3`; None stays None."""
    return None if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def marks(made: Made) -> list[str]:
    """Return what is to be known of the runs, a line each."""
    return [" ".join(f"{run['run']}: {mark}.".split()) for run in made["runs"] for mark in run["marks"]]


def terms(made: Made) -> list[str]:
    """Return the terms of the runs, a line each; those of several that have the same are said once."""
    of: dict[str, list[str]] = {}
    for run in made["runs"]:
        of.setdefault(run["terms"], []).append(run["run"])
    return [" ".join(f"{', '.join(runs)}: {words}.".split()) for words, runs in of.items()]
