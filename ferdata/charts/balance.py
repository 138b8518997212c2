"""The class balance as a picture: a group of bars per class, one bar per part."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferdata.charts.lettering import lettering
from ferdata.class_balance import Balance
from ferdata.errors import BadOption, CannotWrite
from ferdata.labels import Taxonomy
from ferdata.running.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def save(path: Path, parts: Sequence[Balance], classes: Taxonomy, by: str) -> Path:
    """Draw the parts' classes into a PNG, SVG or PDF. Raises BadOption for another ending, CannotWrite."""
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise BadOption(f"A plot cannot be {path.suffix or 'a file without suffix'!r}.", "Use .png, .svg or .pdf.")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    shown = drawn_parts(parts)
    figure = Figure(figsize=(2.2 + 1.15 * len(classes.classes), 3.9), layout="constrained")
    with lettering(names(parts, classes)) as words:
        axes = figure.subplots()
        _bars(axes, shown, classes, words)
        axes.set_title(f"Labelled rows per class, by {by}", loc="left", fontweight="bold")
        hint = "Choose another file with --plot."
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(f"Cannot write {path}: {error.strerror}.", hint) from None
        with whole_file(path, hint) as temporary:
            figure.savefig(temporary, dpi=160, format=path.suffix[1:].lower())
    return path


def drawn_parts(parts: Sequence[Balance]) -> list[Balance]:
    """Return the parts that have bars: those with labels, and their sum only where there is no other."""
    return [p for p in parts if p.labelled and (p.part != "all" or len(parts) == 1)]


def names(parts: Sequence[Balance], classes: Taxonomy) -> tuple[str, ...]:
    """Return the names that stand in the picture."""
    return (*classes.classes, *(p.part for p in drawn_parts(parts)))


def _bars(axes: "Axes", parts: Sequence[Balance], classes: Taxonomy, words: dict[str, str]) -> None:
    """Draw one group of bars per class: colour is the class, shade the part; the count stands on each bar."""
    width = 0.86 / max(len(parts), 1)
    colours = {c: classes.colour(c) for c in classes.classes}
    for i, part in enumerate(parts):
        at = np.arange(len(classes.classes)) + (i - (len(parts) - 1) / 2) * width
        heights = list(part.counts.values())
        shade = 1 - 0.62 * i / max(len(parts) - 1, 1)
        drawn = axes.bar(at, heights, width * 0.94, color=[colours[c] for c in classes.classes], alpha=shade)
        axes.bar_label(drawn, [f"{h:,}" for h in heights], fontsize=6, rotation=90 if len(parts) > 2 else 0, padding=2)
        axes.bar(0, 0, color="#444444", alpha=shade, label=f"{words[part.part]} ({part.labelled:,})")
    axes.set_xticks(range(len(classes.classes)), [words[c] for c in classes.classes])
    axes.set_ylabel("rows")
    axes.margins(y=0.16)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
