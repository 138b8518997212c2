"""Stats: what a manifest's classes look like, and what that will do to a model trained on them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import labels
from ferdata.errors import BadOption, CannotWrite
from ferdata.labels import Taxonomy
from ferdata.manifest import Manifest
from ferdata.schema import BY_NAME, SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BETA = 0.999  # of the effective number of samples


@dataclass(frozen=True)
class Balance:
    """The classes of one part of a manifest (a split, say); arrays of counts and weights are in class order.

    `imbalance` is the largest class over the smallest present one. `entropy` is normalised: 1 = all equal.
    `majority_share` and `prior_entropy` (nats) are the accuracy and the loss of a model that only knows the counts.
    `weights` (balanced, N / (K n_c)) and `effective` ((1 - b) / (1 - b^n), normalised to mean 1; Cui et al. 2019,
    arXiv 1901.05555, b = 0.999) are 0 for absent classes.
    """

    part: str
    rows: int
    labelled: int
    counts: dict[str, int]
    unlabelled: dict[str, int]
    imbalance: float | None
    entropy: float | None
    majority_share: float | None
    prior_entropy: float | None
    weights: dict[str, float]
    effective: dict[str, float]


@dataclass(frozen=True)
class Terms:
    """The strictest terms of all datasets together: which of them forbid passing on, which commercial use."""

    no_redistribution: tuple[str, ...]
    no_commercial_use: tuple[str, ...]


@dataclass(frozen=True)
class Stats:
    """Balance per part, parts being the values of column `by`."""

    classes: tuple[str, ...]
    by: str
    policy: str
    taxonomy: str
    parts: tuple[Balance, ...]
    terms: Terms
    plot: Path | None


def stats(
    *manifests: Path | str,
    by: str | None = None,
    votes: str | None = None,
    taxonomy: str | None = None,
    plot: Path | str | None = None,
) -> Stats:
    """Count the classes of one or more manifests, by the values of a column, and in all.

    `by` defaults to `split` (the official split where none was made). `votes` and `taxonomy` derive the labels
    anew under another policy or other classes; nothing is written but `plot` (PNG, SVG or PDF). Raises BadOption,
    NotAManifest, CannotWrite.
    """
    if not manifests:
        raise BadOption("No manifest was named.", "ferdata stats manifests/ferplus.parquet")
    opened = [Manifest(Path(m)) for m in manifests]
    classes = labels.taxonomy(taxonomy) if taxonomy else opened[0].taxonomy
    if any(m.taxonomy.classes != classes.classes for m in opened) and not taxonomy:
        raise BadOption("The manifests have different taxonomies.", "Choose one with --taxonomy, such as basic7.")
    column = _column(by)
    tables = [_read(m, column, votes, classes) for m in opened]
    table = pa.concat_tables(tables)
    part = _part(table, column)
    order = [s for s in SPLITS if s in part.unique().to_pylist()]
    values = order + sorted(v for v in part.unique().to_pylist() if v not in (*SPLITS, "none"))
    values += ["none"] * ("none" in part.unique().to_pylist())
    parts = [balance(value, table.filter(pc.equal(part, value)), classes) for value in values]
    if len(parts) > 1:
        parts.append(balance("all", table, classes))
    chart = _save_plot(Path(plot), parts, classes, column) if plot else None
    policy = votes or ", ".join(sorted({m.metadata["vote_policy"] for m in opened}))
    return Stats(classes.classes, column, policy, classes.name, tuple(parts), _terms(opened), chart)


def _terms(opened: Sequence[Manifest]) -> Terms:
    sources = {name: source for m in opened for name, source in m.sources.items()}

    def forbidding(what: str) -> tuple[str, ...]:
        return tuple(sorted(name for name, source in sources.items() if not source[what]))

    return Terms(forbidding("redistribution"), forbidding("commercial"))


def _column(by: str | None) -> str:
    if by is not None and (by not in BY_NAME or BY_NAME[by].type not in ("string", "bool", "int16", "int32")):
        words = [c.name for c in BY_NAME.values() if c.type in ("string", "bool", "int16", "int32")]
        raise BadOption(f"Rows cannot be parted by {by!r}.", f"Columns to part by: {', '.join(words)}.")
    return by or "split"


def _read(manifest: Manifest, by: str, votes: str | None, classes: Taxonomy) -> pa.Table:
    names = {by, "official_split", "split", "label_reason", "label", "target", "split_reason"}
    if votes or classes.classes != manifest.taxonomy.classes or classes.mapping != manifest.taxonomy.mapping:
        table = manifest.table(*(names | set(labels.DERIVED_FROM)))
        fresh = labels.derive(table, manifest.maps, votes or manifest.metadata["vote_policy"], classes)
        for name in ("label", "label_reason", "target"):
            table = table.set_column(table.schema.get_field_index(name), name, fresh[name])
        return table.select(sorted(names))
    return manifest.table(*names).select(sorted(names))


def _part(table: pa.Table, by: str) -> pa.ChunkedArray:
    column = table[by]
    if by == "split" and column.null_count == len(column):
        column = table["official_split"]
    return pc.fill_null(pc.cast(column, pa.string()), "none")


def balance(part: str, table: pa.Table, classes: Taxonomy) -> Balance:
    """Return the class balance of `table`, which has `target`, `label` and `label_reason`."""
    target = table["target"]
    position = pc.index_in(target, pa.array(classes.classes)).drop_null()
    counts = np.bincount(position.to_numpy(), minlength=len(classes.classes))
    reason = pc.coalesce(table["label_reason"], pa.scalar("not in taxonomy"))
    missing = reason.filter(target.is_null()).value_counts().to_pylist()
    total = int(counts.sum())
    present = counts[counts > 0]
    share = present / max(total, 1)
    prior = float(-(share * np.log(share)).sum())
    return Balance(
        part=part,
        rows=table.num_rows,
        labelled=total,
        counts={c: int(n) for c, n in zip(classes.classes, counts, strict=True)},
        unlabelled={str(m["values"]): int(m["counts"]) for m in sorted(missing, key=lambda m: -m["counts"])},
        imbalance=float(present.max() / present.min()) if total else None,
        entropy=prior / float(np.log(len(counts))) if total and len(counts) > 1 else None,
        majority_share=float(share.max()) if total else None,
        prior_entropy=prior if total else None,
        weights=_named(classes, balanced_weights(counts)),
        effective=_named(classes, effective_weights(counts)),
    )


def _named(classes: Taxonomy, values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(classes.classes, values.tolist(), strict=True))


def balanced_weights(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return N / (K n_c) over the K classes that are present, 0 for the others."""
    present = counts > 0
    return np.where(present, counts.sum() / (max(present.sum(), 1) * np.maximum(counts, 1)), 0.0)


