"""Hamming search: every pair of 64-bit hashes that differ in at most so many bits, in numpy and bounded memory.

Two hashes within 10 bits differ, in one of their four 16-bit chunks, by at most 2, 2, 2 or 1 bits: if every chunk
had one more, that would be 3 + 3 + 3 + 2 = 11 (the pigeonhole principle, as in Norouzi, Punjani and Fleet 2012,
"Fast search in Hamming space with multi-index hashing"). So there is one table for each chunk, sorted by it, and for
every mask of so few bits the bucket of a chunk is compared with the bucket of the chunk under the mask.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ferdata.running.machine import cores

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]

CHUNKS, BITS = 4, 16
LANES = 4  # hashes of a bucket stand in blocks of so many, compared block with block: one look-up for 16 pairs
AT_ONCE = 1 << 14  # block pairs: what is compared at once stays in the processor's cache
# Bit i of a chunk is bit 4 i + chunk of the hash: neighbouring frequencies, which go together, part ways.
SPREAD = np.arange(64).reshape(BITS, CHUNKS).T.ravel()


@dataclass(frozen=True)
class _Table:
    """Hashes in blocks of LANES by one chunk: bucket k has the blocks `starts[k]` to `starts[k + 1]`.

    `lanes` is uint64 (LANES, blocks), `ids` int64 (blocks, LANES) with -1 where a block is not full, `chunk` the
    chunk of each block.
    """

    starts: NDArray[np.int64]
    lanes: Hashes
    ids: NDArray[np.int64]
    chunk: NDArray[np.int64]


def pairs_within(
    hashes: Hashes, radius: int, *, against: Hashes | None = None, flip: int = 0, workers: int | None = None
) -> Pairs:
    """Return all pairs (i, j), int64 (n, 2) and sorted, with at most `radius` bits in `hashes[i] ^ hashes[j] ^ flip`.

    `hashes`, uint64 (n,), should be distinct: m equal ones are m (m - 1) / 2 pairs. Without `against` i < j; with it
    j counts in `against`. `flip` turns the second hash before the comparison (`images.ODD_COLUMNS`: mirror images).
    """
    left = _spread(hashes)
    right = left if against is None else _spread(against)
    turned = int(_spread(np.array([flip], np.uint64))[0])
    quota = [(radius + 1) // CHUNKS + (c < (radius + 1) % CHUNKS) for c in range(CHUNKS)]  # bits + 1 for each chunk
    found = []
    with ThreadPoolExecutor(workers or cores()) as pool:
        for c in range(CHUNKS):
            first = _table(left, c)
            second = first if against is None else _table(right, c)
            masks = [mask ^ _chunk_of(turned, c) for mask in _masks(quota[c] - 1)]
            half = against is None
            for part in pool.map(lambda m: _under_mask(first, second, m, turned, radius, half), masks):  # noqa: B023
                difference = left[part[:, 0]] ^ right[part[:, 1]] ^ np.uint64(turned)
                found.append(part[~_seen(difference, quota[:c])])
    pairs = np.concatenate([*found, np.zeros((0, 2), np.int64)])
    return np.ascontiguousarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def _spread(hashes: Hashes) -> Hashes:
    """Return the hashes with their bits in the order of SPREAD."""
    spread = np.empty_like(hashes)
    for at in range(0, len(hashes), 1 << 17):
        octets = np.ascontiguousarray(hashes[at : at + (1 << 17)], "<u8").view(np.uint8).reshape(-1, 8)
        bits = np.unpackbits(octets, axis=1, bitorder="little")[:, SPREAD]
        packed = np.ascontiguousarray(np.packbits(bits, axis=1, bitorder="little"))
        spread[at : at + (1 << 17)] = packed.view("<u8")[:, 0]
    return spread


def _chunk_of(value: int, chunk: int) -> int:
    return value >> BITS * chunk & (1 << BITS) - 1


def _masks(most: int) -> list[int]:
    """Return every BITS-bit number with at most `most` bits set."""
    return [sum(1 << b for b in bits) for n in range(most + 1) for bits in combinations(range(BITS), n)]


def _table(hashes: Hashes, chunk: int) -> _Table:
    key = (hashes >> np.uint64(BITS * chunk) & np.uint64((1 << BITS) - 1)).astype(np.int64)
    order = np.argsort(key, kind="stable")
    count = np.bincount(key, minlength=1 << BITS)
    blocks = -(-count // LANES)
    starts = np.concatenate([[0], np.cumsum(blocks)])
    before = np.concatenate([[0], np.cumsum(count)[:-1]])
    sorted_key = key[order]
    places = np.full(int(starts[-1]) * LANES, -1)
    places[starts[sorted_key] * LANES + np.arange(len(order)) - before[sorted_key]] = order
    ids = places.reshape(-1, LANES)
    lanes = hashes[ids]  # the empty lanes hold some hash or other; their hits are told by the -1
    return _Table(starts, np.ascontiguousarray(lanes.T), ids, np.repeat(np.arange(1 << BITS), blocks))


def _seen(difference: Hashes, quotas: list[int]) -> NDArray[np.bool_]:
    """Return which pairs an earlier table has found: their difference is small in that table's chunk."""
    seen = np.zeros(len(difference), bool)
    for c, quota in enumerate(quotas):
        part = difference >> np.uint64(BITS * c) & np.uint64((1 << BITS) - 1)
        seen |= np.bitwise_count(part) < quota
    return seen


