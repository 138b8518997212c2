"""What each other reading would have right, face by face, and whether that is more than chance, of so many tried."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from zoo.evaluation import confidence
from zoo.evaluation.paired_tests import exact_mcnemar, sign_flips

Right = NDArray[np.bool_]
ALPHA = 0.01  # of a p-value that is corrected for the number of readings tried
# What a gain in accuracy must be to be named. A crop has no right or wrong, only better; so more is asked of it.
WORTH = {"order": 0.02, "pixels": 0.02, "channels": 0.01, "crop": 0.04}
BETTER, WORSE, OPEN = "better", "worse", "not told"


@dataclass(frozen=True)
class Tried:
    """A reading that was tried: `right` is which faces it has right, bool (n,), None where a part of them ruled it out.

    `kind` is order, pixels, channels or crop; `name` says which. `order` is the place that each output is read by.
    """

    kind: str
    name: str
    right: Right | None
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trial:
    """What came of a reading: by how much it would be better, with a 95 % interval, p, and a verdict.

    `p` is Holm's, for all readings tried, and 1 for a gain that is not worth naming. The verdict is `better` (beyond
    chance, and by what is worth naming), `worse` (the interval is below 0), or `not told`. Figures are None for one
    that a part of the faces ruled out.
    """

    kind: str
    name: str
    order: tuple[int, ...]
    accuracy: float | None
    gain: float | None
    interval: list[float] | None
    p: float
    verdict: str


def judge(
    tried: Sequence[Tried], now: Right, clusters: NDArray[np.int64], draws: int = confidence.DRAWS
) -> list[Trial]:
    """Return what came of the readings, against the present one, which has `now` right; in their order.

    The intervals are of a paired bootstrap over clusters; the p-values McNemar's, or of sign flips of whole clusters.
    """
    gains = [None if one.right is None else one.right.astype(np.int64) - now for one in tried]
    drawn = iter(_drawn([gain for gain in gains if gain is not None], clusters, draws).T)
    # What is not worth naming is no finding, whatever its p: it counts as tried, and nothing is computed for it.
    asked = [gain is not None and bool(gain.mean() >= WORTH[one.kind]) for one, gain in zip(tried, gains, strict=True)]
    p_values = [_p(gain, clusters) if ask and gain is not None else 1.0 for ask, gain in zip(asked, gains, strict=True)]
    corrected = confidence.holm(p_values)
    found = []
    for one, gain, p in zip(tried, gains, corrected, strict=True):
        if gain is None:
            found.append(Trial(one.kind, one.name, one.order, None, None, None, p, WORSE))
            continue
        mean, interval = float(gain.mean()), confidence.of_difference(next(drawn))
        verdict = _verdict(one.kind, mean, interval, p)
        found.append(Trial(one.kind, one.name, one.order, float(now.mean()) + mean, mean, interval, p, verdict))
    return found


def interval_of(right: Right, clusters: NDArray[np.int64], draws: int = confidence.DRAWS) -> list[float] | None:
    """Return the interval of a share of right faces."""
    share = _drawn([right.astype(np.int64)], clusters, draws)[:, 0]
    return confidence.of_share(share, float(right.mean()), len(np.unique(clusters)))


def surely_better(one: Right, other: Right, clusters: NDArray[np.int64], kind: str) -> bool:
    """Return whether `one` is better than `other` beyond chance, by what is worth naming."""
    gain = one.astype(np.int64) - other
    return bool(gain.mean() >= WORTH[kind]) and _p(gain, clusters) < ALPHA


def _verdict(kind: str, gain: float, interval: list[float] | None, p: float) -> str:
    if interval is None:
        return OPEN
    if p < ALPHA and gain >= WORTH[kind] and interval[0] > 0:
        return BETTER
    return WORSE if interval[1] < 0 else OPEN


def _drawn(columns: Sequence[NDArray[np.int64]], clusters: NDArray[np.int64], draws: int) -> NDArray[np.float64]:
    """Return the means of columns (n,) in each bootstrap draw, (draws, columns), all of the same draws."""
    table = np.stack([*columns, np.ones(len(clusters), np.int64)], axis=1).astype(np.float64)
    drawn = confidence.resample(confidence.by_cluster(sparse.csr_array(table), clusters), draws)
    return np.asarray(drawn[:, :-1] / np.maximum(drawn[:, -1:], 1))


def _p(gain: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """Return the two-sided p of no difference."""
    if len(np.unique(clusters)) == len(clusters):
        return exact_mcnemar(int((gain < 0).sum()), int((gain > 0).sum()))
    return sign_flips(gain, clusters)
