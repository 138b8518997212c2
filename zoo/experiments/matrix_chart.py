"""The heat map of a matrix: a line per set that is trained on, a column per test, what was trained on itself framed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from ferdata.charts.lettering import lettering
from ferdata.charts.style import FAINT, INK, NO_DATA, SEQUENTIAL, as_bytes, heading
from zoo.evaluation.charts import DARK, name_of

ABROAD = "abroad (mean)"


def heat_map(made: Mapping[str, Any], folder: Path, form: str = "png") -> bytes:
    """Draw the accuracy of each cell with its interval, and behind a gap each row's mean over the tests abroad."""
    rows = [row["train"] for row in made["rows"]]
    tests = list(dict.fromkeys(cell["test"] for cell in made["cells"]))
    cells = {(cell["train"], cell["test"]): cell for cell in made["cells"]}
    head = f"{name_of(folder)}: test accuracy, {made['seeds']} seeds, {made['images']:,} images seen by each run"
    with lettering([*rows, *tests, head]) as words:
        figure = Figure(figsize=(4.2 + 1.35 * (len(tests) + 1), 2.4 + 0.72 * len(rows)), layout="constrained")
        heading(figure, words[head])
        axes = figure.subplots()
        shade = matplotlib.colormaps[SEQUENTIAL].with_extremes(bad=NO_DATA)
        for y, row in enumerate(made["rows"]):
            for x, test in enumerate(tests):
                cell = cells[row["train"], test]
                _square(axes, x, y, cell["accuracy"], cell["interval"], shade, cell["home"])
            abroad = row["abroad"] or {"mean": None, "interval": None}
            _square(axes, len(tests) + 0.25, y, abroad["mean"], abroad["interval"], shade, False)
        axes.set_xlim(0, len(tests) + 1.25)
        axes.set_ylim(len(rows), 0)
        labels = [words[test] for test in tests]
        axes.set_xticks([*(np.arange(len(tests)) + 0.5), len(tests) + 0.75], [*labels, ABROAD], rotation=30, ha="right")
        sizes = [
            f"{words[row['train']]}  ({'trained elsewhere' if row.get('elsewhere') else format(row['images'], ',')})"
            for row in made["rows"]
        ]
        axes.set_yticks(np.arange(len(rows)) + 0.5, sizes)
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("tested on")
        axes.set_ylabel("trained on (images)")
        scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), shade)
        bar = figure.colorbar(scale, ax=axes, format=PercentFormatter(1), pad=0.02)
        bar.set_label("accuracy", color=INK)
        bar.outline.set_visible(False)
        bar.ax.tick_params(color="#aaaaaa", labelcolor=INK, labelsize=9)
        if bar.solids is not None:
            bar.solids.set_edgecolor("face")
        below = "below each figure its 95 % interval by picture or person; framed: tested on what it was trained on"
        figure.supxlabel(below, fontsize=8, color=FAINT)
        return as_bytes(figure, form)


def _square(
    axes: Any, x: float, y: float, share: float | None, interval: Any, shade: matplotlib.colors.Colormap, home: bool
) -> None:
    """Draw a square of the map with its figure; where nothing was scored, a dash."""
    colour = NO_DATA if share is None else shade(share)
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="white", lw=1.5))
    light = (share or 0) > DARK
    if home:
        axes.add_patch(
            Rectangle((x + 0.04, y + 0.05), 0.92, 0.9, fill=False, edgecolor="white" if light else INK, lw=2)
        )
    ink: dict[str, Any] = {"ha": "center", "va": "center", "color": "white" if light else "black"}
    if share is None:
        axes.text(x + 0.5, y + 0.5, "-", **ink | {"color": FAINT})
        return
    axes.text(x + 0.5, y + (0.38 if interval else 0.5), f"{share:.1%}", fontsize=10, **ink)
    if interval:
        axes.text(x + 0.5, y + 0.7, f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}", fontsize=7, **ink)
