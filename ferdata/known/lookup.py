"""The look-up: a row is a known one if its pixels are, or if its perceptual hash is within two bits of a known one's.

Re-encoding and resizing change a perceptual hash by 3 bits at most, and of FER2013's faces as JPEG of 224 px 99.9 % by
2 at most; no photograph and no face of CK+ is so near to one of FER2013's. Where nearly all faces are one dataset's,
the others may be some bits further away.

A dataset may hold one picture several times: then as many copies as it has rows of it get a row each, in file order,
the nearest first, and further ones are known without a row. Of equal pictures the rows of test come first, so that one
that stands in train and test, and is here once, is one of test.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata.known.index import Index, first_bits
from ferdata.schema import SPLITS

RADIUS = 2  # bits
# Among so many faces of which this share is one dataset's, the others are its, too, at up to FARTHER bits.
COMPANY, SHARE, FARTHER = 200, 0.95, 4
CUTS = ((0, 21), (21, 21), (42, 22))  # RADIUS + 1 pieces of a hash: two hashes so near have one of them in common
NONE = -1
Ints = NDArray[np.int64]


@dataclass
class Known:
    """How many rows are one dataset's, of the `faces` that were looked up: all, and by its official splits.

    `across` pictures of theirs stand in several of its official splits; `ambiguous` rows are known without a row of
    their own.
    """

    name: str
    title: str
    faces: int = 0
    rows: int = 0
    splits: dict[str, int] = field(default_factory=dict)
    across: int = 0
    ambiguous: int = 0

    def __str__(self) -> str:
        splits = ", ".join(f"{self.splits[split]:,} of its {split}" for split in SPLITS if split in self.splits)
        more = [f"{self.across:,} pictures stand in several of its splits"] if self.across else []
        more += [f"{self.ambiguous:,} are copies beyond those that it has"] if self.ambiguous else []
        said = "; ".join(filter(None, (splits, *more)))
        return f"{self.rows:,} of {self.faces:,} faces are {self.title}'s" + (f" ({said})" if said else "")


@dataclass(frozen=True)
class Found:
    """For each row that was looked up: which index (position, -1: none), which of its rows (-1: none), which split."""

    index: Ints
    row: Ints
    split: NDArray[np.int8]


class Lookup:
    """Rows looked up in file order, batch after batch; each known row is given once."""

    def __init__(self, indexes: Sequence[Index]) -> None:
        self.indexes = tuple(indexes)
        self.known = [Known(index.name, index.title) for index in indexes]
        self._searched = [_Searched(index) for index in indexes]

    def __call__(self, pixel_hash: pa.Array | pa.ChunkedArray, phash: pa.Array | pa.ChunkedArray) -> Found:
        """Return what the rows are, from their hashes as a manifest has them; counts them in `known`."""
        pixels, hashes = first_bits(pixel_hash), np.asarray(phash.to_numpy(zero_copy_only=False), np.uint64)
        nothing = np.full(len(pixels), NONE)
        found = Found(nothing, nothing.copy(), nothing.astype(np.int8))
        for at, searched in enumerate(self._searched):
            open_rows = np.flatnonzero(found.index == NONE)
            self.known[at].faces += len(pixels)
            for where, row, split in searched.find(pixels[open_rows], hashes[open_rows], self.known[at]):
                place = open_rows[where]
                found.index[place], found.row[place], found.split[place] = at, row, split
        return found

    @property
    def hits(self) -> list[Known]:
        """The datasets that rows were found of."""
        return [known for known in self.known if known.rows]


class _Searched:
    """One index, made ready: its rows by pixels and by perceptual hash, and which of them are given."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.given = np.zeros(len(index), np.bool_)
        # test, val, train, none: within equal hashes the most guarded row comes first
        guarded = np.where(index.split == NONE, -1, index.split)
        self.by_pixels = _Groups(index.pixels, guarded)
        self.by_phash = _Groups(index.phash, guarded)
        self.across = self.by_pixels.across(index.split)
        self.met: set[int] = set()  # pictures that stand in several splits, of those found
        self.tables = [_Pieces(self.by_phash.keys, cut) for cut in CUTS]

    def find(self, pixels: NDArray[np.uint64], hashes: NDArray[np.uint64], count: Known) -> list[tuple[int, int, int]]:
        """Return (position, row of the index, split) of each that is known, in order."""
        exact = self.by_pixels.positions(pixels)
        unknown = np.flatnonzero(exact == NONE)
        near = {int(unknown[at]): positions for at, positions in self._near(hashes[unknown]).items()}
        found = []
        for at in sorted([*np.flatnonzero(exact != NONE).tolist(), *near]):
            rows = self._rows(near[at]) if at in near else self.by_pixels.rows(int(exact[at]))
            found.append((at, *self._give(rows, count)))
        if count.faces >= COMPANY and count.rows >= SHARE * count.faces:
            others = ((at, self._farther(hashes[at])) for at in sorted(set(unknown.tolist()) - near.keys()))
            found += [(at, *self._give(rows, count)) for at, rows in others if len(rows)]
        return found

    def _farther(self, phash: np.uint64) -> Ints:
        """Return the rows whose perceptual hash is within FARTHER, the nearest first."""
        bits = np.bitwise_count(self.by_phash.keys ^ phash)
        near = np.flatnonzero(bits <= FARTHER)
        return self._rows(near[np.argsort(bits[near], kind="stable")].tolist())

    def _give(self, rows: Ints, count: Known) -> tuple[int, int]:
        """Return the first of the rows that is not given yet, which now is, and its split; NONE where all are."""
        free = rows[~self.given[rows]]
        row = int(free[0]) if len(free) else NONE
        splits = np.unique(self.index.split[free[:1] if len(free) else rows])
        split = int(splits[0]) if len(splits) == 1 else NONE
        self.given[free[:1]] = True
        self._count(count, rows, row, split)
        return row, split

    def _count(self, count: Known, rows: Ints, row: int, split: int) -> None:
        count.rows += 1
        count.ambiguous += row == NONE
        name = "none" if split == NONE else SPLITS[split]
        count.splits[name] = count.splits.get(name, 0) + 1
        if self.across[rows[0]] and (picture := int(rows[0])) not in self.met:
            self.met.add(picture)
            count.across += 1

    def _rows(self, positions: list[int]) -> Ints:
        """Return the rows that have the perceptual hashes at the positions, in their order."""
        return np.concatenate([np.empty(0, np.int64), *(self.by_phash.rows(position) for position in positions)])

    def _near(self, hashes: NDArray[np.uint64]) -> dict[int, list[int]]:
        """Return, for each that has some, the positions of the known hashes within RADIUS, the nearest first."""
        found: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for table in self.tables:
            query, other = table.candidates(hashes)
            bits = np.bitwise_count(hashes[query] ^ self.by_phash.keys[other])
            close = bits <= RADIUS
            for at, position, distance in zip(*(x[close].tolist() for x in (query, other, bits)), strict=True):
                found[at][position] = distance
        return {at: sorted(each, key=lambda position: (each[position], position)) for at, each in found.items()}


