"""Stats: what a manifest's classes look like, and what that will do to a model trained on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import labels
from ferdata.charts import balance as chart
from ferdata.charts.lettering import key
from ferdata.class_balance import Balance, Drift, balance, class_counts, drifts
from ferdata.duplicates.label_conflicts import PICTURE_BY, Conflicts, pictures
from ferdata.duplicates.label_conflicts import conflicts as count_conflicts
from ferdata.errors import BadOption, did_you_mean
from ferdata.known import contamination
from ferdata.labels import Taxonomy
from ferdata.manifest import Manifest
from ferdata.manifest.counts import split_column
from ferdata.manifest.derived import table_under
from ferdata.schema import BY_NAME, SPLITS

MOST_PARTS = 300


@dataclass(frozen=True)
class Terms:
    """The strictest terms of all datasets together: which of them forbid passing on, which commercial use."""

    no_redistribution: tuple[str, ...]
    no_commercial_use: tuple[str, ...]


@dataclass(frozen=True)
class Stats:
    """Balance per part, parts being the values of column `by`; and how far parts, and datasets, differ in classes.

    `contaminated` counts the rows of train that are faces of a known official test which is not here, by its title.
    `drift` holds every pair of parts, `dataset_drift` every pair of datasets. `conflicts` is None unless asked for.
    `proposed` counts, by dataset, the rows that a net has relabelled (`merge --relabel-by`).
    `plot_key` says which numbers the plot has in place of names whose letters no installed font has.
    """

    classes: tuple[str, ...]
    by: str
    policy: str
    taxonomy: str
    parts: tuple[Balance, ...]
    drift: tuple[Drift, ...]
    dataset_drift: tuple[Drift, ...]
    conflicts: Conflicts | None
    contaminated: Mapping[str, int]
    proposed: Mapping[str, int]
    terms: Terms
    plot: Path | None
    plot_key: str = ""


def stats(
    *manifests: Path | str,
    by: str | None = None,
    votes: str | None = None,
    taxonomy: str | None = None,
    conflicts: bool = False,
    plot: Path | str | None = None,
) -> Stats:
    """Count the classes of one or more manifests, by the values of a column, and in all.

    `by` defaults to `split` (the official split where none was made). `votes` and `taxonomy` derive the labels
    anew under another policy or other classes. `conflicts` also counts who says what of one picture against whom:
    the pictures are those that a merge found, or, of several manifests or unmerged ones, equal pixels. Nothing is
    written but `plot` (PNG, SVG or PDF). Raises BadOption, NotAManifest, CannotWrite.
    """
    if not manifests:
        raise BadOption("No manifest was named.", "ferdata stats manifests/ferplus.parquet")
    opened = [Manifest(Path(m)) for m in manifests]
    if not sum(m.rows for m in opened):
        raise BadOption(f"There is no row in {', '.join(str(m.path) for m in opened)}.", "Ingest or merge it again.")
    classes = labels.taxonomy(taxonomy) if taxonomy else opened[0].taxonomy
    if any(m.taxonomy.classes != classes.classes for m in opened) and not taxonomy:
        raise BadOption("The manifests have different taxonomies.", "Choose one with --taxonomy, such as basic7.")
    column = _column(by)
    more = {*PICTURE_BY, "picture"} if conflicts else set()
    table = pa.concat_tables([_read(m, {column, "dataset", *more}, votes, classes) for m in opened])
    part = _part(table, column)
    values = _in_order(_few_enough(part.unique().to_pylist(), column), column)
    parts = [balance(value, table.filter(pc.equal(part, value)), classes) for value in values]
    counts = {p.part: np.array(list(p.counts.values())) for p in parts if p.part != "none"}
    if len(parts) > 1:
        parts.append(balance("all", table, classes))
    return Stats(
        classes=classes.classes,
        by=column,
        policy=votes or ", ".join(sorted({m.metadata["vote_policy"] for m in opened})),
        taxonomy=classes.name,
        parts=tuple(parts),
        drift=drifts(counts),
        dataset_drift=() if column == "dataset" else _dataset_drift(table, classes),
        conflicts=count_conflicts(table, _pictures(table, len(opened) == 1)) if conflicts else None,
        contaminated=_contaminated(opened),
        proposed=_proposed(table),
        terms=_terms(opened),
        plot=chart.save(Path(plot), parts, classes, column) if plot else None,
        plot_key=key(chart.names(parts, classes)) if plot else "",
    )


def _proposed(table: pa.Table) -> dict[str, int]:
    counted = table["dataset"].filter(table["proposed_label"].is_valid()).value_counts().to_pylist()
    return {str(c["values"]): int(c["counts"]) for c in counted}


def _contaminated(opened: Sequence[Manifest]) -> dict[str, int]:
    """Count, over all manifests, the rows of train that are in the official test of a dataset that is in none."""
    sources = {name for m in opened for name in m.sources}
    table = pa.concat_tables([m.table(*contamination.COLUMNS, "split", "official_split") for m in opened])
    train = pc.fill_null(pc.equal(table[split_column(table)], "train"), False).to_numpy()
    return contamination.contaminated(table, train, sources).counts


def _few_enough(values: list[str], by: str) -> list[str]:
    """Return the parts. Raises BadOption for so many that nobody could read them, nor compare each with each."""
    if len(values) > MOST_PARTS:
        raise BadOption(
            f"The column {by} has {len(values):,} values, and at most {MOST_PARTS} parts are compared.",
            "Part the rows by a column of fewer: --by split, dataset, subject or label_reason.",
        )
    return values


def _in_order(values: Sequence[str], by: str) -> list[str]:
    """Return the parts in the order of the splits, of the folds' numbers, or of the alphabet; `none` last."""
    places = {name: i for i, name in enumerate(SPLITS)}

    def key(value: str) -> tuple[bool, int, int, str]:
        number = int(value) if BY_NAME[by].type.startswith("int") and value != "none" else 0
        return value == "none", places.get(value, len(SPLITS)), number, value

    return sorted(values, key=key)


