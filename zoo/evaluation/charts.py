"""Pictures of a run, as PNG bytes: how it went, what it takes for what, how sure it may be."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from ferdata.charts.lettering import lettering
from ferdata.labels import COLOURS, Taxonomy
from zoo.evaluation.confidence import wilson

TRAIN, VAL, RATE = COLOURS["surprise"], COLOURS["anger"], COLOURS["neutral"]
INK, PALE = "#333333", "#e6e6e6"
LUMINANCE = (0.299, 0.587, 0.114)  # how bright red, green and blue look


def curves(history: list[dict[str, float]], best_epoch: int) -> bytes:
    """Draw loss, scores and rate over the epochs, with the chosen epoch marked."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    panels = figure.subplots(1, 3)
    drawn: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
        ("loss, nats", (("train_loss", "train", TRAIN), ("val_loss", "val", VAL))),
        (
            "score",
            (
                ("train_accuracy", "train accuracy", TRAIN),
                ("val_accuracy", "val accuracy", VAL),
                ("val_macro_f1", "val macro-F1", COLOURS["disgust"]),
            ),
        ),
        ("learning rate", (("lr", "at the epoch's end", RATE),)),
    )
    for axes, (title, lines) in zip(panels, drawn, strict=True):
        for column, label, colour in lines:
            if all(column in row for row in history):
                axes.plot(epochs, [row[column] for row in history], color=colour, label=label, marker=".", ms=5, lw=1.6)
        axes.axvline(best_epoch, color=INK, lw=0.9, ls=":", label=f"chosen: epoch {best_epoch}")
        axes.set_title(title, loc="left", fontsize=11, color=INK)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _quiet(axes, "y")
        axes.legend(fontsize=8, frameon=False)
    panels[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _png(figure)


def confusion(report: dict[str, Any], taxonomy: dict[str, Any]) -> bytes:
    """Draw the confusion matrix, each row as shares of its true class, in that class's colour."""
    with lettering(report["classes"]) as words:
        return _confusion(report, taxonomy, words)


def _confusion(report: dict[str, Any], taxonomy: dict[str, Any], words: Mapping[str, str]) -> bytes:
    classes, counts = report["classes"], np.asarray(report["confusion"])
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = len(classes)
    figure = Figure(figsize=(2.8 + 0.85 * side, 1.9 + 0.62 * side), layout="constrained")
    axes = figure.subplots()
    tints = np.array([_rgb(Taxonomy.from_dict(taxonomy).colour(name)) for name in classes])
    # From white to the class's own colour, and faster at first, so that rare confusions are still seen.
    shade = 1 - (share**0.65)[:, :, None] * (1 - tints[:, None, :])
    axes.imshow(shade, aspect="auto")
    for i, j in np.ndindex(*counts.shape):
        if counts[i, j]:
            weight = "bold" if i == j else "normal"
            ink = INK if shade[i, j] @ LUMINANCE > 0.58 else "white"
            text = f"{share[i, j]:.0%}\n" if share[i, j] >= 0.005 else "<1%\n"
            axes.text(
                j, i, f"{text}{counts[i, j]:,}", ha="center", va="center", fontsize=8, color=ink, fontweight=weight
            )
    place = range(side)
    axes.set_xticks(place, [words[c] for c in classes], rotation=30, ha="right")
    axes.set_yticks(place, [f"{words[c]}  ({n:,})" for c, n in zip(classes, counts.sum(1), strict=True)])
    axes.set_xticks(np.arange(side + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(side + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (images)")
    axes.set_title(
        f"accuracy {report['accuracy']:.1%}, macro-F1 {report['macro_f1']:.1%}, n = {report['n']:,}",
        loc="left",
        fontsize=11,
        color=INK,
    )
    return _png(figure)


def per_class(report: dict[str, Any], taxonomy: dict[str, Any]) -> bytes:
    """Draw recall, precision and F1 of each class as bars, with their intervals and the number of images."""
    with lettering(report["classes"]) as words:
        return _per_class(report, taxonomy, words)


def _per_class(report: dict[str, Any], taxonomy: dict[str, Any], words: Mapping[str, str]) -> bytes:
    classes = report["classes"]
    figure = Figure(figsize=(11, 1.6 + 0.5 * len(classes)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    place = np.arange(len(classes))
    tints = [Taxonomy.from_dict(taxonomy).colour(name) for name in classes]
    for axes, name in zip(panels, ("recall", "precision", "f1"), strict=True):
        rows = [report["per_class"][c] for c in classes]
        values = [row[name] or 0 for row in rows]
        axes.barh(place, values, 0.66, color=tints)
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
        axes.axvline(mean, color="#777777", lw=1, ls=":", zorder=0)
        axes.set_title({"f1": "F1"}.get(name, name), loc="left", fontsize=11, color=INK)
        axes.set_xlim(0, 1.14)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        _quiet(axes, "x")
    panels[0].set_yticks(place, [f"{words[c]}  ({report['per_class'][c]['n']:,})" for c in classes])
    panels[0].set_ylim(len(classes) - 0.4, -0.6)
    figure.supxlabel("95 % bootstrap intervals; dotted: mean over the classes", fontsize=8, color="#666666")
    return _png(figure)


def reliability(report: dict[str, Any]) -> bytes:
    """Draw how often it is right against how sure it is, and how many images are how sure."""
    count, sure, right = np.asarray(report["calibration"]["reliability"], float).T
    calibration, there = report["calibration"], count > 0
    figure = Figure(figsize=(5.4, 5.8), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    edges = np.linspace(0, 1, len(count) + 1)
    width, middle = edges[1], (edges[:-1] + edges[1:]) / 2
    accuracy = right / np.maximum(count, 1)
    confidence = np.where(there, sure / np.maximum(count, 1), middle)
    top.bar(middle[there], accuracy[there], width * 0.92, color=COLOURS["sadness"], alpha=0.85, label="right")
    for x, a, c, n in zip(middle[there], accuracy[there], confidence[there], count[there], strict=True):
        top.plot((x, x), wilson(a * n, n), color=INK, lw=1.2)  # how far so few images may be off by chance
        top.plot(x, c, marker="_", ms=14, mew=2.2, color=COLOURS["anger"])
    top.plot([], [], marker="_", ls="", ms=14, mew=2.2, color=COLOURS["anger"], label="says it is, on average")
    top.plot((0, 1), (0, 1), color="#888888", ls=":", lw=1)
    top.set_ylim(0, 1.02)
    top.set_ylabel("share that is right")
    top.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    top.set_title(
        f"calibration error {calibration['after']['ece']:.1%} at temperature {calibration['temperature']:.2f}"
        f" (raw: {calibration['before']['ece']:.1%})",
        loc="left",
        fontsize=11,
        color=INK,
    )
    top.legend(fontsize=8, frameon=False, loc="upper left")
    below.bar(middle, count, width * 0.92, color=COLOURS["neutral"])
    below.set_ylabel("images")
    below.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    below.set_xlabel(f"how sure it says it is ({len(count)} bins of equal width)")
    below.set_xlim(0, 1)
    below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes in (top, below):
        _quiet(axes, "y")
    return _png(figure)


def spread(
    names: Sequence[str],
    single: Sequence[Sequence[float]],
    means: Sequence[float],
    intervals: Sequence[Sequence[float] | None],
    title: str,
    label: str,
) -> bytes:
    """Draw a line per name: each single value (a seed, a fold) as a dot, their mean and its interval on top."""
    with lettering(names) as words:
        return _spread([words[name] for name in names], single, means, intervals, title, label)


def _spread(
    names: Sequence[str],
    single: Sequence[Sequence[float]],
    means: Sequence[float],
    intervals: Sequence[Sequence[float] | None],
    title: str,
    label: str,
) -> bytes:
    figure = Figure(figsize=(8, 1.5 + 0.55 * len(names)), layout="constrained")
    axes = figure.subplots()
    palette = list(COLOURS.values())
    for y, (values, mean, interval) in enumerate(zip(single, means, intervals, strict=True)):
        colour = palette[(y + 3) % len(palette)]
        axes.plot(values, [y] * len(values), ls="", marker="o", ms=6, color=colour, alpha=0.45, mew=0)
        if interval is not None:
            ends = np.clip(interval, 0, 1)  # of few seeds Student's goes beyond what a share can be
            axes.plot(ends, (y, y), color=colour, lw=2.4, solid_capstyle="butt")
            axes.plot(ends, (y, y), color=colour, ls="", marker="|", ms=11, mew=2.4)
        axes.plot(mean, y, marker="D", ms=8, color=colour, mec="white", mew=1.2)
        axes.annotate(f"{mean:.1%}", (mean, y), (0, 9), textcoords="offset points", ha="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.75)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.margins(x=0.08)
    axes.set_xlabel(label)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    _quiet(axes, "x")
    return _png(figure)


def _rgb(colour: str) -> tuple[float, float, float]:
    """Return a colour such as #e69f00 as three numbers in 0..1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _quiet(axes: Axes, along: str) -> None:
    """Leave only what is read: pale lines along one axis, no box."""
    axes.grid(axis="x" if along == "x" else "y", color=PALE, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#aaaaaa")
    axes.tick_params(color="#aaaaaa", labelcolor=INK, labelsize=9)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)  # no window system is asked for
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
