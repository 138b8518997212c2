"""Rows that are to be seen side by side: one picture under several labels, copies, what several splits share."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.auditing.whole import numbers, reach, sides

GROUP_COLUMNS = ("dataset", "pixel_hash", "subject", "sequence", "group", "split", "official_split")
SAME, NEAR = "same pixels", "near copy"
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Group(NamedTuple):
    """Rows that belong together, and why; `order` sorts groups."""

    order: tuple[int, ...]
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
    return sorted(_alike(of, np.isin(of.picture, of.picture[found]) & (of.label >= 0)))


def copies(of: Kin) -> list[Group]:
    """Return the pictures that stand in two rows or more."""
    return sorted(_alike(of, np.bincount(of.picture, minlength=1)[of.picture] > 1))


def leaks(of: Kin, found: Mask) -> list[Group]:
    """Return what each row found shares with another split, by the closest link there is."""
    groups: list[Group] = []
    left = found.copy()
    for why, code in of.links.items():
        shared = reach(code, of.split) > 1  # NaN is not
        member = np.isin(code, code[left & shared]) & (code >= 0) & (of.split >= 0)
        groups += _parts(of, code, member, why)
        left &= ~shared
    return sorted(groups)


def mixed(of: Kin, rows: Ints) -> Ints:
    """Return rows so that each split and label has its first before any has its second."""
    cell = np.unique(np.stack([of.split[rows], of.label[rows]]), axis=1, return_inverse=True)[1].reshape(-1)
    order = np.argsort(cell, kind="stable")
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.searchsorted(cell[order], cell[order])
    return rows[np.lexsort((cell, rank))]


def _alike(of: Kin, member: Mask) -> list[Group]:
    """Return pictures; whose rows differ in pixels are near copies."""
    return [
        group if (of.links[SAME][group.rows] == of.links[SAME][group.rows[0]]).all() else group._replace(why=NEAR)
        for group in _parts(of, of.picture, member, SAME)
    ]


def _parts(of: Kin, code: Ints, member: Mask, why: str) -> list[Group]:
    """Return the members of each code as a group: those with most splits first, then most labels, datasets, rows."""
    rows = np.flatnonzero(member)
    if not len(rows):
        return []
    rows = rows[np.argsort(code[rows], kind="stable")]
    begins = np.flatnonzero(np.diff(code[rows], prepend=code[rows[0]] - 1))
    number = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(rows)))

    def kinds(value: Ints) -> list[int]:
        known = value[rows] >= 0
        pairs = np.unique(np.stack([number[known], value[rows][known]]), axis=1)
        counts: list[int] = (-np.bincount(pairs[0], minlength=len(begins))).tolist()
        return counts

    sizes = (-np.bincount(number)).tolist()
    orders = zip(kinds(of.split), kinds(of.label), kinds(of.dataset), sizes, rows[begins].tolist(), strict=True)
    return [Group(order, why, part) for order, part in zip(orders, np.split(rows, begins[1:]), strict=True)]
