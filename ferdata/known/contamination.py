"""Faces of a known official test that stand in train, though that test is not in the manifest: contamination."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata.known.index import Index, indexes
from ferdata.known.lookup import Lookup
from ferdata.schema import SPLITS

COLUMNS = ("pixel_hash", "phash")
TEST = SPLITS.index("test")
AT_ONCE = 1 << 16  # rows: what is made of them stays some megabytes, however large the manifest is


@dataclass(frozen=True)
class Contaminated:
    """Which rows are, bool (n,), and how many of each dataset: title -> rows."""

    rows: NDArray[np.bool_]
    counts: dict[str, int]


def told(counts: Mapping[str, int]) -> str:
    """Return in words how many rows of train are in whose official test; "" for none."""
    return "; ".join(
        f"{n:,} rows of train are faces of {title}'s official test: a figure on that test would be too good"
        for title, n in counts.items()
    )


def contaminated(
    table: pa.Table, train: NDArray[np.bool_], sources: Collection[str], known: list[Index] | None = None
) -> Contaminated:
    """Return which rows of train are known faces of an official test; `table` has COLUMNS, `sources` are its datasets.

    A dataset that is in the manifest itself is passed over: its own test is there, and leaks are told by group. All
    rows are looked up, so that a row of test takes its own known row before a copy of it in train does.
    """
    lookup = Lookup(indexes(without=list(sources)) if known is None else known)
    rows = np.zeros(len(table), np.bool_)
    counts: dict[str, int] = {}
    # those of train last: what else is there takes its own rows first
    order = np.argsort(train, kind="stable")
    for begun in range(0, len(order), AT_ONCE):
        some = order[begun : begun + AT_ONCE]
        part = table.select(COLUMNS).take(pa.array(some)).combine_chunks()
        found = lookup(part["pixel_hash"], part["phash"])
        for at, index in enumerate(lookup.indexes):
            hit = some[(found.index == at) & (found.split == TEST)]
            hit = hit[train[hit]]
            rows[hit] = True
            if len(hit):
                counts[index.title] = counts.get(index.title, 0) + len(hit)
    return Contaminated(rows, counts)
