"""Charts of a run, as files of a format: how it went, what it takes for what, whether its confidence is deserved."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray

from ferdata.charts.lettering import key, lettering
from ferdata.charts.style import FAINT, INK, NO_DATA, SEQUENTIAL, SOFT, STRONG, as_bytes, heading, quiet
from ferdata.labels import Taxonomy
from zoo.evaluation.calibration import in_brackets
from zoo.evaluation.confidence import wilson
from zoo.evaluation.metrics import CALLED

FEW_DATASETS = 3  # that a title names one by one
DARK = 0.67  # the share from which on white is easier to read on its shade than black


def title(run: Path, report: Mapping[str, Any]) -> str:
    """Return what a chart of a report is of: run, split, datasets and number of images."""
    split, datasets = report["protocol"]["split"], list(report.get("by_dataset", ()))
    of = f" of {', '.join(datasets)}" if len(datasets) <= FEW_DATASETS else f" of {len(datasets)} datasets"
    where = ("all splits" if split == "all" else split) + (of if datasets else "")
    return f"{name_of(run)}: {where}, n = {report['n']:,}"


def name_of(run: Path) -> str:
    """Return what a run is called in a title: its folder's name, for a seed or a fold with that of the whole."""
    name = run.resolve().name
    if re.fullmatch(r"(seed|fold)-\d+", name):
        name = f"{run.resolve().parent.name}/{name}"
    return "run" if key([name]) else name  # in letters that no font has, it would be a number


