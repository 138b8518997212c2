"""Split: which rows train, choose and judge a model; a group is never torn, and the official test stays whole."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.errors import BadOption
from ferdata.schema import SPLITS

TRAIN, VAL, TEST, NONE = 0, 1, 2, -1
RATIOS = (0.8, 0.1, 0.1)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The split of a table: int8 codes into SPLITS (-1: none), why a row differs from its official one, counts."""

    split: NDArray[np.int8]
    reason: pa.Array
    reasons: dict[str, int]

    @property
    def names(self) -> pa.Array:
        """The `split` column."""
        code = pa.array(np.where(self.split < 0, len(SPLITS), self.split).astype(np.int32))
        return pa.array([*SPLITS, None], pa.string()).take(code)


def ratios(spec: str) -> tuple[float, float, float] | None:
    """Return train, val and test shares of `0.8,0.1,0.1`, or None for `official`. Raises BadOption."""
    if spec == "official":
        return None
    try:
        shares = tuple(float(part) for part in spec.split(","))
    except ValueError:
        shares = ()
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise BadOption(
            f"--split cannot be {spec!r}.", "Use `official`, or three shares that add up to 1: 0.8,0.1,0.1."
        )
    return shares[0], shares[1], shares[2]


def split(table: pa.Table, group: Ints, shares: tuple[float, float, float] | None, seed: int = 0) -> Split:
    """Assign every row a side; `shares` None keeps the official splits.

    `table` has `sample_id`, `dataset`, `official_split` and `target`. Under `official`: a group that reaches into
    test gives up its val and train rows (`group_in_test`), one that reaches into val its train rows; datasets
    without a split get 0.8, 0.1, 0.1; of datasets with a train but no val, a tenth of train becomes val
    (`val_from_train`), since a model has to be chosen on something that is not test. With `shares`, official
    splits are passed over. Groups are drawn by a hash of their first id, class by class: adding a dataset does not
    move another's rows.
    """
    n = table.num_rows
    official = pc.fill_null(pc.index_in(table["official_split"], pa.array(SPLITS)), NONE).to_numpy()
    wanted = np.full(n, NONE) if shares else official.astype(np.int64)
    side = np.full(int(group.max()) + 1 if n else 0, NONE)
    np.maximum.at(side, group, wanted)
    why = np.zeros(n, np.int8)  # 0 as asked, 1 group_in_test, 2 group_in_val, 3 val_from_train
    undecided = side[group] == NONE
    draw = _Draw(table, group, seed)
    for dataset in draw.datasets:
        free = undecided & draw.of(dataset)
        draw.assign(side, free, shares or RATIOS)
    if shares is None:
        for dataset in draw.datasets:
            rows = draw.of(dataset)
            if (wanted[rows] == TRAIN).any() and not (wanted[rows] == VAL).any():
                why[_carve(draw, side, group, rows)] = 3
    final = side[group]
    gave_way = (wanted != final) & (final > TRAIN) & (why != 3) & ~undecided
    why[gave_way] = np.where(final[gave_way] == TEST, 1, 2)
    reason = pa.array([None, "group_in_test", "group_in_val", "val_from_train"]).take(pa.array(why))
    counted = Counter(r for r in reason.to_pylist() if r)
    return Split(np.where(gave_way, NONE, final).astype(np.int8), reason, dict(counted))


def _carve(draw: "_Draw", side: Ints, group: Ints, rows: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Turn a tenth of the train groups that lie wholly in `rows` into val; return the rows that moved."""
    outside = np.zeros(len(side), bool)
    outside[group[~rows]] = True
    free = rows & (side[group] == TRAIN) & ~outside[group]
    side[group[free]] = NONE
    draw.assign(side, free, (0.9, 0.1, 0.0))
    return np.flatnonzero(free & (side[group] == VAL))


class _Draw:
    """Draws groups into sides, class by class, in an order that only their own ids decide."""

    def __init__(self, table: pa.Table, group: Ints, seed: int) -> None:
        self.group, self.seed = group, seed
        self.ids = table["sample_id"]
        coded = table["dataset"].combine_chunks().dictionary_encode()
        self.datasets = coded.dictionary.to_pylist()
        self.code = coded.indices.to_numpy()
        target = table["target"].combine_chunks().dictionary_encode()
        self.label = pc.fill_null(target.indices, len(target.dictionary)).to_numpy()
        self.classes = len(target.dictionary) + 1  # the last: rows without a class

    def of(self, dataset: str) -> NDArray[np.bool_]:
        """Return which rows belong to `dataset`."""
        return np.asarray(self.code == self.datasets.index(dataset))

    def assign(self, side: Ints, rows: NDArray[np.bool_], shares: Sequence[float]) -> None:
        """Give every group among `rows` that has no side yet the one that most lacks its classes."""
        at = np.flatnonzero(rows & (side[self.group] == NONE))
        if not len(at):
            return
        groups, first, local = np.unique(self.group[at], return_index=True, return_inverse=True)
        counts = np.zeros((len(groups), self.classes))
        np.add.at(counts, (local, self.label[at]), 1)
        smallest = self.ids.take(pa.array(at[first])).to_pylist()
        order = sorted(range(len(groups)), key=lambda g: (-counts[g].sum(), self._hash(smallest[g])))
        total = np.maximum(counts.sum(axis=0), 1)
        share = np.asarray(shares)[:, None]
        lacking = share * total
        for g in order:
            # The side whose counts come closest to what was asked, in squares, with this group added.
            need = (lacking * counts[g]).sum(axis=1)
            chosen = int(np.where(share[:, 0] > 0, need, -np.inf).argmax())
            lacking[chosen] -= counts[g]
            side[groups[g]] = chosen

    def _hash(self, sample_id: str) -> bytes:
        return hashlib.blake2b(f"{self.seed}:{sample_id}".encode(), digest_size=8).digest()
