"""Group: which rows show the same picture, person or clip, and so must never stand on two sides of a split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.manifest import Manifest
from ferdata.schema import SPLITS

BY = ("pixels", "near", "subject", "sequence")
MOST = 0.2  # JAFFE's most photographed person has a tenth of its rows; twice that is no person any more
Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """The groups of a table: `group` is int64 (rows), numbered from 0 by first appearance.

    `identical` counts the sets of two or more rows with the same pixels, `images` the rows in them, `across` those
    that stand in several official splits, by the splits' names (`train-test`).
    """

    group: NDArray[np.int64]
    count: int
    largest: int
    largest_of: str
    identical: int
    images: int
    across: dict[str, int]


def near_pairs(manifests: Sequence[Manifest], table: pa.Table, *, thorough: bool = False) -> Pairs:
    """Return the row pairs of `table` that show the same picture in other pixels, int64 (n, 2), sorted.

    `table` has `phash`, `pixel_hash` and `dataset`; its rows are those of `manifests`, one after the other. Only
    candidates are decoded; `thorough` decodes every image, to find rotations and crops too. Raises ImagesMissing.
    """
    from ferdata import near

    return near.find(manifests, table, thorough=thorough)


def group(table: pa.Table, *, by: tuple[str, ...] = BY, pairs: Pairs | None = None, most: float = MOST) -> Groups:
    """Group rows that have the same pixels, picture, subject or clip; connected, so a chain is one group.

    `table` has `sample_id`, `dataset`, `pixel_hash`, `subject`, `sequence` and `official_split`; `pairs` is what
    `near_pairs` found. Raises BadOption if a group has more than the share `most` of the rows.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    del most
    n = table.num_rows
    dataset = table["dataset"]
    person = pc.binary_join_element_wise(dataset, table["subject"], "\n")  # null where the subject is
    clip = pc.binary_join_element_wise(dataset, pc.fill_null(table["subject"], ""), table["sequence"], "\n")
    keys = {"pixels": table["pixel_hash"], "subject": person, "sequence": clip}
    edges = [_to_first(column) for word, column in keys.items() if word in by]
    if pairs is not None and "near" in by:
        edges.append((pairs[:, 0], pairs[:, 1]))
    rows = np.concatenate([e[0] for e in edges])
    firsts = np.concatenate([e[1] for e in edges])
    graph = coo_array((np.ones(len(rows), np.bool_), (rows, firsts)), shape=(n, n))
    count, component = connected_components(graph, directed=False)
    # The library numbers components in an order of its own; by first appearance it is the same everywhere.
    _, appeared = np.unique(component, return_index=True)
    rank = np.empty(count, np.int64)
    rank[np.argsort(appeared)] = np.arange(count)
    numbered = rank[component]
    sizes = np.bincount(numbered, minlength=1)
    top = int(np.flatnonzero(numbered == sizes.argmax())[0]) if n else 0
    identical, images, across = _identical(table)
    return Groups(
        group=numbered,
        count=int(count),
        largest=int(sizes.max()) if n else 0,
        largest_of=str(table["sample_id"][top]) if n else "",
        identical=identical,
        images=images,
        across=across,
    )


def _to_first(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for rows whose key stood before, the row and the first row with that key; null keys join nothing."""
    coded = column.combine_chunks().dictionary_encode()
    rows = np.flatnonzero(coded.is_valid().to_numpy(zero_copy_only=False))
    codes = coded.indices.drop_null().to_numpy()
    _, first = np.unique(codes, return_index=True)
    earliest = rows[first][codes] if len(codes) else rows
    later = earliest != rows
    return rows[later], earliest[later]


def _identical(table: pa.Table) -> tuple[int, int, dict[str, int]]:
    """Count the sets of equal pixels: how many, how many rows in them, and how many span official splits."""
    pairs = pa.table({"h": table["pixel_hash"], "s": pc.fill_null(table["official_split"], "none")})
    cells = pairs.group_by(["h", "s"]).aggregate([([], "count_all")])
    sets = cells.group_by("h").aggregate([("count_all", "sum"), ("s", "list")])
    sets = sets.filter(pc.greater(sets["count_all_sum"], 1))
    across: dict[str, int] = {}
    for splits in sets["s_list"].to_pylist():
        named = [s for s in SPLITS if s in splits]
        if len(named) > 1:
            key = "-".join(named)
            across[key] = across.get(key, 0) + 1
    return sets.num_rows, pc.sum(sets["count_all_sum"]).as_py() or 0, dict(sorted(across.items()))
