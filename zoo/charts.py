"""Pictures of a run, as PNG bytes: how it went, and what it takes for what."""

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ferdata.labels import COLOURS

TRAIN, VAL, RATE = COLOURS["surprise"], COLOURS["anger"], COLOURS["neutral"]


def curves(history: list[dict[str, float]], best_epoch: int) -> bytes:
    """Draw loss, scores and rate over the epochs, with the chosen epoch marked."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    panels = figure.subplots(1, 3)
    drawn: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
        ("loss", (("train_loss", "train", TRAIN), ("val_loss", "val", VAL))),
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
            axes.plot(epochs, [row[column] for row in history], color=colour, label=label, marker=".", ms=4)
        axes.axvline(best_epoch, color="black", lw=0.8, ls=":", label=f"chosen: epoch {best_epoch}")
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.2)
        axes.legend(fontsize=7)
    return _png(figure)


def confusion(report: dict[str, Any], taxonomy: dict[str, Any]) -> bytes:
    """Draw the confusion matrix, each row as shares of its true class, and recall and precision by class beside it."""
    classes, counts = report["classes"], np.asarray(report["confusion"])
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(5.5 + 0.75 * len(classes), 1.8 + 0.55 * len(classes)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(len(classes) + 2, 5))
    left.imshow(share, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for i, j in np.ndindex(*counts.shape):
        ink = "white" if share[i, j] > 0.5 else "black"
        left.text(j, i, f"{share[i, j]:.0%}\n{counts[i, j]}", ha="center", va="center", fontsize=7, color=ink)
    place = range(len(classes))
    left.set_xticks(place, classes, rotation=35, ha="right")
    left.set_yticks(place, [f"{c} ({n})" for c, n in zip(classes, counts.sum(1), strict=True)])
    left.set_xlabel("predicted")
    left.set_ylabel("true (images)")
    left.set_title(f"accuracy {report['accuracy']:.1%}, macro-F1 {report['macro_f1']:.1%}, n = {report['n']:,}")
    tints = [class_colour(name, taxonomy) for name in classes]
    for offset, alpha, figure_name in ((-0.2, 1.0, "recall"), (0.2, 0.5, "precision")):
        values = [report["per_class"][name][figure_name] or 0 for name in classes]
        right.barh([p + offset for p in place], values, 0.38, color=tints, alpha=alpha, label=figure_name)
    right.set_xlim(0, 1)
    right.set_ylim(len(classes) - 0.5, -0.5)
    right.set_yticks([])
    right.set_title("recall (full), precision (pale)")
    return _png(figure)


def class_colour(name: str, taxonomy: dict[str, Any]) -> str:
    """Return the colour of a class: its own if it is an emotion, else that of the first emotion mapped to it."""
    mapping: dict[str, str] = taxonomy["mapping"]
    emotion = next((e for e, to in mapping.items() if to == name and e in COLOURS), "neutral")
    return COLOURS.get(name, COLOURS[emotion])


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)  # no window system is asked for
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
