"""Problems of labels, as far as the manifest itself tells: copies that contradict, voters who disagree."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.duplicates.label_conflicts import PICTURE_BY, pictures
from ferdata.labels import EMOTIONS, VOTE_COLUMNS, Taxonomy

ANSWER_COLUMNS = (*PICTURE_BY, "picture", "target", "votes", "label_dist", "reviewed_label")
Scores = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Labels:
    """The labels of all rows: `hard` the class, int64 (n,), -1 for none; `picture` numbers equal pictures from 0.

    `shares` is float32 (n, classes): the shares of the votes that go to each class, rows that sum to less than 1 where
    some said something else; NaN where there are no votes. `spread` is the entropy of all ten columns in bits.
    """

    hard: Ints
    picture: Ints
    shares: NDArray[np.float32]
    spread: Scores


def read(table: pa.Table, taxonomy: Taxonomy) -> Labels:
    """Return the labels of `table`, which has ANSWER_COLUMNS."""
    n, classes = table.num_rows, taxonomy.classes
    hard = pc.fill_null(pc.index_in(table["target"], pa.array(classes)), -1).to_numpy().astype(np.int64)
    known = table["picture"].null_count == 0
    picture = table["picture"].to_numpy() if known else pictures(table)
    _, picture = np.unique(picture, return_inverse=True)
    shares, spread = np.full((n, len(classes)), np.nan, np.float32), np.full(n, np.nan, np.float32)
    votes = table["votes"].combine_chunks()
    voted = np.flatnonzero(votes.is_valid().to_numpy(zero_copy_only=False))
    if len(voted):
        counts = votes.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, len(VOTE_COLUMNS))
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        spread[voted] = -(share * np.log2(np.maximum(share, 1e-12))).sum(axis=1)
        shares[voted] = share[:, : len(EMOTIONS)] @ to_classes(taxonomy)
    return Labels(hard, picture, shares, spread)


def to_classes(taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Return float64 (8, classes): 1 where an emotion goes to a class."""
    matrix = np.zeros((len(EMOTIONS), len(taxonomy.classes)))
    for emotion, name in taxonomy.mapping.items():
        matrix[EMOTIONS.index(emotion), taxonomy.classes.index(name)] = 1
    return matrix


def scores(labels: Labels) -> dict[str, Scores]:
    """Return the scores of conflict, vote_disagreement and vote_entropy."""
    rows = np.arange(len(labels.hard))
    labelled = labels.hard >= 0
    share = np.where(labelled, labels.shares[rows, np.maximum(labels.hard, 0)], np.nan).astype(np.float32)
    voted = {"vote_disagreement": share, "vote_entropy": labels.spread}
    return {"conflict": against(labels), **(voted if not np.isnan(labels.spread).all() else {})}


def against(labels: Labels) -> Scores:
    """Return, for each labelled row, the share of its picture's other labelled rows that carry another label.

    0 where it has no other row.
    """
    labelled = labels.hard >= 0
    k = int(labels.hard.max(initial=0)) + 1
    picture, hard = labels.picture[labelled], labels.hard[labelled]
    _, local = np.unique(picture, return_inverse=True)
    per = np.zeros((int(local.max(initial=-1)) + 1, k), np.int64)
    np.add.at(per, (local, hard), 1)
    others = per.sum(axis=1)[local] - 1
    different = others + 1 - per[local, hard]
    out = np.full(len(labels.hard), np.nan, np.float32)
    out[labelled] = different / np.maximum(others, 1)
    return out
