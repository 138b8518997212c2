"""The class balance as a chart: a panel per part, a bar per class, as shares, so that a small part is seen too."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ferdata.charts.lettering import lettering
from ferdata.charts.style import INK, as_bytes, heading, quiet, write_file
from ferdata.class_balance import Balance
from ferdata.labels import Taxonomy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST, IN_A_ROW = 12, 4  # panels: of more nobody sees the whole


def save(path: Path, parts: Sequence[Balance], classes: Taxonomy, by: str) -> Path:
    """Draw the parts' classes into a PNG, SVG or PDF. Raises BadOption for another ending, CannotWrite."""
    write_file(path, partial(_drawn, parts, classes, by))
    return path


def drawn_parts(parts: Sequence[Balance]) -> list[Balance]:
    """Return the parts that are drawn, at most MOST, the largest: those with labels; their sum where there is no other.

    They keep their order.
    """
    some = [p for p in parts if p.labelled and (p.part != "all" or len(parts) == 1)]
    largest = sorted(some, key=lambda p: -p.labelled)[:MOST]
    return [p for p in some if p in largest]


def names(parts: Sequence[Balance], classes: Taxonomy) -> tuple[str, ...]:
    """Return the names that stand in the picture."""
    return (*classes.classes, *(p.part for p in drawn_parts(parts)))


def _drawn(parts: Sequence[Balance], classes: Taxonomy, by: str, form: str) -> bytes:
    """Return the chart as a file of a format."""
    from matplotlib.figure import Figure

    shown = drawn_parts(parts)
    wide, high = min(len(shown), IN_A_ROW) or 1, math.ceil(len(shown) / IN_A_ROW) or 1
    figure = Figure(figsize=(1.6 + 2.7 * wide, high * (1.2 + 0.3 * len(classes.classes)) + 0.5), layout="constrained")
    longest = max((share for part in shown for share in part.shares.values()), default=0)
    with lettering(names(parts, classes)) as words:
        panels = figure.subplots(high, wide, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, part in zip(panels, shown, strict=False):
            _bars(axes, part, classes, words, longest)
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
        panels[0].set_yticks(range(len(classes.classes)), [words[c] for c in classes.classes])
        panels[0].set_ylim(len(classes.classes) - 0.4, -0.6)
        rows = sum(p.labelled for p in shown)
        some = len([p for p in parts if p.labelled and p.part != "all"])
        of = f", the {len(shown)} largest of {some}" if some > len(shown) else ""
        heading(figure, f"Class shares by {by}{of}, n = {rows:,} labelled rows")
        return as_bytes(figure, form)


def _bars(axes: "Axes", part: Balance, classes: Taxonomy, words: dict[str, str], longest: float) -> None:
    """Draw the classes of a part: the bar is the share, in the class's colour; share and count stand behind it."""
    from matplotlib.ticker import AutoLocator, PercentFormatter

    shares = [part.shares[c] for c in classes.classes]
    axes.barh(range(len(shares)), shares, 0.7, color=[classes.colour(c) for c in classes.classes])
    for y, (name, share) in enumerate(zip(classes.classes, shares, strict=True)):
        axes.text(share + 0.015 * longest, y, f"{share:.1%}  {part.counts[name]:,}", va="center", fontsize=8, color=INK)
    axes.set_xlim(0, longest * 1.6)  # room for the words behind the longest bar
    axes.set_xticks([tick for tick in AutoLocator().tick_values(0, longest) if tick <= 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_title(f"{words[part.part]}, n = {part.labelled:,}", loc="left", fontsize=10, color=INK)
    quiet(axes, "x")
