"""Hamming search: every pair of 64-bit hashes that differ in at most so many bits, in numpy and bounded memory.

Two hashes within 10 bits differ, in one of their four 16-bit chunks, by at most 2, 2, 2 or 1 bits: if every chunk
had one more, that would be 3 + 3 + 3 + 2 = 11 (the pigeonhole principle, as in Norouzi, Punjani and Fleet 2012,
"Fast search in Hamming space with multi-index hashing"). So there is one table for each chunk, sorted by it, and for
every mask of so few bits the bucket of a chunk is compared with the bucket of the chunk under the mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ferdata.running.processes import Threads

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]

CHUNKS, BITS = 4, 16
LANES = 4  # hashes of a bucket stand in blocks of so many, compared block with block: one look-up for 16 pairs
AT_ONCE = 1 << 14  # block pairs: what is compared at once stays in the processor's cache
SPAN = 1 << 15  # block pairs that a thread looks at in one go: at most 8 MB of pairs, if all are near
PIECE = 1 << 20  # pairs: 16 MB
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
) -> Iterator[Pairs]:
    """Yield all pairs (i, j), int64 (n, 2), with at most `radius` bits in `hashes[i] ^ hashes[j] ^ flip`, each once.

    They come in pieces of about PIECE pairs, each sorted: a film's frames have hundreds of times as many pairs as there
    are of them. `hashes`, uint64 (n,), should be distinct: m equal ones are m (m - 1) / 2 pairs. Without `against`
    i < j; with it j counts in `against`. `flip` turns the second hash before the comparison (`images.ODD_COLUMNS`:
    mirror images).
    """
    left = _spread(hashes)
    right = left if against is None else _spread(against)
    turned = int(_spread(np.array([flip], np.uint64))[0])
    quota = [(radius + 1) // CHUNKS + (c < (radius + 1) % CHUNKS) for c in range(CHUNKS)]  # bits + 1 for each chunk
    waiting: list[Pairs] = []
    for c in range(CHUNKS):
        first = _table(left, c)
        second = first if against is None else _table(right, c)
        masks = [mask ^ _chunk_of(turned, c) for mask in _masks(quota[c] - 1)]
        search = partial(_near_pairs, first, second, turned, radius)
        for part in Threads(workers).run(search, _spans(first, second, masks, against is None)):
            difference = left[part[:, 0]] ^ right[part[:, 1]] ^ np.uint64(turned)
            waiting.append(part[~_seen(difference, quota[:c])])
            if sum(map(len, waiting)) >= PIECE:
                yield _sorted(waiting)
                waiting = []
    if any(map(len, waiting)):
        yield _sorted(waiting)


def _sorted(parts: list[Pairs]) -> Pairs:
    pairs = np.concatenate(parts)
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


@dataclass(frozen=True)
class _Span:
    """Blocks of one table, from `at` on, and for each the first block of another to compare it with, and how many.

    `once` says that pairs of one hash with another are to be sorted, since both tables are one.
    """

    at: int
    begin: NDArray[np.int64]
    count: NDArray[np.int64]
    once: bool


def _spans(first: _Table, second: _Table, masks: list[int], half: bool) -> Iterator[_Span]:
    """Yield what is to be compared, so that chunks differ by exactly one of `masks`, SPAN block pairs at a time.

    With `half` both tables are one, and of two blocks one is compared with the other.
    """
    for mask in masks:
        partner = first.chunk ^ mask
        begin, end = second.starts[partner], second.starts[partner + 1]
        if half and mask:
            end = np.where(first.chunk > partner, begin, end)
        elif half:
            begin = np.arange(len(begin))
        count = end - begin
        yield from (_Span(at, begin[at:stop], count[at:stop], half) for at, stop in _cut(count, SPAN))


def _cut(count: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Yield the ends of stretches of `count` that sum to at most `most`, or have one value alone."""
    ends = np.cumsum(count)
    at = 0
    while at < len(count):
        done = int(ends[at - 1]) if at else 0
        stop = max(int(np.searchsorted(ends, done + most, side="right")), at + 1)
        if int(ends[stop - 1]) > done:
            yield at, stop
        at = stop


def _near_pairs(first: _Table, second: _Table, turned: int, radius: int, span: _Span) -> Pairs:
    """Return the pairs of a span that differ in at most `radius` bits; each pair of blocks is looked at once."""
    found = [np.zeros((0, 2), np.int64)]
    for at, stop in _cut(span.count, AT_ONCE):
        left, right = _block_pairs(span.begin[at:stop], span.count[at:stop], span.at + at)
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
            if span.once:  # within a block every pair comes up twice, and each hash with itself
                near &= (left[hit] != right[hit])[:, None, None] | _ABOVE
            block, i, j = np.nonzero(near)
            pairs = np.stack([first.ids[left[hit][block], i], second.ids[right[hit][block], j]], 1)
            found.append(pairs[(pairs >= 0).all(axis=1)])
    pairs = np.concatenate(found)
    if span.once:
        pairs.sort(axis=1)
    return pairs


_ABOVE = np.triu(np.ones((LANES, LANES), bool), 1)


def _block_pairs(
    begin: NDArray[np.int64], count: NDArray[np.int64], at: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the blocks to compare, those from `at` on with `count` from `begin` on, as indices into each table."""
    left = np.repeat(np.arange(at, at + len(count)), count)
    ends = np.cumsum(count)
    return left, np.arange(int(ends[-1])) + np.repeat(begin - (ends - count), count)
