"""ROC curves and the areas below them: how well a class's probability tells its images from all others'.

One class against the rest (Fawcett 2006): a threshold plays no part, and neither does how common the class is. Where a
class has no image, or no other class has one, there is nothing to tell apart, and no curve.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from zoo.evaluation.confidence import LEVEL

Floats = NDArray[np.float64]
# False-positive rates that curves are kept at: close together on the left, where good ones rise.
GRID = np.linspace(0, 1, 51) ** 2


def areas(
    probabilities: NDArray[np.float32], true: NDArray[np.int64], clusters: NDArray[np.int64]
) -> tuple[Floats, list[list[float] | None]]:
    """Return the area below each class's ROC curve, and below their mean, with their 95 % intervals (classes + 1).

    `probabilities` are (n, classes), `true` and `clusters` int64 (n,). The area is the chance that an image of the
    class has a higher probability than one of another, equal ones counting half; the mean is over the classes that
    have one, each counting the same. Not a number, and no interval, where there is none.
    """
    known = [_area(p, true == c) for c, p in enumerate(probabilities.T)]
    there = [(area, share) for area, share in known if np.isfinite(area)]
    mean = (
        (float(np.mean([area for area, _ in there])), np.mean([share for _, share in there], axis=0))
        if there
        else (np.nan, np.zeros(len(true)))
    )
    whole = [*known, mean]
    return np.array([area for area, _ in whole]), [_interval(area, share, clusters) for area, share in whole]


def _area(score: NDArray[np.float32], own: NDArray[np.bool_]) -> tuple[float, Floats]:
    """Return the area (Mann-Whitney's statistic), and how far each image moves it (n,): DeLong et al. 1988."""
    number, others = int(own.sum()), int((~own).sum())
    moved = np.zeros(len(own))
    if not number or not others:
        return np.nan, moved
    # Ranks in all less ranks among its kind: how many of the other kind lie below an image.
    ranks = stats.rankdata(score)
    above = (ranks[own] - stats.rankdata(score[own])) / others
    below = 1 - (ranks[~own] - stats.rankdata(score[~own])) / number
    area = float(above.mean())
    moved[own], moved[~own] = (above - area) / number, (below - area) / others
    return area, moved


def _interval(area: float, moved: Floats, clusters: NDArray[np.int64]) -> list[float] | None:
    """Return [low, high] by the normal distribution of the logit (Pepe 2003), images of a cluster taken together.

    None for an area of 0 or 1, about which nothing is known by this way, and for a single cluster.
    """
    together = np.bincount(np.unique(clusters, return_inverse=True)[1], weights=moved)
    count = len(together)
    if not 0 < area < 1 or count < 2:
        return None
    deviation = np.sqrt((together**2).sum() * count / (count - 1))
    half = stats.norm.ppf(0.5 + LEVEL / 2) * deviation / (area * (1 - area))
    low, high = (1 / (1 + np.exp(-(np.log(area / (1 - area)) + side * half))) for side in (-1, 1))
    return [float(low), float(high)]


def curves(probabilities: NDArray[np.float32], true: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    """Return the true-positive rate of each class at the false-positive rates of GRID; None where there is no curve."""
    drawn = {
        name: _curve(p, true == c) if 0 < (true == c).sum() < len(true) else None
        for c, (name, p) in enumerate(zip(classes, probabilities.T, strict=True))
    }
    return {"false_positive_rate": GRID.round(4).tolist(), "true_positive_rate": drawn}


def _curve(score: NDArray[np.float32], own: NDArray[np.bool_]) -> list[float]:
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # of images with equal probability
    hits = np.cumsum(own[order])[last]
    false = last + 1 - hits
    rates = np.interp(GRID, np.append(0, false / false[-1]), np.append(0, hits / hits[-1]))
    return [float(rate) for rate in rates.round(4)]
