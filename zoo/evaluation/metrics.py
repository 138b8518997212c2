"""Figures from probabilities and true classes, with intervals.

Each figure follows from sums over images: the confusion matrix, what lies in each bin of confidence, log losses. So an
image is turned into its summands once, and a bootstrap draw is a sum of them.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.metrics import confusion_matrix
from torch import Tensor

from zoo.evaluation import confidence, roc

Floats = NDArray[np.float64]
HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1")
CALLED = {
    **{"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro-F1", "ece": "ECE"},
    **{"majority_share": "majority-class baseline", "log_loss": "log loss, nats"},
    **{"top2_accuracy": "top-2 accuracy", "macro_auc": "macro AUC, one against rest"},
    **{"total_variation": "total variation from annotator distribution", "kl": "KL from annotator distribution, nats"},
}
BINS = 15  # of equal width, over confidence 0..1
LEAST = 1e-12  # what a probability counts as at least in a logarithm


def headlines(confusion: NDArray[Any]) -> dict[str, Floats]:
    """Return accuracy, balanced accuracy and macro-F1 of confusion matrices (..., classes, classes), true by predicted.

    Balanced accuracy is the mean recall, and macro-F1 the mean F1, over the classes that have a true image.
    """
    counts = confusion.astype(np.float64)
    by = by_class(counts)
    true = counts.sum(-1)
    there = true > 0
    number = np.maximum(there.sum(-1), 1)
    return {
        "accuracy": np.diagonal(counts, axis1=-2, axis2=-1).sum(-1) / np.maximum(true.sum(-1), 1),
        "balanced_accuracy": (np.nan_to_num(by["recall"]) * there).sum(-1) / number,
        "macro_f1": (np.nan_to_num(by["f1"]) * there).sum(-1) / number,
    }


def by_class(confusion: NDArray[Any]) -> dict[str, Floats]:
    """Return recall, precision and F1 (..., classes) of confusion matrices (..., classes, classes).

    Not a number where there is nothing to share out: recall and F1 of a class without a true image, precision of one
    that is never predicted.
    """
    counts = confusion.astype(np.float64)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    true, predicted = counts.sum(-1), counts.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(true > 0, 2 * hits / (true + predicted), np.nan)
        return {"precision": hits / predicted, "recall": hits / true, "f1": f1}


def calibration_error(probabilities: NDArray[np.float32], true: NDArray[np.int64]) -> float:
    """Return the expected calibration error over BINS bins of equal width (Guo et al. 2017, arXiv 1706.04599), 0..1."""
    return float(_ece(bins(probabilities, true).ravel()))


def log_loss(probabilities: NDArray[np.float32], true: NDArray[np.int64]) -> float:
    """Return the mean of -log p(true class), in nats."""
    return float(_log_losses(probabilities, true).mean())


def _log_losses(probabilities: NDArray[np.float32], true: NDArray[np.int64]) -> Floats:
    chosen = probabilities[np.arange(len(true)), true].astype(np.float64)
    return np.asarray(-np.log(np.maximum(chosen, LEAST)))


def voters_distance(probabilities: NDArray[np.float32], voters: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return how far each row is from its annotators' shares: KL(voters || model) in nats, and total variation, 0..1.

    Both arguments are (n, classes), with rows that sum to 1; both results (n,). Total variation is half of the sum of
    absolute differences.
    """
    p, q = voters.astype(np.float64), probabilities.astype(np.float64)
    kl = (p * (np.log(np.maximum(p, LEAST)) - np.log(np.maximum(q, LEAST)))).sum(1)
    return kl, np.abs(p - q).sum(1) / 2