def _dataset_drift(table: pa.Table, classes: Taxonomy) -> tuple[Drift, ...]:
    names = sorted(table["dataset"].unique().to_pylist())
    one = {name: table.filter(pc.equal(table["dataset"], name))["target"] for name in names}
    return drifts({name: class_counts(target, classes.classes) for name, target in one.items()})


def _pictures(table: pa.Table, alone: bool) -> NDArray[np.int64]:
    known = alone and table["picture"].null_count == 0
    return np.asarray(table["picture"].to_numpy()) if known else pictures(table)


def _terms(opened: Sequence[Manifest]) -> Terms:
    sources = {name: source for m in opened for name, source in m.sources.items()}

    def forbidding(what: str) -> tuple[str, ...]:
        return tuple(sorted(name for name, source in sources.items() if source[what] is False))

    return Terms(forbidding("redistribution"), forbidding("commercial"))


def _column(by: str | None) -> str:
    if by is not None and (by not in BY_NAME or BY_NAME[by].type not in ("string", "bool", "int16", "int32")):
        words = [c.name for c in BY_NAME.values() if c.type in ("string", "bool", "int16", "int32")]
        raise BadOption(f"Rows cannot be parted by {by!r}.", f"{did_you_mean(by, words)}Columns: {', '.join(words)}.")
    return by or "split"


def _read(manifest: Manifest, more: set[str], votes: str | None, classes: Taxonomy) -> pa.Table:
    names = more | {"official_split", "split", "label_reason", "label", "target", "split_reason", "proposed_label"}
    return table_under(manifest, names, votes, classes)


def _part(table: pa.Table, by: str) -> pa.ChunkedArray:
    column = table[split_column(table) if by == "split" else by]
    return pc.fill_null(pc.cast(column, pa.string()), "none")