def curves(history: Sequence[Mapping[str, float]], best_epoch: int, head: str, form: str = "png") -> bytes:
    """Draw loss, scores and rate over the epochs, with the chosen epoch marked."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(12, 4), layout="constrained")
    panels = figure.subplots(1, 3)
    train, val = {"color": SOFT, "marker": "."}, {"color": STRONG, "marker": "."}
    drawn: tuple[tuple[str, tuple[tuple[str, str, dict[str, str]], ...]], ...] = (
        ("loss, nats", (("train_loss", "train", train), ("val_loss", "val", val))),
        (
            "score",
            (
                ("train_accuracy", "train accuracy", train),
                ("val_accuracy", "val accuracy", val),
                ("val_macro_f1", "val macro-F1", {**val, "ls": "--", "marker": "x"}),
            ),
        ),
        ("learning rate", (("lr", "at the epoch's end", train),)),
    )
    with lettering([head]) as words:
        heading(figure, words[head])
        for axes, (name, lines) in zip(panels, drawn, strict=True):
            for column, label, how in lines:
                if all(column in row for row in history):
                    axes.plot(epochs, [row[column] for row in history], label=label, ms=6, lw=1.6, **how)
            axes.axvline(best_epoch, color=INK, lw=0.9, ls=":", label=f"chosen: epoch {best_epoch}")
            axes.set_title(name, loc="left", fontsize=11, color=INK)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            quiet(axes, "y")
            axes.legend(fontsize=8, frameon=False, handlelength=3)
        panels[1].yaxis.set_major_formatter(PercentFormatter(1))
        return as_bytes(figure, form)


def confusion(report: Mapping[str, Any], run: Path, form: str = "png") -> bytes:
    """Draw the confusion matrix: in each cell its share of the row, which is its shade too, and its images."""
    head = title(run, report)
    with lettering([*report["classes"], head]) as words:
        classes, counts = [words[name] for name in report["classes"]], np.asarray(report["confusion"])
        side = len(classes)
        figure = Figure(figsize=(3.6 + 0.85 * side, 2.2 + 0.62 * side), layout="constrained")
        heading(figure, words[head])
        axes = figure.subplots()
        _cells(axes, counts)
        axes.set_xticks(np.arange(side) + 0.5, classes, rotation=30, ha="right")
        axes.set_yticks(np.arange(side) + 0.5, [f"{c}  ({n:,})" for c, n in zip(classes, counts.sum(1), strict=True)])
        axes.set_ylim(side, 0)
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class (images)")
        scores = ", ".join(f"{CALLED[name]} {report[name]:.1%}" for name in ("accuracy", "macro_f1"))
        axes.set_title(scores, loc="left", fontsize=11, color=INK)
        return as_bytes(figure, form)


def _cells(axes: Axes, counts: NDArray[Any]) -> None:
    """Draw the cells and the bar that explains their shades; a class without an image has no shares."""
    number = counts.sum(1, keepdims=True)
    share = np.where(number > 0, counts / np.maximum(number, 1), np.nan)
    scale = matplotlib.colormaps[SEQUENTIAL].with_extremes(bad=NO_DATA)
    mesh = axes.pcolormesh(share, cmap=scale, vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
    for i, j in np.ndindex(*counts.shape):
        of_row = "-" if np.isnan(share[i, j]) else "<1%" if 0 < share[i, j] < 0.005 else f"{share[i, j]:.0%}"
        at: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
        at["color"] = "white" if share[i, j] > DARK else "black" if counts[i, j] else FAINT
        at["fontweight"] = "bold" if i == j else "normal"
        axes.text(j + 0.5, i + 0.5, f"{of_row}\n{counts[i, j]:,}", **at)
    bar = axes.figure.colorbar(mesh, ax=axes, format=PercentFormatter(1), pad=0.02)
    bar.set_label("share of the true class", color=INK)
    if bar.solids is not None:
        bar.solids.set_edgecolor("face")  # or PDF viewers draw seams
    bar.outline.set_visible(False)
    bar.ax.tick_params(color="#aaaaaa", labelcolor=INK, labelsize=9)


def per_class(report: Mapping[str, Any], taxonomy: dict[str, Any], run: Path, form: str = "png") -> bytes:
    """Draw recall, precision and F1 of each class as bars, with their intervals and the number of images."""
    head = title(run, report)
    with lettering([*report["classes"], head]) as words:
        classes = report["classes"]
        figure = Figure(figsize=(11, 1.9 + 0.5 * len(classes)), layout="constrained")
        heading(figure, words[head])
        panels = figure.subplots(1, 3, sharey=True)
        tints = [Taxonomy.from_dict(taxonomy).colour(name) for name in classes]
        rows = [report["per_class"][c] for c in classes]
        for axes, name in zip(panels, ("recall", "precision", "f1"), strict=True):
            _bars(axes, rows, name, tints)
        panels[0].set_yticks(
            range(len(classes)), [f"{words[c]}  ({row['n']:,})" for c, row in zip(classes, rows, strict=True)]
        )
        panels[0].set_ylim(len(classes) - 0.4, -0.6)
        figure.supxlabel("95 % bootstrap intervals; dotted: mean over the classes", fontsize=8, color=FAINT)
        return as_bytes(figure, form)


def _bars(axes: Axes, rows: Sequence[Mapping[str, Any]], name: str, tints: Sequence[str]) -> None:
    """Draw one figure of each class as a bar, with its interval and its value, and the mean over the classes."""
    axes.barh(range(len(rows)), [row[name] or 0 for row in rows], 0.66, color=tints)
    for y, row in enumerate(rows):
        spread = (row.get("intervals") or {}).get(name)
        if row[name] is None:
            axes.text(0.01, y, "none", va="center", fontsize=8, color=INK)
            continue
        if spread:
            axes.plot(spread, (y, y), color=INK, lw=1.4, solid_capstyle="butt")
            axes.plot(spread, (y, y), color=INK, marker="|", ms=7, ls="")
        end = max((row[name], *(spread or ())))
        label = axes.text(end + 0.02, y, f"{row[name]:.0%}", va="center", fontsize=8, color=INK)
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    mean = float(np.mean([row[name] or 0 for row in rows if row["n"]] or [0]))
    axes.axvline(mean, color=FAINT, lw=1, ls=":", zorder=0)
    axes.set_title({"f1": "F1"}.get(name, name), loc="left", fontsize=11, color=INK)
    axes.set_xlim(0, 1.14)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    quiet(axes, "x")


def reliability(report: Mapping[str, Any], run: Path, form: str = "png") -> bytes:
    """Draw accuracy against confidence, bin by bin, and how many images each bin has."""
    head, calibration = title(run, report), report["calibration"]
    count, sure, right = np.asarray(calibration["reliability"], np.float64).T
    figure = Figure(figsize=(6, 6.3), layout="constrained")
    top, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    width = 1 / len(count)
    middle, there = (np.arange(len(count)) + 0.5) * width, count > 0
    accuracy = np.where(there, right / np.maximum(count, 1), 0)
    mean = np.where(there, sure / np.maximum(count, 1), middle)
    mark: dict[str, Any] = {"marker": "_", "ms": 14, "mew": 2.2, "color": STRONG, "ls": ""}
    top.bar(middle[there], accuracy[there], width * 0.92, color=SOFT, label=CALLED["accuracy"])
    for x, a, c, n in zip(middle[there], accuracy[there], mean[there], count[there], strict=True):
        top.plot((x, x), wilson(a * n, n), color=INK, lw=1.2)  # how far so few images may be off by chance
        top.plot(x, c, **mark)
    top.plot([], [], label="mean confidence", **mark)
    top.plot((0, 1), (0, 1), color="#888888", ls=":", lw=1)
    top.set_ylim(0, 1.02)
    top.set_ylabel(CALLED["accuracy"])
    top.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ece = f"{CALLED['ece']} {calibration['after']['ece']:.1%}{in_brackets(calibration)}"
    top.set_title(ece, loc="left", fontsize=11, color=INK)
    top.legend(fontsize=8, frameon=False, loc="upper left")
    below.bar(middle, count, width * 0.92, color=SOFT)
    below.set_ylabel("images")
    below.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    below.set_xlabel(f"confidence ({len(count)} bins of equal width)")
    below.set_xlim(0, 1)
    below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes in (top, below):
        quiet(axes, "y")
    with lettering([head]) as words:
        heading(figure, words[head])
        return as_bytes(figure, form)


def roc(report: Mapping[str, Any], taxonomy: dict[str, Any], run: Path, form: str = "png") -> bytes:
    """Draw each class's ROC curve, one against the rest, and their mean, with the areas below them in the legend."""
    head, classes = title(run, report), report["classes"]
    across, up = report["roc"]["false_positive_rate"], report["roc"]["true_positive_rate"]
    figure = Figure(figsize=(9.6, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color="#888888", ls=":", lw=1)
    with lettering([*classes, head]) as words:
        for name in classes:
            line: dict[str, Any] = {"color": Taxonomy.from_dict(taxonomy).colour(name), "lw": 1.5}
            row = report["per_class"][name]
            if up[name] is None:
                why = "no image" if not row["n"] else "no image of another class"
                axes.plot([], [], label=f"{words[name]}: none, {why}", **line)
            else:
                label = f"{words[name]}: {_area(row['auc'], row['intervals']['auc'])}"
                axes.plot([0, *across], [0, *up[name]], label=label, **line)
        if drawn := [curve for curve in up.values() if curve is not None]:
            label = f"mean (macro): {_area(report['macro_auc'], report['confidence_intervals']['macro_auc'])}"
            axes.plot([0, *across], [0, *np.mean(drawn, axis=0)], label=label, color=STRONG, lw=2.6, ls="--")
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.set_xlabel("false-positive rate: share of the other classes' images taken for it")
        axes.set_ylabel("true-positive rate: share of the class's own images found")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        quiet(axes, "y")
        figure.legend(
            **{"title": "AUC, one class against the rest (95 %)", "loc": "outside right upper", "frameon": False},
            **{"fontsize": 9, "title_fontsize": 9, "alignment": "left", "handlelength": 2.4},
        )
        heading(figure, words[head])
        return as_bytes(figure, form)


def _area(area: float, interval: Sequence[float] | None) -> str:
    """Return an area below a curve, with its interval where there is one."""
    return f"{area:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def spread(
    names: Sequence[str],
    single: Sequence[Sequence[float]],
    means: Sequence[float],
    intervals: Sequence[Sequence[float] | None],
    head: str,
    label: str,
    form: str = "png",
) -> bytes:
    """Draw a line per name: each single value (a seed, a fold) as a dot, their mean and its interval on top.

    An interval that goes on beyond what a share can be, as Student's of few seeds may, ends in an arrow.
    """
    figure = Figure(figsize=(8, 1.7 + 0.6 * len(names)), layout="constrained")
    axes = figure.subplots()
    with lettering([*names, head]) as words:
        for y, (values, mean, interval) in enumerate(zip(single, means, intervals, strict=True)):
            _interval(axes, y, interval)
            axes.plot(values, [y] * len(values), ls="", marker="o", ms=7, color=SOFT, mec="white", mew=1)
            axes.plot(mean, y, marker="D", ms=8, color=STRONG, mec="white", mew=1.2)
            above: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 9, "color": INK}
            axes.annotate(f"{mean:.1%}", (mean, y), (0, 9), **above)
        axes.set_yticks(range(len(names)), [words[name] for name in names])
        axes.set_ylim(len(names) - 0.4, -0.75)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.margins(x=0.08)
        axes.set_xlabel(label)
        quiet(axes, "x")
        heading(figure, words[head])
        return as_bytes(figure, form)


