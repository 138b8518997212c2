"""Allot: groups to the sides of a split, or to folds, class by class, each in the share that was asked for."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.splitting.seeded_order import SIDES, Keys, lowest, shared_out, shuffle_keys

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
NONE = -1
FEW = 16  # groups alike: up to so many are placed one by one, more are sorted by shuffle key and cut
Kind = tuple[NDArray[np.float64], Ints]  # rows of each class, and the groups of that composition by shuffle key


class Allotment:
    """Places groups, dataset by dataset; only a group's own ids and classes decide where it goes.

    `table` has `sample_id`, `dataset` and `target`; `group` numbers its rows' groups from 0. `drawn` says whether any
    group has been placed, and so whether the seed had a say.
    """

    def __init__(self, table: pa.Table, group: Ints, seed: int, use: int = SIDES) -> None:
        self.group = group
        self.drawn = False
        self.count = int(group.max()) + 1 if len(group) else 0
        self.key = shuffle_keys(table["sample_id"], seed, use)
        coded = table["dataset"].combine_chunks().dictionary_encode()
        self.datasets: list[str] = coded.dictionary.to_pylist()
        self.code = coded.indices.to_numpy()
        # In the order of their names: another dataset's classes must not change the order of this one's.
        classes = table["target"].unique().drop_null().sort()
        self.label = pc.fill_null(pc.index_in(table["target"], classes), len(classes)).to_numpy().astype(np.int64)
        self.classes = len(classes) + 1  # the last: rows without a class

    def of(self, dataset: str) -> Mask:
        """Return which rows belong to `dataset`."""
        return np.asarray(self.code == self.datasets.index(dataset))

    def assign(self, side: Ints, rows: Mask, shares: Sequence[float], every: bool = False) -> None:
        """Give every group among `rows` that has no side yet one: its classes go where they are lacking most.

        Large groups first. Those of one composition (single rows of one class, say) are sorted by shuffle key and cut
        in proportion to what each side lacks; rare compositions are placed one by one, where the sum over classes of
        (wanted - placed)^2 / total comes out smallest. `every`: no side stays empty while there are groups for it.
        `side` is changed in place.
        """
        at = np.flatnonzero(rows & (side[self.group] == NONE))
        self.drawn |= len(at) > 0
        share = np.asarray(shares, np.float64)
        total = np.maximum(np.bincount(self.label[at], minlength=self.classes), 1).astype(np.float64)
        lacking = share[:, None] * total
        # Groups on each side; in folds those of earlier datasets count too, in a split no dataset moves another.
        held = np.bincount(side[side != NONE], minlength=len(share)) if every else np.zeros(len(share), np.int64)
        empty = (share > 0) & (held == 0)
        kinds = list(self._kinds(at))
        left = sum(len(groups) for _, groups in kinds)
        for counts, groups in kinds:
            if len(groups) > max(FEW, 2 * len(share)):
                need = np.where(share > 0, np.maximum(lacking @ (counts / total), 0), 0)
                number = shared_out(len(groups), need if need.any() else share)
                side[groups] = np.repeat(np.arange(len(share)), number)
                lacking -= number[:, None] * counts
                held += number
                empty &= number == 0
                left -= len(groups)
                continue
            for group in groups:
                open_to = empty if every and left <= empty.sum() else share > 0
                need = np.where(open_to, lacking @ (counts / total), -np.inf)
                # Among equals the one that has least: first groups of each class, or dataset, must not all meet in one.
                best = np.flatnonzero(need >= need.max() - 1e-9)
                chosen = int(best[np.lexsort((held[best], -lacking[best].sum(axis=1)))[0]])
                side[group] = chosen
                lacking[chosen] -= counts
                held[chosen] += 1
                empty[chosen] = False
                left -= 1

    def _kinds(self, at: NDArray[np.intp]) -> Iterator[Kind]:
        """Yield the groups of the rows `at` by composition: large before small, and within that many before few."""
        group, label, key = self.group[at], self.label[at], self.key[at]
        alone = np.bincount(group, minlength=self.count)[group] == 1
        yield from self._shared(group[~alone], label[~alone], key[~alone])
        single, of, mine = group[alone], label[alone], key[alone]
        order = np.lexsort((mine, of))
        ends = np.cumsum(np.bincount(of, minlength=self.classes))
        for kind in range(self.classes):
            members = single[order[ends[kind - 1] if kind else 0 : ends[kind]]]
            if len(members):
                yield np.eye(self.classes)[kind], members

    def _shared(self, group: Ints, label: Ints, key: Keys) -> Iterator[Kind]:
        groups, local = np.unique(group, return_inverse=True)
        counts = np.bincount(local * self.classes + label, minlength=len(groups) * self.classes)
        counts = counts.reshape(len(groups), self.classes)
        least = lowest(key, local, len(groups))
        # A weighted sum stands for the composition: one number to sort by, in place of a row of them.
        weight = shuffle_keys(pa.array([f"class {i}" for i in range(self.classes)]), 0)
        _, first, kind, number = np.unique(
            (counts.astype(np.uint64) * weight).sum(axis=1, dtype=np.uint64),
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        # Sizes are compared by powers of two, so that the keys, and with them the seed, have a say among the like.
        size = np.frexp(counts.sum(axis=1))[1] if len(groups) else np.empty(0, np.int32)
        many = number[kind] > FEW
        rank = np.lexsort((*counts[first].T, -number))  # a kind's place among those of one size
        place = np.empty(len(rank), np.int64)
        place[rank] = np.arange(len(rank))
        order = np.lexsort((least, np.where(many, place[kind], 0), ~many, -size))
        cut = np.flatnonzero(~(many[order][1:] & (kind[order][1:] == kind[order][:-1]))) + 1
        for members in np.split(order, cut) if len(order) else []:
            yield counts[members[0]].astype(np.float64), groups[members]
