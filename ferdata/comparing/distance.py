"""How far two sets are apart: maximum mean discrepancy, and whether it is more than chance (Gretton et al. 2012).

JMLR 13, 723-773: the unbiased estimate (lemma 6) with a Gaussian kernel, whose bandwidth is the median distance, and a
permutation test. One bandwidth serves all pairs, so that their distances can be compared.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata.comparing.sets import Sets

PERMUTATIONS = 1000  # so p is 0.001 or more
LEAST = 10  # images of a set, below which nothing is said
CHANCE = 0.95  # quantile of what permuted sets give
MEDIAN_OF = 2000  # images whose distances give the bandwidth
Rows = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Distance:
    """The squared maximum mean discrepancy of `n_first` and `n_second` images, unbiased: around 0 if drawn alike.

    95 % of random re-divisions of the same images are below `chance`; `p` is the share of those at least as far apart.
    """

    mmd2: float
    chance: float
    p: float
    n_first: int
    n_second: int


def pixel_statistics(sets: Sets, rows: Ints, detail: NDArray[np.float32] | None) -> tuple[Ints, Rows, str]:
    """Return the rows, plain numbers of their images, float64 (n, width), and what these are.

    Each column has mean 0 and deviation 1. `detail` is each image's at 48 px, float32 (n,), if it was read: an image
    of a single shade has none, and is left out. The images' size, which no net sees, is no part of it.
    """
    table = sets.table.take(pa.array(rows))
    width, height, bright, contrast = (
        table[name].to_numpy().astype(np.float64) for name in ("width", "height", "brightness", "contrast")
    )
    columns, words = [bright, contrast, np.log(width / height)], "brightness, contrast and shape"
    if detail is not None:
        columns, words = [*columns, np.log(np.maximum(detail, 1e-3))], "brightness, contrast, shape and detail at 48 px"
    stacked = np.stack(columns, axis=1)
    known = np.isfinite(stacked).all(axis=1)
    stacked = stacked[known]
    spread = stacked.std(axis=0)
    return rows[known], (stacked - stacked.mean(axis=0)) / np.where(spread > 0, spread, 1), words


def bandwidth(values: Rows, seed: int) -> float:
    """Return the median distance between two of the rows (of MEDIAN_OF drawn ones), 1 where it is 0."""
    some = np.random.default_rng(seed).permutation(values)[:MEDIAN_OF]
    above = np.triu_indices(len(some), 1)
    return float(np.sqrt(np.median(_squared(some, some)[above]))) or 1.0 if len(some) > 1 else 1.0


def distance(first: Rows, second: Rows, width: float, seed: int) -> Distance | None:
    """Return the distance of two samples, (n, width) and (m, width); None where one has fewer than LEAST rows."""
    m, n = len(first), len(second)
    if min(m, n) < LEAST:
        return None
    pooled = np.concatenate([first, second]).astype(np.float64)
    kernel = np.exp(_squared(pooled, pooled) / (-2 * width**2))
    np.fill_diagonal(kernel, 0)
    # A constant taken from every pair changes no estimate, and leaves float32 its digits for what differs.
    kernel -= kernel.sum() / ((m + n) * (m + n - 1))
    np.fill_diagonal(kernel, 0)
    rng = np.random.default_rng(seed)
    given = np.zeros((m + n, 1), np.float32)
    given[:m] = 1
    permuted = np.stack([rng.permutation(given[:, 0]) for _ in range(PERMUTATIONS)], axis=1)
    observed, *others = _estimates(kernel.astype(np.float32), np.concatenate([given, permuted], axis=1), m, n)
    as_far = sum(other >= observed for other in others)
    return Distance(float(observed), float(np.quantile(others, CHANCE)), float((1 + as_far) / (1 + PERMUTATIONS)), m, n)


def _squared(one: Rows, other: Rows) -> NDArray[np.float64]:
    """Return the squared distances of all rows, float64 (n, m)."""
    left, right = one.astype(np.float64), other.astype(np.float64)
    squared = (left**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2 * left @ right.T
    return np.asarray(np.maximum(squared, 0), np.float64)


def _estimates(kernel: NDArray[np.float32], sides: NDArray[np.float32], m: int, n: int) -> NDArray[np.float64]:
    """Return the unbiased estimate for each column of `sides` (m + n, k): 1 for the m rows of the first set.

    `kernel` has a diagonal of 0.
    """
    total = kernel.sum(axis=1, dtype=np.float64)
    inside = (sides * (kernel @ sides)).sum(axis=0, dtype=np.float64)  # over pairs within the first
    touching = total @ sides  # over pairs with one of the first
    others = total.sum() - 2 * touching + inside
    return np.asarray(inside / (m * (m - 1)) + others / (n * (n - 1)) - 2 * (touching - inside) / (m * n))
