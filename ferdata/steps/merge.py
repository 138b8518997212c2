"""Merge: manifests into one, under one taxonomy and one vote policy, duplicates grouped, splits without leaks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ferdata import labels, manifest, progress
from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS, arrow_schema
from ferdata.steps.group import Groups, group
from ferdata.steps.split import Split, ratios, split

READ = (*labels.DERIVED_FROM, "sample_id", "pixel_hash", "subject", "sequence", "official_split")


@dataclass(frozen=True)
class Part:
    """What one dataset gave: rows, rows with a class, rows on each side, and why others stand on none."""

    rows: int
    labelled: int
    train: int
    val: int
    test: int
    official_test: int
    left_out: Mapping[str, int]
    moved: Mapping[str, int]


@dataclass(frozen=True)
class Merged:
    """What a merge did; `across` counts identical pictures that stood in several official splits."""

    out: Path
    rows: int
    taxonomy: str
    votes: str
    parts: Mapping[str, Part]
    groups: int
    largest: int
    largest_of: str
    identical: int
    images: int
    across: Mapping[str, int]
    fingerprint: str


def merge(
    *manifests: Path | str,
    out: Path | str,
    taxonomy: str = "basic8",
    votes: str | None = None,
    split: str = "official",
    seed: int = 0,
    force: bool = False,
) -> Merged:
    """Merge manifests into `out`; the inputs are not changed, and every row of theirs is in it.

    `taxonomy` names the classes; `votes` the policy (default: the inputs' own, if they agree). `split` is `official`
    or train, val and test shares (`0.8,0.1,0.1`), drawn with `seed`. A row that would leak gets no split, and its
    reason stands in `split_reason`. Raises BadOption, NotAManifest, AlreadyExists, CannotWrite, UnknownLabel.
    """
    target = Path(out)
    if not manifests:
        raise BadOption("No manifest was named.", "ferdata merge manifests/ferplus.parquet -o merged.parquet")
    manifest.check_output(target, force, [Path(m) for m in manifests])
    classes, shares = labels.taxonomy(taxonomy), ratios(split)
    opened = [Manifest(Path(m)) for m in manifests]
    _no_dataset_twice(opened)
    table = pa.concat_tables([m.table(*READ) for m in opened])
    policy = votes or _agreed_policy(opened)
    maps = {name: known for m in opened for name, known in m.maps.items()}
    fresh = labels.derive(table, maps, policy, classes)
    table = table.append_column("target", fresh["target"])
    grouped = group(table)
    sides = _split(table, grouped, shares, seed)
    parts = _parts(table, sides)
    metadata = {
        "sources": {name: s for m in opened for name, s in _sources(m, target).items()},
        "vote_policy": policy,
        "taxonomy": classes.as_dict(),
        "lineage": [_record(opened, grouped, parts, taxonomy=taxonomy, votes=policy, split=split, seed=seed)],
    }
    columns = fresh | {"group": pa.array(grouped.group), "split": sides.names, "split_reason": sides.reason}
    written = manifest.write(target, _rewritten(opened, columns), metadata, force)
    return Merged(
        target, table.num_rows, classes.name, policy, parts, grouped.count, grouped.largest, grouped.largest_of,
        grouped.identical, grouped.images, grouped.across, written["fingerprint"],
    )  # fmt: skip


def _split(table: pa.Table, grouped: Groups, shares: tuple[float, float, float] | None, seed: int) -> Split:
    return split(table, grouped.group, shares, seed)  # `merge` has an option of this name


def _no_dataset_twice(opened: Sequence[Manifest]) -> None:
    seen: dict[str, Path] = {}
    for m in opened:
        for name in m.sources:
            if name in seen:
                raise BadOption(
                    f"{seen[name]} and {m.path} both hold {name}, so their ids collide.",
                    "Merge one of them; class folders and tables get a name of their own with "
                    "`ferdata ingest folder --name`.",
                )
            seen[name] = m.path


def _agreed_policy(opened: Sequence[Manifest]) -> str:
    """Return the vote policy of the inputs that have votes at all; the others have no say."""
    voting = [m for m in opened if m.table("votes")["votes"].null_count < m.rows]
    policies = {m.metadata["vote_policy"]: m.path for m in voting or opened[:1]}
    if len(policies) > 1:
        said = ", ".join(f"{path}: {policy}" for policy, path in policies.items())
        raise BadOption(f"The manifests turn votes into labels differently ({said}).", "Choose one with --votes.")
    return str(next(iter(policies)))


def _sources(m: Manifest, out: Path) -> dict[str, dict[str, Any]]:
    """Return the input's sources, their roots now relative to `out`."""
    moved = {}
    for name, source in m.sources.items():
        root = source.get("root")
        if root is not None:
            absolute = (m.path.parent / root).resolve()
            root = Path(os.path.relpath(absolute, out.parent.resolve())).as_posix()
        moved[name] = source | {"root": root}
    return moved


def _record(
    opened: Sequence[Manifest], grouped: Groups, parts: Mapping[str, Part], **options: str | int
) -> dict[str, Any]:
    left_out: dict[str, int] = {}
    for part in parts.values():
        for reason, n in part.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + n
    rows = sum(m.rows for m in opened)
    return manifest.step_record(
        "merge",
        options,
        opened,
        rows_in=rows,
        rows_out=rows,
        without_split=left_out,
        groups=grouped.count,
        identical=grouped.identical,
        across=grouped.across,
    )


def _parts(table: pa.Table, sides: Split) -> dict[str, Part]:
    """Count, per dataset, what stands where and why."""
    whole = table.append_column("split", sides.names).append_column("why", sides.reason)
    parts = {}
    for name in table["dataset"].unique().to_pylist():
        rows = whole.filter(pc.equal(whole["dataset"], name))
        on = {s: pc.sum(pc.equal(rows["split"], s)).as_py() or 0 for s in SPLITS}
        placed = rows["split"].is_valid()
        parts[name] = Part(
            rows=rows.num_rows,
            labelled=rows.num_rows - rows["target"].null_count,
            official_test=pc.sum(pc.equal(rows["official_split"], "test")).as_py() or 0,
            left_out=_tally(rows["why"].filter(pc.invert(placed))),
            moved=_tally(rows["why"].filter(placed).drop_null()),
            **on,
        )
    return parts


def _tally(reasons: pa.ChunkedArray) -> dict[str, int]:
    return {str(r["values"]): int(r["counts"]) for r in reasons.value_counts().to_pylist()}


def _rewritten(opened: Sequence[Manifest], columns: Mapping[str, pa.Array]) -> Iterator[pa.RecordBatch]:
    """Stream the inputs' rows, with the new columns in place of the old."""
    at = 0
    schema = arrow_schema()
    with progress.bar("merge", sum(m.rows for m in opened)) as advance:
        for m in opened:
            for batch in m.batches():
                new = {name: column.slice(at, batch.num_rows) for name, column in columns.items()}
                arrays = [
                    new.get(f.name, batch.column(f.name) if f.name in batch.schema.names else None) for f in schema
                ]
                kept = [(f, a) for f, a in zip(schema, arrays, strict=True) if a is not None]
                yield pa.RecordBatch.from_arrays([a for _, a in kept], schema=pa.schema([f for f, _ in kept]))
                at += batch.num_rows
                advance(batch.num_rows)