class _Groups:
    """Rows by a hash: the distinct hashes, sorted, and the rows of each, those of the held-out splits first."""

    def __init__(self, hashes: NDArray[np.uint64], guarded: NDArray[np.int64]) -> None:
        self.order = np.lexsort((np.arange(len(hashes)), -guarded, hashes))
        self.keys, starts = np.unique(hashes[self.order], return_index=True)
        self.starts = np.append(starts, len(hashes))

    def positions(self, hashes: NDArray[np.uint64]) -> Ints:
        """Return the position of each hash among the distinct ones, -1 for one that is none of them."""
        if not len(self.keys):
            return np.full(len(hashes), NONE)
        at = np.minimum(np.searchsorted(self.keys, hashes), len(self.keys) - 1)
        return np.where(self.keys[at] == hashes, at, NONE)

    def across(self, split: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Return which rows have a hash that stands in several splits."""
        first, last = (reduce.reduceat(split[self.order], self.starts[:-1]) for reduce in (np.minimum, np.maximum))
        torn = np.empty(len(split), np.bool_)
        torn[self.order] = np.repeat(first != last, np.diff(self.starts))
        return torn

    def rows(self, position: int) -> Ints:
        """Return the rows that have a hash."""
        return self.order[self.starts[position] : self.starts[position + 1]]


class _Pieces:
    """Distinct hashes by one piece of them."""

    def __init__(self, hashes: NDArray[np.uint64], cut: tuple[int, int]) -> None:
        self.shift, self.mask = np.uint64(cut[0]), np.uint64((1 << cut[1]) - 1)
        pieces = self._piece(hashes)
        self.order = np.argsort(pieces, kind="stable")
        self.pieces = pieces[self.order]

    def _piece(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return hashes >> self.shift & self.mask

    def candidates(self, hashes: NDArray[np.uint64]) -> tuple[Ints, Ints]:
        """Return pairs (query, position) of hashes that have this piece in common."""
        wanted = self._piece(hashes)
        low, high = (np.searchsorted(self.pieces, wanted, side) for side in ("left", "right"))
        count = high - low
        query = np.repeat(np.arange(len(hashes)), count)
        within = np.arange(len(query)) - np.repeat(np.cumsum(count) - count, count)
        return query, self.order[np.repeat(low, count) + within]
