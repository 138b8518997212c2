"""Shuffle keys: a seeded number per id, which orders rows alike on every machine, whatever other rows there are."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
CHUNK = 1 << 20  # rows hashed at once: what bounds the memory


SIDES, SUBSAMPLE, FOLDS, CHECK = 0, 1, 2, 3  # what the keys are for


def shuffle_keys(ids: pa.ChunkedArray | pa.Array, seed: int, use: int = SIDES) -> Keys:
    """Return one number per id; another seed gives another order, and so does another `use`.

    Who was drawn into train must not be the one who is subsampled last, or stand in the first fold.

    FNV-1a over the bytes (Fowler, Noll, Vo: draft-eastlake-fnv), then SplitMix64's finaliser (Steele et al. 2014,
    doi 10.1145/2660193.2660195) with the seed, all of it over whole columns: ten million ids take seconds.
    """
    chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    pieces = [_fnv(c.slice(at, CHUNK)) for c in chunks for at in range(0, len(c), CHUNK)]
    return _mixed(np.concatenate(pieces) if pieces else np.empty(0, np.uint64), seed, use)


def _fnv(ids: pa.Array) -> Keys:
    ends = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
    text = np.frombuffer(ids.buffers()[2] or b"", np.uint8)
    start, length = ends[:-1].astype(np.int64), np.diff(ends)
    number = np.full(len(ids), 0xCBF29CE484222325, np.uint64)
    for i in range(int(length.max(initial=0))):
        live = np.flatnonzero(length > i)
        number[live] = (number[live] ^ text[start[live] + i]) * np.uint64(0x100000001B3)
    return number


def _mixed(number: Keys, seed: int, use: int) -> Keys:
    # Two rounds, so that seeds 0 and 1 are not neighbours of each other.
    for step in (np.uint64(seed & 0xFFFFFFFFFFFFFFFF), np.uint64(0x9E3779B97F4A7C15 * (use + 1) & 0xFFFFFFFFFFFFFFFF)):
        number = number + step
        number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        number = number ^ (number >> np.uint64(31))
    return number


def round_robin(key: Keys, group: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the rows in an order in which every group gives one row before any gives two.

    Within a group, and between groups, the keys decide.
    """
    order = np.lexsort((key, group))
    sorted_group = group[order]
    new = np.append(True, sorted_group[1:] != sorted_group[:-1]) if len(order) else np.empty(0, bool)
    first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    rank = np.arange(len(order)) - first
    return order[np.lexsort((key[order], rank))]


def lowest(key: Keys, group: NDArray[np.intp], count: int) -> Keys:
    """Return each group's smallest key: its own place in the order, whatever the order of its rows."""
    least = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, group, key)
    return least


def shared_out(n: int, weights: Sequence[float] | NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `n` whole things shared out by weight, the odd ones to the largest remainders (Hamilton's method)."""
    weight = np.maximum(np.asarray(weights, np.float64), 0)
    exact = n * weight / weight.sum()
    whole: NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    odd = np.argsort(-(exact - whole), kind="stable")[: n - int(whole.sum())]
    whole[odd] += 1
    return whole
