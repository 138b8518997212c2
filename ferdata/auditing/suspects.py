"""Suspect labels: how probable each label is, by nets that have not seen the row, and by the row's copies.

Confident learning (Northcutt, Jiang, Chuang 2021, doi 10.1613/jair.1.12125; the package cleanlab) says how many labels
of each class are wrong. Rows are ranked by self-confidence, the out-of-fold probability of the label as given: where a
twentieth of FER+'s labels had been flipped it found more of them than the margin to the likeliest class, entropy, or
thresholds per class did (`benchmarks/audit.py`). Copies that bear the same label vouch for it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferdata.auditing.answers import Labels
from ferdata.errors import BadOption, MissingExtra
from ferdata.running.extras import install

FEWEST = 2  # classes with a predicted row
# Shares of wrong labels that are believed. Below the least, none would be named of a set with few: nets that have
# trained for minutes are rarely as sure as that takes.
LEAST, MOST = 0.05, 0.5
FLOOR = 1e-7  # a net is never as sure as it says


@dataclass(frozen=True)
class Suspects:
    """`quality` float32 (n,): the probability that the label is right, NaN for rows without label or prediction.

    `expected` is the class that the nets say, int64 (n,), -1 without a prediction; `divergence`
    float32 (n,), in bits, how far the votes are from the prediction; `noise` the share of wrong labels, as estimated.
    """

    quality: NDArray[np.float32]
    expected: NDArray[np.int64]
    divergence: NDArray[np.float32]
    noise: float


def find(labels: Labels, predicted: NDArray[np.float32]) -> Suspects:
    """Judge labels by `predicted`, float32 (n, classes), NaN where nothing was; rows must not have been trained on.

    Raises MissingExtra without cleanlab, BadOption for predictions of fewer than two labelled classes.
    """
    known = ~np.isnan(predicted[:, 0])
    rows = np.flatnonzero(known & (labels.hard >= 0))
    share = noise(labels.hard[rows], predicted[rows])
    k = predicted.shape[1]
    p = np.clip(predicted[rows, labels.hard[rows]].astype(np.float64), FLOOR, 1 - FLOOR)
    # A label is right with probability 1 - share, else any other class's. The row's own is a witness of that kind, and
    # so is each copy's.
    witness = np.log((1 - share) * (k - 1) / share)
    odds = np.log(p) - np.log1p(-p) + witness * (1 + _vouched(labels, rows))
    quality = np.full(len(predicted), np.nan, np.float32)
    quality[rows] = 1 / (1 + np.exp(-odds))
    expected = np.where(known, np.where(known[:, None], predicted, 0).argmax(axis=1), -1)
    return Suspects(quality, expected, _divergence(labels.shares, predicted), share)


def noise(hard: NDArray[np.int64], predicted: NDArray[np.float32]) -> float:
    """Return the share of wrong labels that confident learning counts, kept within LEAST and MOST.

    Raises MissingExtra without cleanlab, BadOption where fewer than two classes are predicted.
    """
    try:
        from cleanlab.count import num_label_issues
    except ImportError:
        raise MissingExtra("Suspect labels need cleanlab.", install("audit")) from None
    present, label = np.unique(hard, return_inverse=True)
    if len(present) < FEWEST:
        raise BadOption(
            f"Rows of two classes or more need a prediction; here it is {len(present)}.",
            "Predict more of the manifest's rows; they are matched by sample_id.",
        )
    p = predicted[:, present].astype(np.float64) + FLOOR  # cleanlab wants every class to have a row
    return float(np.clip(num_label_issues(label, p / p.sum(axis=1, keepdims=True)) / len(hard), LEAST, MOST))


def _vouched(labels: Labels, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return by how many of a row's copies more bear its label than another, float64 (n,), 0 at the least.

    What contradicts is not held against a label here: it is a finding of its own (conflict), and faces that two people
    label differently are those that nets doubt as well, so that it would count twice. On FER+ with flipped labels it
    cost three points of average precision, where what agrees won half a point.
    """
    labelled = labels.hard >= 0
    k = int(labels.hard.max(initial=0)) + 1
    borne = np.zeros((int(labels.picture.max(initial=-1)) + 1, k))
    np.add.at(borne, (labels.picture[labelled], labels.hard[labelled]), 1)
    same = borne[labels.picture[rows], labels.hard[rows]]
    other = borne.sum(axis=1)[labels.picture[rows]] - same
    return np.asarray(np.maximum(same - 1 - other, 0))


def _divergence(shares: NDArray[np.float32], predicted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the Jensen-Shannon divergence in bits of votes, scaled to the classes, and prediction; NaN without."""
    total = shares.sum(axis=1, keepdims=True)
    votes = shares / np.where(total > 0, total, np.nan)  # all for what is no class: nothing to compare
    middle = (votes + predicted) / 2

    def to_middle(share: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray((share * np.log2(np.maximum(share, 1e-12) / np.maximum(middle, 1e-12))).sum(axis=1))

    return np.asarray((to_middle(votes) + to_middle(predicted)) / 2, np.float32)
