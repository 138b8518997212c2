"""The faces that a reading is checked on: labelled, as many of each class, and none of test where there are others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BadOption
from ferdata.schema import SPLITS
from ferdata.splitting.seeded_order import CHECK, round_robin, shuffle_keys
from zoo.data.rows import Rows
from zoo.evaluation import subgroups

MOST = 1000
# Test is not looked at where there is another: who corrects a reading by the check has not chosen it on test then. Nor
# are, where there is a split, rows without one, among which merge leaves duplicates of test.
FIRST_OF = (("train", "val"), ("",), ("test",))


@dataclass(frozen=True)
class Faces:
    """The rows at `where`: `true` is their class, `clusters` equal where they belong together; all int64 (n,).

    The classes take turns, so that any first part of them is balanced too. `splits` counts them by split.
    """

    where: NDArray[np.intp]
    true: NDArray[np.int64]
    clusters: NDArray[np.int64]
    splits: dict[str, int]

    def __len__(self) -> int:
        return len(self.where)


def draw(rows: Rows, classes: Sequence[int], seed: int = 0, most: int = MOST) -> Faces:
    """Return up to `most` faces of the `classes`, numbers of those of the taxonomy; another seed draws others.

    Of each class as many, or all that there are; every person and clip gives one before any gives two. Rows of test
    are taken only where no other row is labelled. Raises BadOption where none is.
    """
    wanted = np.isin(rows.hard, classes)
    pools = (np.flatnonzero(wanted & np.isin(rows.split, splits)) for splits in FIRST_OF)
    pool = next(filter(len, pools), None)
    if pool is None:
        names = ", ".join(rows.taxonomy.classes[i] for i in classes) or "none of its classes"
        raise BadOption(
            f"{rows.manifest.path} has no labelled face of what the model answers: {names}.",
            "Check it on a manifest that has: --check M.",
        )
    table = rows.manifest.table("sample_id", "dataset", "group", "subject", "sequence")
    clusters = subgroups.clusters(table)
    key = shuffle_keys(table["sample_id"].take(pool), seed, CHECK)
    there = [i for i in classes if (rows.hard[pool] == i).any()]
    chosen, turn = [], []
    for i in there:
        own = np.flatnonzero(rows.hard[pool] == i)
        own = own[round_robin(key[own], clusters[pool[own]])[: most // len(there)]]
        chosen.append(own)
        turn.append(np.arange(len(own)))
    where = pool[np.concatenate(chosen)[np.argsort(np.concatenate(turn), kind="stable")]]
    of = {split: int((rows.split[where] == split).sum()) for split in (*SPLITS, "")}
    counts = {split or "no split": n for split, n in of.items() if n}
    return Faces(where, rows.hard[where], clusters[where], counts)
