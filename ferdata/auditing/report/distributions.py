"""How a score is distributed, so that a threshold can be moved: what would be found at each of many thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata.auditing.catalogue import Finding

Scores = NDArray[np.float32]
Ints = NDArray[np.int64]
BARS, STOPS = 64, 160
TAIL = 0.005  # of the rows, at the end that is not of interest: drawn as one with the last bar
OUTLYING = 3.5  # robust z-score from which on a value is an outlier (Iglewicz and Hoaglin 1993)
NORMAL = 0.6745  # of a normal distribution: median absolute deviation over standard deviation


def distribution(finding: Finding, scores: Scores, threshold: float) -> dict[str, Any] | None:
    """Return bars, and how many rows each of `stops` would find; None where there is nothing to draw."""
    known = np.sort(scores[~np.isnan(scores)])
    if not finding.axis or not len(known):
        return None
    low, high = np.quantile(known, (TAIL, 1) if finding.above else (0, 1 - TAIL))
    low, high = min(float(low), threshold), max(float(high), threshold)
    room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
    low, high = max(low - room, 0.0), high + room
    bars = np.histogram(np.clip(known, low, high), BARS, (low, high))[0]
    stops = np.unique([threshold, *(float(f"{x:.3g}") for x in np.linspace(low, high, STOPS))])
    return {
        "axis": finding.axis, "low": low, "high": high, "bars": bars.tolist(), "stops": stops.tolist(),
        "found": found(known, stops, finding.above).tolist(), "at": int(np.searchsorted(stops, threshold)),
    }  # fmt: skip


def found(ordered: Scores, stops: NDArray[np.float64], above: bool) -> Ints:
    """Return how many of the sorted scores each threshold finds."""
    at = stops.astype(np.float32)  # as audit compares
    if above:
        return np.asarray(len(ordered) - np.searchsorted(ordered, at, "right"), np.int64)
    return np.asarray(np.searchsorted(ordered, at, "left"), np.int64)


@dataclass(frozen=True)
class Outliers:
    """The rows of one class that are far from its others, the furthest first: in which measure, and how far."""

    rows: Ints
    measure: list[str]
    distance: Scores


def outliers(measures: Mapping[str, Scores], label: Ints, classes: Sequence[str]) -> list[Outliers]:
    """Return the outliers of each class: the largest robust z-score over the measures is OUTLYING or more."""
    names = list(measures)
    found = []
    for k in range(len(classes)):
        rows = np.flatnonzero(label == k)
        z = np.stack([_robust(values[rows]) for values in measures.values()]) if len(rows) else np.zeros((1, 0))
        far = np.nan_to_num(z).max(axis=0)
        worst = np.argsort(-far, kind="stable")[: int((far >= OUTLYING).sum())]
        found.append(Outliers(rows[worst], [names[i] for i in z.argmax(axis=0)[worst]], far[worst].astype(np.float32)))
    return found


def _robust(values: Scores) -> Scores:
    """Return how many robust standard deviations each value is from the median; 0 where most are alike."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(len(values), np.float32)
    middle = np.median(known)
    spread = np.median(np.abs(known - middle))
    return np.asarray(NORMAL * np.abs(values - middle) / spread if spread else np.zeros(len(values)), np.float32)


def measures(table: pa.Table, scores: Mapping[str, Scores]) -> dict[str, Scores]:
    """Return what classes are compared in; ratios by their logarithm, where twice and half are as far from one."""

    def log(values: NDArray[np.floating]) -> Scores:
        return np.asarray(np.log(np.maximum(values, 1e-3)), np.float32)

    width, height = (table[name].to_numpy() for name in ("width", "height"))
    return {
        "brightness": scores["dark"], "contrast": scores["blank"], "sharpness": log(scores["blurred"]),
        "size": log(scores["small"]), "shape": log(width / np.maximum(height, 1)),
    }  # fmt: skip
