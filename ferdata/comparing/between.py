"""What two sets share: pictures, and what they say of them; and how far their classes and faces are apart."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata.class_balance import jensen_shannon
from ferdata.comparing.distance import Distance, bandwidth, distance
from ferdata.comparing.sets import Sets
from ferdata.duplicates.find import find
from ferdata.duplicates.label_conflicts import Against, conflicts, pictures
from ferdata.running import progress

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Between:
    """Two sets: the `classes` that both have, and how far the shares of all classes differ (Jensen-Shannon, in bits).

    `pictures` stand in both, `near` of them with other pixels alone (re-encoded, resized, mirrored); `rows_first` and
    `rows_second` are the rows that show one. `labels` is what the two say of them, None where one of them says nothing.
    """

    first: str
    second: str
    classes: tuple[str, ...]
    jensen_shannon: float | None
    pictures: int
    near: int
    rows_first: int
    rows_second: int
    labels: Against | None
    distance: Distance | None


def same_pictures(sets: Sets, pixels: bool, workers: int | None) -> Ints:
    """Return which rows show one picture, int64 (n,): as a merge found, else equal pixels and near copies.

    Without `pixels` no image is read, and those of a manifest that was not merged are equal pixels alone.
    """
    if sets.merged:
        return np.asarray(sets.table["picture"].to_numpy(), np.int64)
    pairs = find(sets.manifests, sets.table, workers=workers) if pixels else None
    return pictures(sets.table, pairs)


def compare_pairs(sets: Sets, picture: Ints, rows: Ints, values: NDArray[np.floating], seed: int) -> list[Between]:
    """Compare every two sets. `values`, (n, width), are the numbers of the images in `rows` that distances are of."""
    named = sets.table.select(["target"]).append_column("dataset", pa.array(sets.names).take(pa.array(sets.of)))
    said = {frozenset((a.first, a.second)): a for a in conflicts(named, picture).between if a.first != a.second}
    width = bandwidth(values, seed)
    whose = sets.of[rows]
    found = []
    with progress.bar("distances", len(sets.pairs()), "pairs") as advance:
        for one, other in sets.pairs():
            first, second = sets.names[one], sets.names[other]
            apart = distance(values[whose == one], values[whose == other], width, seed)
            shared = _shared(sets, picture, one, other)
            labels = said.get(frozenset((first, second)))
            found.append(
                Between(
                    first, second, sets.common(one, other), jensen_shannon(sets.counts[one], sets.counts[other]),
                    *shared, labels and _turned(labels, first), apart,
                )
            )  # fmt: skip
            advance()
    return found


def _shared(sets: Sets, picture: Ints, one: int, other: int) -> tuple[int, int, int, int]:
    """Return the pictures in both sets, those of them that are no equal pixels, and the rows of each that show one."""
    first, second = sets.rows(one), sets.rows(other)
    both = np.intersect1d(picture[first], picture[second])
    mine, theirs = first[np.isin(picture[first], both)], second[np.isin(picture[second], both)]
    pixels = sets.table["pixel_hash"]
    code = pixels.take(pa.array(np.concatenate([mine, theirs]))).combine_chunks().dictionary_encode()
    numbers = code.indices.to_numpy()
    same = np.isin(numbers[: len(mine)], numbers[len(mine) :])
    exact = len(np.unique(picture[mine[same]]))
    return len(both), len(both) - exact, len(mine), len(theirs)


def _turned(labels: Against, first: str) -> Against:
    """Return the same agreement with `first` in the first place."""
    if labels.first == first:
        return labels
    cells = tuple(sorted((b, a, n) for a, b, n in labels.cells))
    return Against(labels.second, labels.first, labels.pictures, labels.agreement, labels.on_shared, cells)
