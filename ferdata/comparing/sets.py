"""The sets that are compared, under one taxonomy: each manifest, or each dataset of the only one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import labels
from ferdata.auditing.answers import ANSWER_COLUMNS
from ferdata.auditing.pictures import PICTURE_COLUMNS
from ferdata.class_balance import class_counts
from ferdata.duplicates.groups import GROUP_COLUMNS
from ferdata.errors import BadOption
from ferdata.labels import Taxonomy
from ferdata.manifest import Manifest
from ferdata.manifest.derived import table_under

PEOPLE = ("age", "gender", "ethnicity")
COLUMNS = frozenset(
    (
        *GROUP_COLUMNS, *PICTURE_COLUMNS, *ANSWER_COLUMNS, *PEOPLE, "label", "label_reason", "landmarks", "split",
        "synthetic",
    )
)  # fmt: skip
MOST = 16  # sets: 120 pairs
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sets:
    """The sets by name; `table` has COLUMNS and the rows of `manifests`, one after the other.

    `of` is the set of each row, int64 (n,); `counts` the labelled rows of each set and class, int64 (sets, classes).
    """

    names: tuple[str, ...]
    manifests: tuple[Manifest, ...]
    taxonomy: Taxonomy
    table: pa.Table
    of: Ints
    counts: Ints

    @property
    def merged(self) -> bool:
        """Whether the sets are one manifest whose shared pictures are known, and stay in one split."""
        return len(self.manifests) == 1 and self.table["picture"].null_count == 0

    def rows(self, number: int) -> Ints:
        """Return the rows of a set, rising."""
        return np.flatnonzero(self.of == number).astype(np.int64)

    def pairs(self) -> list[tuple[int, int]]:
        """Return every two sets."""
        return list(combinations(range(len(self.names)), 2))

    def common(self, first: int, second: int) -> tuple[str, ...]:
        """Return the classes of which both sets have rows."""
        both = (self.counts[first] > 0) & (self.counts[second] > 0)
        return tuple(name for name, there in zip(self.taxonomy.classes, both, strict=True) if there)


def open_sets(paths: Sequence[Path | str], taxonomy: str | None = None) -> Sets:
    """Open what is compared. Several manifests are a set each; of a single one, each dataset is.

    Raises NotAManifest, UnknownLabel, and BadOption for fewer than two sets or more than MOST, for a manifest without
    rows, for several taxonomies where none is chosen, and for two labelled sets that have no class in common.
    """
    opened = tuple(Manifest(Path(path)) for path in paths)
    if not opened:
        raise BadOption("No manifest was named.", "ferdata datasets compare ferplus.parquet ckplus.parquet")
    for m in opened:
        if not m.rows:
            raise BadOption(f"{m.path} has no rows.", "Ingest or merge it again.")
    classes = labels.taxonomy(taxonomy) if taxonomy else opened[0].taxonomy
    if not taxonomy and any(m.taxonomy.classes != classes.classes for m in opened):
        raise BadOption("The manifests have different taxonomies.", "Choose one with --taxonomy, such as basic7.")
    table = pa.concat_tables([table_under(m, COLUMNS, None, classes) for m in opened])
    names, of = _of_manifests(opened) if len(opened) > 1 else _of_datasets(opened[0], table)
    if len(names) > MOST:
        raise BadOption(f"There are {len(names)} sets, and at most {MOST} are compared.", "Name fewer of them.")
    target = [table["target"].filter(pa.array(of == k)) for k in range(len(names))]
    counts = np.stack([class_counts(each, classes.classes) for each in target])
    sets = Sets(names, opened, classes, table, of, counts)
    _have_a_class_in_common(sets)
    return sets


def _of_manifests(opened: Sequence[Manifest]) -> tuple[tuple[str, ...], Ints]:
    """Return the names of the manifests, by their only dataset where that tells them apart, and each row's number."""
    where = [m.path.resolve() for m in opened]
    if twice := [m.path for m in opened if where.count(m.path.resolve()) > 1]:
        raise BadOption(f"{twice[0]} was named twice.", "Name each manifest once.")
    of = np.repeat(np.arange(len(opened)), [m.rows for m in opened]).astype(np.int64)
    for called in ([_only_dataset(m) for m in opened], [m.path.stem for m in opened], [str(m.path) for m in opened]):
        if len(set(called)) == len(called):
            break
    return tuple(called), of


def _only_dataset(m: Manifest) -> str:
    return next(iter(m.sources)) if len(m.sources) == 1 else m.path.stem


def _of_datasets(only: Manifest, table: pa.Table) -> tuple[tuple[str, ...], Ints]:
    names = tuple(sorted(table["dataset"].unique().to_pylist()))
    if len(names) < 2:
        raise BadOption(
            f"{only.path} holds one dataset, {names[0]}, and there is nothing to compare it with.",
            f"Name another manifest beside it: ferdata datasets compare {only.path} OTHER.parquet",
        )
    return names, pc.index_in(table["dataset"], pa.array(names)).to_numpy().astype(np.int64)


def _have_a_class_in_common(sets: Sets) -> None:
    """Raise BadOption for two sets that both have labels, and none of them alike."""
    for first, second in sets.pairs():
        if sets.counts[first].any() and sets.counts[second].any() and not sets.common(first, second):
            one, other = (
                ", ".join(c for c, n in zip(sets.taxonomy.classes, sets.counts[k], strict=True) if n)
                for k in (first, second)
            )
            raise BadOption(
                f"{sets.names[first]} ({one}) and {sets.names[second]} ({other}) have no class in common.",
                "Choose classes that both have with --taxonomy, or leave one of them out.",
            )