def _under_mask(first: _Table, second: _Table, mask: int, turned: int, radius: int, half: bool) -> Pairs:
    """Return the pairs whose chunks differ by exactly `mask`; with `half`, of one table with itself, each once."""
    found = [np.zeros((0, 2), np.int64)]
    for left, right in _block_pairs(first, second, mask, half):
        ours = [lane[left] ^ np.uint64(turned) for lane in first.lanes]
        theirs = [lane[right] for lane in second.lanes]
        nearest = np.full(len(left), 255, np.uint8)
        difference, bits = np.empty(len(left), np.uint64), np.empty(len(left), np.uint8)
        for a in ours:
            for b in theirs:
                np.bitwise_xor(a, b, out=difference)
                np.bitwise_count(difference, out=bits)
                np.minimum(nearest, bits, out=nearest)
        hit = np.flatnonzero(nearest <= radius)
        if len(hit):
            a, b = np.stack(ours, 1)[hit], np.stack(theirs, 1)[hit]
            near = np.bitwise_count(a[:, :, None] ^ b[:, None, :]) <= radius
            block, i, j = np.nonzero(near)
            pairs = np.stack([first.ids[left[hit][block], i], second.ids[right[hit][block], j]], 1)
            found.append(pairs[(pairs >= 0).all(axis=1)])
    pairs = np.concatenate(found)
    if not half:
        return pairs
    pairs.sort(axis=1)
    # Within a bucket every pair comes up from both sides.
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0) if not mask else pairs


def _block_pairs(
    first: _Table, second: _Table, mask: int, half: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the blocks to compare, about AT_ONCE at a time, as indices into each table."""
    partner = first.chunk ^ mask
    count = second.starts[partner + 1] - second.starts[partner]
    if half:
        count[first.chunk > partner] = 0
    ends = np.cumsum(count)
    at = 0
    while at < len(count):
        done = int(ends[at - 1]) if at else 0
        stop = max(int(np.searchsorted(ends, done + AT_ONCE, side="right")), at + 1)
        some = count[at:stop]
        total = int(ends[stop - 1]) - done
        if total:
            left = np.repeat(np.arange(at, stop), some)
            offset = second.starts[partner[at:stop]] - (ends[at:stop] - some - done)
            yield left, np.arange(total) + np.repeat(offset, some)
        at = stop
