"""Figures from true and predicted classes, with intervals: all of them functions of the confusion matrix but ECE."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torchmetrics.functional.classification import multiclass_calibration_error

Floats = NDArray[np.float64]
HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1")


def headlines(confusion: NDArray[Any]) -> dict[str, Floats]:
    """Return accuracy, balanced accuracy and macro-F1 of confusion matrices (..., classes, classes), true by predicted.

    Balanced accuracy is the mean recall, and macro-F1 the mean F1, over the classes that have a true image.
    """
    counts = confusion.astype(np.float64)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    true, predicted = counts.sum(-1), counts.sum(-2)
    there = true > 0
    number = np.maximum(there.sum(-1), 1)
    recall = hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(true + predicted, 1)
    return {
        "accuracy": hits.sum(-1) / np.maximum(true.sum(-1), 1),
        "balanced_accuracy": (recall * there).sum(-1) / number,
        "macro_f1": (f1 * there).sum(-1) / number,
    }


def intervals(confusion: NDArray[Any], level: float = 0.95, draws: int = 2000, seed: int = 0) -> dict[str, list[float]]:
    """Return the bootstrap percentile interval of each headline as [low, high].

    Drawing n images with replacement and counting their cells is one multinomial draw of the matrix (Efron 1979), so
    no image is touched. The seed is fixed: the same predictions give the same interval.
    """
    n = int(confusion.sum())
    share = (confusion / max(n, 1)).ravel()
    drawn = np.random.default_rng(seed).multinomial(n, share, size=draws).reshape(-1, *confusion.shape)
    tail = 100 * (1 - level) / 2
    return {
        name: [float(v) for v in np.percentile(values, [tail, 100 - tail])] for name, values in headlines(drawn).items()
    }


def calibration_error(probabilities: NDArray[np.float32], true: NDArray[np.int64]) -> float:
    """Return the expected calibration error over 15 bins of confidence (Guo et al. 2017, arXiv 1706.04599), 0..1."""
    classes = probabilities.shape[1]
    value = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(true), num_classes=classes, n_bins=15, norm="l1"
    )
    return float(value)


def log_loss(probabilities: NDArray[np.float32], true: NDArray[np.int64]) -> float:
    """Return the mean of -log p(true class), in nats."""
    chosen = probabilities[np.arange(len(true)), true].astype(np.float64)
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def score(probabilities: NDArray[np.float32], true: NDArray[np.int64], classes: tuple[str, ...]) -> dict[str, Any]:
    """Return every figure of `report.json` that follows from probabilities (n, classes) and true classes (n,)."""
    predicted = probabilities.argmax(1)
    confusion = confusion_matrix(true, predicted, labels=np.arange(len(classes)))
    return {
        "n": len(true),
        **{name: float(value) for name, value in headlines(confusion).items()},
        "ece": calibration_error(probabilities, true),
        "log_loss": log_loss(probabilities, true),
        "per_class": per_class(confusion, classes),
        "confusion": confusion.tolist(),
        "classes": list(classes),
        "confidence_intervals": {"level": 0.95, **intervals(confusion)},
    }


def per_class(confusion: NDArray[Any], classes: tuple[str, ...]) -> dict[str, dict[str, float | int | None]]:
    """Return precision, recall, F1 and the number of true images by class; recall and F1 are None where that is 0."""
    table: dict[str, dict[str, float | int | None]] = {}
    for i, name in enumerate(classes):
        hits, true, predicted = int(confusion[i, i]), int(confusion[i].sum()), int(confusion[:, i].sum())
        table[name] = {
            "precision": hits / predicted if predicted else None,
            "recall": hits / true if true else None,
            "f1": 2 * hits / (true + predicted) if true else None,
            "n": true,
        }
    return table
