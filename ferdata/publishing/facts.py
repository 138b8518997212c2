"""What there is to say of a published manifest, counted once: the card, croissant.json and the result all read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ferdata import __version__
from ferdata.class_balance import class_counts
from ferdata.labels import VOTE_COLUMNS
from ferdata.manifest import Manifest
from ferdata.manifest.counts import split_column
from ferdata.publishing.terms import Terms

# The manifest's splits by the Hub's names for them; rows that are in none are published as such.
HUB_SPLITS: Mapping[str, str] = {"train": "train", "val": "validation", "test": "test", "none": "no_split"}
PEOPLE = ("subject", "age", "gender", "ethnicity")


@dataclass(frozen=True)
class Split:
    """One split: `name` is the Hub's, `split` the manifest's; rows by class (of those with a label) and by dataset."""

    name: str
    split: str
    rows: int
    labelled: int
    classes: Mapping[str, int]
    datasets: Mapping[str, int]


@dataclass(frozen=True)
class Facts:
    """A manifest, as it is published; `pixels` says whether the images are, and `names` are the columns beside them.

    `people` counts the rows whose publishers name a subject, age, gender or ethnicity, `reviewed` those that a person
    has decided on, `proposed` those whose label a net has proposed; `voters` are the fewest and the most votes of a row
    with votes.
    """

    name: str
    repo: str | None
    form: str
    pixels: bool
    fingerprint: str
    rows: int
    taxonomy: str
    classes: tuple[str, ...]
    vote_policy: str
    splits: tuple[Split, ...]
    terms: tuple[Terms, ...]
    names: tuple[str, ...]
    people: Mapping[str, int]
    synthetic: int
    reviewed: int
    proposed: int
    voted: int
    voters: tuple[int, int] | None
    rated: int
    aligned: int
    width: tuple[int, int]
    height: tuple[int, int]
    lineage: Sequence[Mapping[str, Any]]
    ferdata: str = __version__

    @property
    def labelled(self) -> int:
        """The number of rows with a label."""
        return sum(split.labelled for split in self.splits)

    @property
    def licence(self) -> str:
        """The licence as the Hub names it: the one that all sources have, else `other`."""
        (first, *others) = {t.identifier for t in self.terms}
        return first if first and not others else "other"


def split_names(table: pa.Table) -> np.ndarray:
    """Return each row's split, as the manifest's counts name it; `table` has `split` and `official_split`."""
    column = pc.fill_null(table[split_column(table)], "none")
    return np.array(column.to_pylist(), dtype=object)


def gather(
    opened: Manifest,
    terms: Sequence[Terms],
    names: Sequence[str],
    *,
    out: Path,
    form: str,
    pixels: bool,
    repo: str | None,
) -> Facts:
    """Count what is said of a manifest; nothing of its images is read."""
    table = opened.table(
        *("dataset", "target", "split", "official_split", "votes", "ratings", "synthetic", "width", "height"),
        *("alignment", "reviewed_label", "proposed_label", *PEOPLE),
    )
    side, classes = split_names(table), opened.taxonomy.classes
    datasets = np.array(table["dataset"].to_pylist(), dtype=object)
    splits = []
    for split, name in HUB_SPLITS.items():
        here = side == split
        if here.any():
            counts = class_counts(table["target"].filter(pa.array(here)), classes)
            each, rows = np.unique(datasets[here].astype(str), return_counts=True)
            splits.append(
                Split(
                    name, split, int(here.sum()), int(sum(counts)),
                    {c: int(n) for c, n in zip(classes, counts, strict=True)},
                    dict(zip(each.tolist(), rows.tolist(), strict=True)),
                )
            )  # fmt: skip
    return Facts(
        name=repo.rpartition("/")[2] if repo else out.resolve().name,
        repo=repo,
        form=form,
        pixels=pixels,
        fingerprint=opened.fingerprint,
        rows=opened.rows,
        taxonomy=str(opened.metadata["taxonomy"]["name"]),
        classes=classes,
        vote_policy=str(opened.metadata["vote_policy"]),
        splits=tuple(splits),
        terms=tuple(terms),
        names=tuple(names),
        people={name: _known(table[name]) for name in PEOPLE},
        synthetic=int(pc.sum(table["synthetic"]).as_py() or 0),
        reviewed=_known(table["reviewed_label"]),
        proposed=_known(table["proposed_label"]),
        voted=_known(table["votes"]),
        voters=_voters(table["votes"]),
        rated=_known(table["ratings"]),
        aligned=_known(table["alignment"]),
        width=_ends(table["width"]),
        height=_ends(table["height"]),
        lineage=opened.metadata["lineage"],
    )


def _known(column: pa.ChunkedArray) -> int:
    return len(column) - int(column.null_count)


def _ends(column: pa.ChunkedArray) -> tuple[int, int]:
    ends = pc.min_max(column).as_py()
    return int(ends["min"] or 0), int(ends["max"] or 0)


def _voters(votes: pa.ChunkedArray) -> tuple[int, int] | None:
    flat = votes.drop_null().combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if not len(flat):
        return None
    totals = flat.reshape(-1, len(VOTE_COLUMNS)).sum(axis=1)
    return int(totals.min()), int(totals.max())
