"""Balance: what the classes of some rows look like, what that does to a model, and how far two sets of rows differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.labels import Taxonomy

BETA = 0.9999  # of the effective number of samples: what `train --class-weights effective` takes
Counts = NDArray[np.int64]
Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Balance:
    """The classes of one part of a manifest (a split, say); counts and weights are in class order.

    `imbalance` is the largest class over the smallest present one. `entropy` is normalised: 1 = all equal.
    `majority_share` and `prior_entropy` (nats) are the accuracy and the loss of a model that only knows the counts.
    `effective_number` is what each class's rows are worth once they overlap; `weights` holds every scheme of SCHEMES.
    """

    part: str
    rows: int
    labelled: int
    counts: dict[str, int]
    unlabelled: dict[str, int]
    shares: dict[str, float]
    imbalance: float | None
    entropy: float | None
    majority_share: float | None
    prior_entropy: float | None
    effective_number: dict[str, float]
    weights: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Drift:
    """How far the class shares of two parts differ.

    `jensen_shannon` is in bits: 0 the same, 1 no class in common. `chi_square` tests whether both were drawn from
    one distribution (`p`, `freedom` degrees); None where one part or all but one class is empty. `small`: some
    expected count is below 5, where p is not to be relied on (Cochran 1954, doi 10.2307/3001616).
    """

    first: str
    second: str
    jensen_shannon: float | None
    chi_square: float | None
    freedom: int | None
    p: float | None
    small: bool


def balance(part: str, table: pa.Table, classes: Taxonomy) -> Balance:
    """Return the class balance of `table`, which has `target`, `label` and `label_reason`."""
    counts = class_counts(table["target"], classes.classes)
    reason = pc.coalesce(table["label_reason"], pa.scalar("not in taxonomy"))
    missing = reason.filter(table["target"].is_null()).value_counts().to_pylist()
    total = int(counts.sum())
    present = counts[counts > 0]
    share = present / max(total, 1)
    prior = max(float(-(share * np.log(share)).sum()), 0.0)  # not -0.0 for a single class

    def named(values: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(classes.classes, values.tolist(), strict=True))

    return Balance(
        part=part,
        rows=table.num_rows,
        labelled=total,
        counts={c: int(n) for c, n in zip(classes.classes, counts, strict=True)},
        unlabelled={str(m["values"]): int(m["counts"]) for m in sorted(missing, key=lambda m: -m["counts"])},
        shares=named(counts / max(total, 1)),
        imbalance=float(present.max() / present.min()) if total else None,
        entropy=prior / float(np.log(len(counts))) if total and len(counts) > 1 else None,
        majority_share=float(share.max()) if total else None,
        prior_entropy=prior if total else None,
        effective_number=named(effective_number(counts)),
        weights={scheme: named(weigh(counts)) for scheme, weigh in SCHEMES.items()},
    )


def class_counts(target: pa.ChunkedArray | pa.Array, classes: Sequence[str]) -> Counts:
    """Return the rows of each class, in the order of `classes`."""
    position = pc.index_in(target, pa.array(classes, pa.string())).drop_null()
    return np.bincount(position.to_numpy(), minlength=len(classes))


def balanced_weights(counts: Counts) -> Weights:
    """Return N / (K n_c) over the K classes that are present, 0 for the others."""
    present = counts > 0
    return np.where(present, counts.sum() / (max(present.sum(), 1) * np.maximum(counts, 1)), 0.0)


def effective_number(counts: Counts, beta: float = BETA) -> Weights:
    """Return (1 - b^n) / (1 - b): each further row of a class adds less (Cui et al. 2019, arXiv 1901.05555)."""
    return np.asarray((1 - beta**counts) / (1 - beta), np.float64)


def effective_weights(counts: Counts, beta: float = BETA) -> Weights:
    """Return the inverse effective number of samples, normalised to mean 1 over the classes that are present."""
    return _mean_one(counts, effective_number(counts, beta))


def sqrt_weights(counts: Counts) -> Weights:
    """Return the inverse square root of the counts, normalised alike: halfway between none and balanced.

    Square-root sampling as in Mahajan et al. 2018, arXiv 1805.00932, section 2.2.
    """
    return _mean_one(counts, np.sqrt(counts))


def _mean_one(counts: Counts, worth: Weights) -> Weights:
    present = counts > 0
    weights = np.where(present, 1 / np.where(present, worth, 1), 0.0)
    return np.asarray(weights / max(float(weights.sum()), 1e-300) * max(int(present.sum()), 1), np.float64)


SCHEMES = {"balanced": balanced_weights, "effective": effective_weights, "sqrt": sqrt_weights}


def jensen_shannon(first: Counts, second: Counts) -> float | None:
    """Return the Jensen-Shannon divergence of two sets of counts in bits, 0..1 (Lin 1991, doi 10.1109/18.61115)."""
    if not first.sum() or not second.sum():
        return None
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2

    def to_middle(share: Weights) -> float:
        there = share > 0
        return float((share[there] * np.log2(share[there] / middle[there])).sum())

    return max(0.0, (to_middle(p) + to_middle(q)) / 2)  # rounding must not make it negative


def drift(first: str, second: str, a: Counts, b: Counts) -> Drift:
    """Return how far the classes counted in `a` and `b` differ; classes that neither has are passed over."""
    shown = np.stack([a, b])[:, (a + b) > 0]
    divergence = jensen_shannon(a, b)
    if divergence is None or shown.shape[1] < 2:
        return Drift(first, second, divergence, None, None, None, False)
    from scipy.special import chdtrc

    # As scipy.stats.chi2_contingency, which takes ten times as long, and there is a test for each pair of parts.
    expected = shown.sum(axis=1, keepdims=True) * shown.sum(axis=0) / shown.sum()
    statistic = float(((shown - expected) ** 2 / expected).sum())
    freedom = shown.shape[1] - 1
    p, small = float(chdtrc(freedom, statistic)), bool((expected < 5).any())
    return Drift(first, second, divergence, statistic, freedom, p, small)


def drifts(counts: Mapping[str, Counts]) -> tuple[Drift, ...]:
    """Return the drift of every pair of parts."""
    names = list(counts)
    return tuple(
        drift(one, other, counts[one], counts[other]) for i, one in enumerate(names) for other in names[i + 1 :]
    )