def differences(pairs: Sequence[Mapping[str, Any]], head: str, label: str, form: str = "png") -> bytes:
    """Draw a line per pair of runs: how much better the second is, in points, with the interval, about a line at 0."""
    names = [f"{name_of(Path(pair['b']))} - {name_of(Path(pair['a']))}" for pair in pairs]
    figure = Figure(figsize=(8, 1.7 + 0.6 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=INK, lw=1)
    with lettering([*names, head]) as words:
        for y, pair in enumerate(pairs):
            at, interval = 100 * pair["difference"], pair["interval"]
            if interval is not None:
                ends = [100 * end for end in interval]
                axes.plot(ends, (y, y), color=STRONG, lw=2.4, marker="|", ms=11, mew=2.4, solid_capstyle="butt")
            axes.plot(at, y, marker="D", ms=8, color=STRONG, mec="white", mew=1.2)
            above: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 9, "color": INK}
            above["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            axes.annotate(f"{at:+.2f}" + ("" if interval else ", no interval"), (at, y), (0, 9), **above)
        axes.set_yticks(range(len(names)), [words[name] for name in names])
        axes.set_ylim(len(names) - 0.4, -0.75)
        axes.margins(x=0.08)
        axes.set_xlabel(label)
        quiet(axes, "x")
        heading(figure, words[head])
        return as_bytes(figure, form)


def _interval(axes: Axes, y: float, interval: Sequence[float] | None) -> None:
    """Draw an interval of a share at the height `y`; where it goes on beyond 0 or 100 %, an arrow says how far."""
    if interval is None:
        return
    ends = np.clip(interval, 0, 1)
    axes.plot(ends, (y, y), color=STRONG, lw=2.4, solid_capstyle="butt")
    for end, whole, arrow, side in zip(ends, interval, "<>", ("left", "right"), strict=True):
        inside = end == whole
        axes.plot(end, y, color=STRONG, ls="", marker="|" if inside else arrow, ms=11 if inside else 8, mew=2.4)
        if not inside:
            below: dict[str, Any] = {
                "textcoords": "offset points",
                "ha": side,
                "va": "top",
                "fontsize": 8,
                "color": INK,
            }
            axes.annotate(f"to {whole:.0%}", (end, y), (0, -8), **below)
