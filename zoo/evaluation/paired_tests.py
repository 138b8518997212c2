"""Is one set of answers to the same images better than another by more than chance? Two exact tests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from zoo.evaluation import confidence

FLIPS = 10_000  # of signs, where images of one person are not independent


def exact_mcnemar(only_a: int, only_b: int) -> float:
    """Return the two-sided exact p of McNemar's test: a fair coin for each image that only one of the two has right."""
    both = only_a + only_b
    return float(stats.binomtest(only_a, both, 0.5).pvalue) if both else 1.0


def sign_flips(gain: NDArray[Any], clusters: NDArray[np.int64], seed: int = 0) -> float:
    """Return the two-sided p of a paired permutation test over clusters; `gain` (n,) is what each image is better by.

    Under no difference the two runs may be swapped in each cluster as a whole (Fisher's randomisation test). With one
    image per cluster, and gains of 1, 0 and -1, it is McNemar's test.
    """
    sums = np.bincount(np.unique(clusters, return_inverse=True)[1], weights=gain)
    sums = sums[np.abs(sums) > 1e-9]
    if not len(sums):
        return 1.0
    random = np.random.default_rng(seed)
    seen, beyond, step = abs(sums.sum()), 0, max(1, confidence.CELLS // len(sums))
    for start in range(0, FLIPS, step):
        signs = random.integers(0, 2, (min(step, FLIPS - start), len(sums))) * 2 - 1
        beyond += int((np.abs(signs @ sums) >= seen - 1e-9).sum())
    return (beyond + 1) / (FLIPS + 1)
