"""The plot of a league: accuracy, with its interval, against milliseconds an image, what people reach as lines."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter
from matplotlib.transforms import Bbox

from ferdata.charts.lettering import lettering
from ferdata.charts.style import FAINT, INK, SOFT, STRONG, as_bytes, heading, quiet
from zoo.evaluation.charts import name_of
from zoo.evaluation.league.speed import time_of
from zoo.evaluation.league.tables import lines, where

# Where a name may stand beside its mark, in points: the first place that is free.
PLACES = ((9, 7), (9, -13), (-9, 7), (-9, -13), (9, 20), (9, -26), (-9, 20), (-9, -26), (9, 33), (9, -39))


def against_time(made: Mapping[str, Any], form: str = "png") -> bytes:
    """Draw the runs of a league whose speed is known; those of which it is not are named below."""
    runs = [{**run, "x": time_of(run["speed"], made["speed"])} for run in made["runs"] if run["speed"]]
    names = short([run["run"] for run in made["runs"]])
    head = f"League: {where(made)}"
    figure = Figure(figsize=(9, 6), layout="constrained")
    FigureCanvasAgg(figure)  # texts have a size only on one
    axes = figure.subplots()
    with lettering([*names.values(), head]) as words:
        for run in runs:
            _mark(axes, run)
        _axes(axes, runs, made)
        heading(figure, words[head])
        figure.supxlabel(_below(made, [words[names[run["run"]]] for run in made["runs"] if not run["speed"]]), **_SMALL)
        figure.draw_without_rendering()
        taken = list(_marks(axes, runs))
        _people(axes, made, taken)
        for run in runs:
            _name(axes, run, words[names[run["run"]]], taken)
        return as_bytes(figure, form)


_SMALL: dict[str, Any] = {"fontsize": 8, "color": FAINT}


def short(runs: Sequence[str]) -> dict[str, str]:
    """Return what each run is called in a chart: its folder's name, with its parent's where two are called so."""
    plain = [name_of(Path(run)) for run in runs]
    return {
        run: name if plain.count(name) == 1 else "/".join(Path(run).resolve().parts[-2:])
        for run, name in zip(runs, plain, strict=True)
    }


def _mark(axes: Axes, run: Mapping[str, Any]) -> None:
    """Draw a run: full where it is ours, hollow where others trained it."""
    x, y, ends = run["x"], run["accuracy"], run["intervals"]["accuracy"]
    if ends is not None:
        axes.plot((x, x), ends, color=SOFT, lw=2, solid_capstyle="butt", zorder=2)
    face = "white" if run["trained_elsewhere"] else STRONG
    axes.plot(x, y, marker="o", ms=8, color=STRONG, mfc=face, mew=1.8, ls="", zorder=3)


def _axes(axes: Axes, runs: Sequence[Mapping[str, Any]], made: Mapping[str, Any]) -> None:
    """Set the axes: time in factors, since nets differ by tens, and accuracy no wider than what is drawn."""
    times = [run["x"] for run in runs] or [1.0]
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 2, max(times) * 3)
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    ends = [end for run in runs for end in (run["intervals"]["accuracy"] or [run["accuracy"]])]
    known = [*ends, *(figure for _, figure, _ in lines(made)[:-1])] or [0.0, 1.0]
    room = max(0.02, 0.08 * (max(known) - min(known)))
    axes.set_ylim(max(0, min(known) - room), min(1.005, max(known) + room))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylabel("accuracy, with its 95 % interval")
    busy = made["speed"] is not None and made["speed"]["busy"]
    axes.set_xlabel(f"{'CPU ' * busy}milliseconds an image")
    quiet(axes, "y")


def _people(axes: Axes, made: Mapping[str, Any], taken: list[Bbox]) -> None:
    """Draw a line for each figure of people, with its words at an end of it."""
    low, high = axes.get_ylim()
    for words, figure, _ in lines(made):
        if low <= figure <= high:
            axes.axhline(figure, color=FAINT, lw=1, ls="--", zorder=1)
            at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", **_SMALL}
            ends = [
                {"xy": (x, figure), "xytext": (0, up), "ha": side, "va": over}
                for up, over in ((2, "bottom"), (-2, "top"))
                for x, side in ((0.995, "right"), (0.005, "left"))
            ]
            _write(axes, f"{words}: {figure:.1%}", [{**at, **end} for end in ends], taken)


def _marks(axes: Axes, runs: Sequence[Mapping[str, Any]]) -> Iterator[Bbox]:
    """Yield where the marks of the runs and their intervals are drawn."""
    for run in runs:
        x, ends = run["x"], run["intervals"]["accuracy"] or [run["accuracy"]] * 2
        (left, low), (_, high) = axes.transData.transform([(x, ends[0]), (x, ends[1])])
        yield Bbox([[left - 3, low], [left + 3, high]])
        (left, middle) = axes.transData.transform((x, run["accuracy"]))
        yield Bbox([[left - 7, middle - 7], [left + 7, middle + 7]])


def _name(axes: Axes, run: Mapping[str, Any], name: str, taken: list[Bbox]) -> None:
    """Write a run's name and accuracy beside its mark."""
    how: dict[str, Any] = {"xy": (run["x"], run["accuracy"]), "textcoords": "offset points", "color": INK}
    sides = [
        {**how, "xytext": place, "ha": "left" if place[0] > 0 else "right", "fontsize": 9, "zorder": 4}
        for place in PLACES
    ]
    _write(axes, f"{name}  {run['accuracy']:.1%}", sides, taken)


def _write(axes: Axes, words: str, places: Sequence[Mapping[str, Any]], taken: list[Bbox]) -> None:
    """Write words at the first of the places where nothing stands, the first of all if none is free; take it."""
    for number, place in enumerate((*places, places[0])):
        text = axes.annotate(words, **place)
        box = text.get_window_extent()
        inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.figure.bbox.x1
        if number == len(places) or (inside and not any(box.overlaps(other) for other in taken)):
            taken.append(box)
            return
        text.remove()


def _below(made: Mapping[str, Any], lost: Sequence[str]) -> str:
    """Return what is said below the chart: the machine, what is hollow, and who is not in it."""
    how, told = made["speed"], []
    if how is not None:
        threads = f", {how['threads']} thread{'s' * (how['threads'] > 1)}" if how["device"] == "cpu" else ""
        told.append(f"{how['processor']}{threads}, {how['batch']} images at a time{', busy' * how['busy']}")
    if any(run["trained_elsewhere"] for run in made["runs"]):
        told.append("hollow: trained elsewhere")
    if lost:
        told.append(f"without a speed, and not drawn: {', '.join(lost)}")
    return "; ".join(told)
