"""Which release is this? What was found, against what the publishers say is there."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from ferdata.sources.declaration import EITHER, Layout, Source

Cells = Mapping[tuple[str | None, str | None], int]  # (official split, native label) -> rows


@dataclass(frozen=True)
class Difference:
    """A count that is not the published one; `label` is `all` for a whole split, `split` is `all` for all of them."""

    split: str
    label: str
    published: int
    found: int

    def __str__(self) -> str:
        where = "in all" if self.split == "all" else f"in {self.split}"
        what = "images" if self.label == "all" else repr(self.label)
        return f"{what} {where}: {self.found:,} found, {self.published:,} published ({self.found - self.published:+,})"


@dataclass(frozen=True)
class Lacking:
    """An official split of which there is no image; `published`, how many there should be, None where nobody says."""

    split: str
    published: int | None

    def __str__(self) -> str:
        return f"no {self.split}: 0 found" + ("" if self.published is None else f", {self.published:,} published")


def lacking(layout: Layout, found: Cells) -> tuple[Lacking, ...]:
    """Return the official splits of which nothing was found, as where only one archive of two was downloaded."""
    there = {split for split, _ in found}
    published = {split: counts for split, counts in layout.counts.items() if split not in ("all", *layout.splits)}
    return tuple(
        Lacking(split, published[split].get("all", sum(published[split].values())) if split in published else None)
        for split in (*published, *layout.splits)
        if not there.intersection(split.split(EITHER))
    )


def where_to_get(source: Source, layout: Layout, found: Cells) -> str:
    """Return what the official splits that are not there mean, and where they are to be had; "" where all are there."""
    if not (gaps := lacking(layout, found)):
        return ""
    own = " For a test of your own: ferdata merge --split 0.8,0.1,0.1." if any("test" in g.split for g in gaps) else ""
    return (
        f"This copy has no official {' and no '.join(gap.split for gap in gaps)}, without which results do not compare "
        f"with published ones. Who may have it: {source.access} How: {source.obtain[0]} "
        f"All steps: ferdata datasets show {source.name}.{own}"
    )


def compare(layout: Layout, found: Cells) -> tuple[Difference, ...]:
    """Return where the counts differ from the layout's published ones; of splits that are there, as `lacking` says.

    A label or a split for which nobody published a number is not a published 0: it is not compared.
    """
    differences = []
    none = {gap.split for gap in lacking(layout, found)}
    for split, published in layout.counts.items():
        if split in none:
            continue
        here: Counter[str | None] = Counter()
        for (at, label), n in found.items():
            if split in ("all", at):
                here[label] += n
                here["all"] += n
        differences += [
            Difference(split, label, number, here[label])
            for label, number in sorted(published.items())
            if here[label] != number
        ]
    return tuple(differences)


def strangers(layout: Layout, paths: Iterable[str]) -> Iterable[str]:
    """Yield the paths whose file name the publishers would not have given; nothing if the layout has no pattern."""
    if layout.names:
        pattern = re.compile(layout.names)
        yield from (path for path in paths if not pattern.fullmatch(PurePosixPath(path).name))