def effective_weights(counts: NDArray[np.integer], beta: float = BETA) -> NDArray[np.float64]:
    """Return the inverse effective number of samples, normalised to mean 1 over the classes that are present."""
    weights = np.where(counts > 0, (1 - beta) / (1 - beta ** np.maximum(counts, 1)), 0.0)
    return weights / max(float(weights.sum()), 1e-12) * max(int((counts > 0).sum()), 1)


def _save_plot(path: Path, parts: Sequence[Balance], classes: Taxonomy, by: str) -> Path:
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise BadOption(f"A plot cannot be {path.suffix or 'a file without suffix'!r}.", "Use .png, .svg or .pdf.")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    shown = [p for p in parts if p.labelled and (p.part != "all" or len(parts) == 1)]
    figure = Figure(figsize=(2.2 + 1.15 * len(classes.classes), 3.9), layout="constrained")
    axes = figure.subplots()
    _bars(axes, shown, classes)
    axes.set_title(f"Labelled rows per class, by {by}", loc="left", fontweight="bold")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{os.getpid()}.{path.name}")
        figure.savefig(temporary, dpi=160)
        temporary.replace(path)
    except OSError as error:
        raise CannotWrite(f"Cannot write {path}: {error.strerror}.", "Choose another file with --plot.") from None
    return path


def _bars(axes: "Axes", parts: Sequence[Balance], classes: Taxonomy) -> None:
    """Draw one group of bars per class: colour is the class, shade the part; the count stands on each bar."""
    width = 0.86 / max(len(parts), 1)
    colours = class_colours(classes)
    for i, part in enumerate(parts):
        at = np.arange(len(classes.classes)) + (i - (len(parts) - 1) / 2) * width
        heights = list(part.counts.values())
        shade = 1 - 0.62 * i / max(len(parts) - 1, 1)
        drawn = axes.bar(at, heights, width * 0.94, color=[colours[c] for c in classes.classes], alpha=shade)
        axes.bar_label(drawn, [f"{h:,}" for h in heights], fontsize=6, rotation=90 if len(parts) > 2 else 0, padding=2)
        axes.bar(0, 0, color="#444444", alpha=shade, label=f"{part.part} ({part.labelled:,})")
    axes.set_xticks(range(len(classes.classes)), classes.classes)
    axes.set_ylabel("rows")
    axes.margins(y=0.16)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def class_colours(classes: Taxonomy) -> Mapping[str, str]:
    """Return one colour per class: that of the first emotion that the taxonomy maps to it."""
    return {c: labels.COLOURS[next(e for e, to in classes.mapping.items() if to == c)] for c in classes.classes}
