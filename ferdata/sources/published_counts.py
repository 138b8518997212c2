"""Which release is this? What was found, against what the publishers say is there."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from ferdata.sources.declaration import Layout

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


def compare(layout: Layout, found: Cells) -> tuple[Difference, ...]:
    """Return where the counts differ from the layout's published ones.

    A label or a split for which nobody published a number is not a published 0: it is not compared.
    """
    differences = []
    for split, published in layout.counts.items():
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