def in_top_two(probabilities: NDArray[np.float32], true: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the true class is one of the two most probable, (n,); of equal ones the first come first."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    return np.asarray((best == true[:, None]).any(1))


def bins(probabilities: NDArray[np.float32], true: NDArray[np.int64]) -> Floats:
    """Return how many images, what confidence in sum and how many right answers are in each bin, float64 (BINS, 3)."""
    whole: Floats = np.asarray(_summands(probabilities, true).sum(0), np.float64)
    return whole[probabilities.shape[1] ** 2 : -2].reshape(BINS, 3)


def _summands(probabilities: NDArray[np.float32], true: NDArray[np.int64]) -> sparse.csr_array:
    """Return what each image adds, (n, classes^2 + 3 BINS + 2).

    Its cell, its bin's three sums, its log loss, and whether its class is one of the two most probable.
    """
    n, classes = probabilities.shape
    predicted, sure = probabilities.argmax(1), probabilities.max(1)
    edges = np.linspace(0, 1, BINS + 1, dtype=np.float32)
    place = np.clip(np.searchsorted(edges, sure, side="right") - 1, 0, BINS - 1) * 3 + classes**2
    width = classes**2 + 3 * BINS + 2
    ends = [np.full(n, width - 2), np.full(n, width - 1)]
    columns = np.stack([true * classes + predicted, place, place + 1, place + 2, *ends], axis=1)
    ones, losses, second = np.ones(n), _log_losses(probabilities, true), in_top_two(probabilities, true)
    values = np.stack([ones, ones, sure, predicted == true, losses, second], axis=1)
    return sparse.csr_array((values.ravel(), columns.ravel(), np.arange(0, 6 * n + 1, 6)), shape=(n, width))


def _ece(sums: Floats) -> Floats:
    """Return the calibration error of bins' sums (..., 3 BINS)."""
    each = sums.reshape(*sums.shape[:-1], BINS, 3)
    off = np.abs(each[..., 1] - each[..., 2]).sum(-1)
    return np.asarray(off / np.maximum(each[..., 0].sum(-1), 1))


def score(
    probabilities: NDArray[np.float32],
    true: NDArray[np.int64],
    classes: tuple[str, ...],
    clusters: NDArray[np.int64] | None = None,
    draws: int = confidence.DRAWS,
) -> dict[str, Any]:
    """Return every figure of `report.json` that follows from probabilities (n, classes) and true classes (n,).

    Intervals are of 95 %, from `draws` bootstrap draws of `clusters`, int64 (n,); without them, of single images.
    """
    count = len(classes)
    confusion = confusion_matrix(true, probabilities.argmax(1), labels=np.arange(count))
    clusters = np.arange(len(true)) if clusters is None else clusters
    sums = confidence.by_cluster(_summands(probabilities, true), clusters)
    whole = np.asarray(sums.sum(0), np.float64)
    drawn = confidence.resample(sums, draws)
    matrices = drawn[:, : count**2].reshape(-1, count, count)
    scores = {name: float(value) for name, value in headlines(confusion).items()}
    ece, loss = float(_ece(whole[count**2 : -2])), log_loss(probabilities, true)
    spread = headlines(matrices)
    size = np.maximum(matrices.sum((1, 2)), 1)
    people = sums.shape[0]
    second = float(whole[-1] / max(len(true), 1)) if count > 2 else None  # of two classes it is always one
    area, between = roc.areas(probabilities, true, clusters)
    table = per_class(confusion, classes, matrices, _with_class(true, clusters, count))
    for row, value, ends in zip(table.values(), area, between, strict=False):
        row["auc"], row["intervals"]["auc"] = _number(value), ends
    return {
        "n": len(true),
        **scores,
        "top2_accuracy": second,
        "macro_auc": _number(area[-1]),
        "ece": ece,
        "log_loss": loss,
        "per_class": table,
        "confusion": confusion.tolist(),
        "classes": list(classes),
        "confidence_intervals": {
            "level": confidence.LEVEL,
            "accuracy": confidence.of_share(spread["accuracy"], scores["accuracy"], people),
            **{name: confidence.of_mean(spread[name]) for name in HEADLINES[1:]},
            "top2_accuracy": None if second is None else confidence.of_share(drawn[:, -1] / size, second, people),
            "macro_auc": between[-1],
        },
        "calibration_intervals": {
            "ece": confidence.mirrored(_ece(drawn[:, count**2 : -2]), ece),
            "log_loss": confidence.percentile(drawn[:, -2] / size),
        },
        "bootstrap": {
            "draws": draws,
            "unit": unit(people, len(true)),
            "units": people,
        },
    }


def unit(clusters: int, images: int) -> str:
    """Return what a bootstrap draws, in the plural."""
    return "images" if clusters == images else "groups of images (one person, clip or picture)"


def _with_class(true: NDArray[np.int64], clusters: NDArray[np.int64], classes: int) -> list[int]:
    """Return how many clusters have an image of each class."""
    return [len(np.unique(clusters[true == c])) for c in range(classes)]


def per_class(
    confusion: NDArray[Any], classes: tuple[str, ...], drawn: Floats | None = None, clusters: list[int] | None = None
) -> dict[str, dict[str, Any]]:
    """Return precision, recall, F1 and the number of true images by class; None where there is nothing to share out.

    With bootstrap draws of the matrix (draws, classes, classes), and the number of clusters that each class is in,
    `intervals` has [low, high] of each.
    """
    figures = by_class(confusion)
    spread = None if drawn is None else by_class(drawn)
    table: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(classes):
        row: dict[str, Any] = {f: _number(values[i]) for f, values in figures.items()}
        row["n"] = int(confusion[i].sum())
        if spread is not None and clusters is not None:
            row["intervals"] = {
                f: None if row[f] is None else confidence.of_share(spread[f][:, i], row[f], clusters[i])
                for f in figures
            }
        table[name] = row
    return table


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def prior(hard: Tensor, classes: int) -> dict[str, float]:
    """Return what knowing the class frequencies alone gives: `majority_share` and `prior_entropy` in nats."""
    share = torch.bincount(hard, minlength=classes).double() / max(len(hard), 1)
    entropy = -(share * share.clamp(min=1e-300).log()).sum()
    return {"majority_share": float(share.max()), "prior_entropy": float(entropy)}
