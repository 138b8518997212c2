"""How far a figure may be off: the bootstrap over whole clusters, Wilson's and Student's intervals, Holm's correction.

Images of one person, one clip or one picture are not independent: what is drawn with replacement is the cluster, with
all of its images (Field and Welsh 2007). Where each image is its own cluster, that is the usual one (Efron 1979).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

LEVEL = 0.95
DRAWS = 2000
ALIKE = 1e-9  # what two shares differ by at most that differ by rounding alone
LEAST = 3  # values that Student's interval is given for
CELLS = 1 << 22  # of a draw-by-cluster table held at once: 32 MB

Floats = NDArray[np.float64]


def by_cluster(columns: sparse.csr_array, clusters: NDArray[np.int64]) -> sparse.csr_array:
    """Return the sums of `columns` (n, m) over the rows of each cluster, (clusters, m); `clusters` is int64 (n,)."""
    _, code = np.unique(clusters, return_inverse=True)
    ones = np.ones(len(code))
    member = sparse.csr_array((ones, (code, np.arange(len(code)))), shape=(int(code.max(initial=-1)) + 1, len(code)))
    return sparse.csr_array(member @ columns)


def resample(sums: sparse.csr_array, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Return the column sums (draws, m) of as many bootstrap samples of the rows of `sums` (clusters, m).

    The seed is fixed: the same predictions give the same interval.
    """
    count, width = sums.shape
    result = np.zeros((draws, width))
    if not count:
        return result
    random = np.random.default_rng(seed)
    step = max(1, CELLS // count)
    turned = sparse.csr_array(sums.T)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = random.integers(0, count, (size, count))
        drawn += np.arange(size)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        result[start : start + size] = (turned @ times.T.astype(np.float64)).T
    return result


def percentile(values: Floats, level: float = LEVEL) -> list[float] | None:
    """Return [low, high] of bootstrap `values` (draws,), those that are no number left out; None if none is left."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return [float(low), float(high)]


def mirrored(values: Floats, figure: float, level: float = LEVEL) -> list[float] | None:
    """Return the basic bootstrap interval [low, high], not below 0, of a figure that drawing makes larger.

    A calibration error is a sum of absolute values: noise only adds to it, so that the percentiles lie too high by as
    much as they are to be mirrored at the figure (Davison and Hinkley 1997, section 5.2).
    """
    plain = percentile(values, level)
    return None if plain is None else [max(0.0, 2 * figure - plain[1]), max(0.0, 2 * figure - plain[0])]


def wilson(hits: float, n: float, level: float = LEVEL) -> list[float]:
    """Return Wilson's interval [low, high] of a share of `hits` in `n` independent trials (Wilson 1927).

    Both are whole numbers, up to what a share has lost by rounding; of no trials nothing is known: [0, 1].
    """
    if not n:
        return [0.0, 1.0]
    interval = stats.binomtest(round(hits), round(n)).proportion_ci(level, "wilson")
    return [float(interval.low), float(interval.high)]


def of_difference(values: Floats, level: float = LEVEL) -> list[float] | None:
    """Return the percentile interval of a difference; None where no draw shows any, so that there is none to bound."""
    return percentile(values, level) if values.any() else None


def of_mean(values: Floats) -> list[float] | None:
    """Return the percentile interval of a mean over classes; None where draws are alike, and bound nothing.

    So it is of a net that answers one class only: its balanced accuracy is 1 / classes, whatever is drawn.
    """
    interval = percentile(values)
    return None if interval is None or interval[1] - interval[0] < ALIKE else interval


def of_share(values: Floats, share: float, clusters: int, level: float = LEVEL) -> list[float] | None:
    """Return the percentile interval of a share, and Wilson's over the clusters where all, or none, were right.

    There every draw gives the same share, and the bootstrap would say that 3 right out of 3 is 100 % for sure.
    """
    if share in (0.0, 1.0):
        return wilson(share * clusters, clusters, level)
    return percentile(values, level)


def student(values: Sequence[float], level: float = LEVEL) -> tuple[float, list[float] | None]:
    """Return the mean, and Student's interval [low, high] of it; None for fewer than LEAST values.

    Of two it would be 12.7 times as wide as they are apart: a number, and no information.
    """
    mean = float(np.mean(values))
    if len(values) < LEAST:
        return mean, None
    half = float(stats.t.ppf(0.5 + level / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return mean, [mean - half, mean + half]


def holm(p: Sequence[float]) -> list[float]:
    """Return the p-values, in their order, corrected for their number by Holm's step-down rule (Holm 1979)."""
    corrected, so_far = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        so_far = max(so_far, min(1.0, p[i] * (len(p) - rank)))
        corrected[i] = so_far
    return corrected
