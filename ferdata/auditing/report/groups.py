"""Rows that are to be seen side by side: one picture under several labels, copies, what several splits share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.auditing.whole import numbers, reach, sides

GROUP_COLUMNS = ("dataset", "pixel_hash", "subject", "sequence", "group", "split", "official_split")
SAME, NEAR = "same pixels", "near copy"
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """Rows that belong together and `why`, mixed: each split and label has its first before any has its second."""

    why: str
    rows: Ints


@dataclass(frozen=True)
class Kin:
    """What groups are made of: each row's picture, label (-1 for none) and split (-1 for none), as numbers.

    `links` are the ways in which rows belong together, the closest first: name -> number, -1 for nothing.
    """

    picture: Ints
    label: Ints
    split: Ints
    dataset: Ints
    links: dict[str, Ints]


def kin(table: pa.Table, picture: Ints, label: Ints) -> Kin:
    """Return the kin of all rows; `table` has GROUP_COLUMNS, `picture` numbers equal pictures from 0."""
    own = {
        name: numbers(pc.binary_join_element_wise(table["dataset"], table[name], "\n"))
        for name in ("subject", "sequence")
    }
    links = {
        SAME: numbers(table["pixel_hash"]), NEAR: picture, "same person": own["subject"],
        "same clip": own["sequence"], "same group": numbers(table["group"]),
    }  # fmt: skip
    return Kin(picture, label, sides(table), numbers(table["dataset"]), links)


def conflicts(of: Kin, found: Mask) -> list[Group]:
    """Return the pictures of the rows found, with all their labelled rows."""
    rows = np.flatnonzero(np.isin(of.picture, of.picture[found]) & (of.label >= 0))
    return _sorted(of, _alike(of, rows))


def copies(of: Kin) -> list[Group]:
    """Return the pictures that stand in two rows or more."""
    rows = np.flatnonzero(np.bincount(of.picture, minlength=1)[of.picture] > 1) if len(of.picture) else of.picture
    return _sorted(of, _alike(of, rows))


def leaks(of: Kin, found: Mask) -> list[Group]:
    """Return what each row found shares with another split, by the closest link there is."""
    groups: list[Group] = []
    left = found.copy()
    for why, code in of.links.items():
        shared = reach(code, of.split) > 1  # NaN is not
        fresh = left & shared
        rows = np.flatnonzero(np.isin(code, code[fresh]) & (code >= 0) & (of.split >= 0))
        groups += [Group(why, part) for part in _parts(code, rows)]
        left &= ~shared
    return _sorted(of, groups)


def _alike(of: Kin, rows: Ints) -> list[Group]:
    pixels = of.links[SAME]
    parts = _parts(of.picture, rows)
    return [Group(SAME if (pixels[part] == pixels[part[0]]).all() else NEAR, part) for part in parts]


def _parts(code: Ints, rows: Ints) -> list[Ints]:
    """Return `rows` parted by their code."""
    ordered = rows[np.argsort(code[rows], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(code[ordered])) + 1) if len(rows) else []


def _sorted(of: Kin, groups: Sequence[Group]) -> list[Group]:
    """Return groups with most splits first, then those with most labels, datasets and rows; their rows mixed."""

    def weight(group: Group) -> tuple[int, ...]:
        kinds = (np.unique(code[group.rows]) for code in (of.split, of.label, of.dataset))
        return (*(-int((kind >= 0).sum()) for kind in kinds), -len(group.rows))

    return [Group(group.why, _mixed(of, group.rows)) for group in sorted(groups, key=weight)]


def _mixed(of: Kin, rows: Ints) -> Ints:
    cell = np.unique(np.stack([of.split[rows], of.label[rows]]), axis=1, return_inverse=True)[1].reshape(-1)
    order = np.argsort(cell, kind="stable")
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.searchsorted(cell[order], cell[order])
    return rows[np.lexsort((cell, rank))]
