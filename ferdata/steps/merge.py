"""Merge: manifests into one, under one taxonomy and one vote policy, duplicates grouped, splits without leaks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import labels, manifest
from ferdata.auditing import proposals
from ferdata.auditing.proposals import Judged, Proposals
from ferdata.duplicates import label_conflicts as disputes
from ferdata.duplicates.groups import BY, GROUP_COLUMNS, MOST, group_rows
from ferdata.duplicates.label_conflicts import Conflicts
from ferdata.errors import BadOption
from ferdata.known import contaminated
from ferdata.manifest import Manifest, rejects
from ferdata.manifest.rewrite import rewritten_metadata, with_columns, write_rewritten
from ferdata.schema import SPLITS, root_variable
from ferdata.splitting.rules import SPLIT_COLUMNS, Rules, assign_splits
from ferdata.steps.split import Decided, Part, check, columns, counted, decide, options

MERGE_COLUMNS = tuple(sorted({*labels.DERIVED_FROM, *SPLIT_COLUMNS, *GROUP_COLUMNS} - {"target"}))


@dataclass(frozen=True)
class Merged:
    """What a merge did; `across` counts identical images that were in several official splits.

    `left_out` counts the rows whose emotion the taxonomy has no class for, `rejected` by reason the files that ingest
    could not read, which are no rows; `to_align` are the inputs that should be aligned first, since some of the rows
    are whole `scenes`. `contaminated` counts the rows of train that are faces of a known official test which is not
    here. `proposed` is what a net has proposed, None where none was asked. `versions` and others are those of
    `ferdata.duplicates.groups.Groups`.
    """

    out: Path
    rows: int
    taxonomy: str
    left_out: Mapping[str, int]
    votes: str
    groups: int
    largest: int
    largest_of: str
    identical: int
    images: int
    near: int
    versions: int
    versions_of: str
    scenes: int
    to_align: tuple[Path, ...]
    across: Mapping[str, int]
    conflicts: Conflicts
    decided: Decided
    rejected: Mapping[str, int]
    contaminated: Mapping[str, int]
    proposed: Proposals | None
    fingerprint: str

    @property
    def parts(self) -> Mapping[str, Part]:
        """What each dataset gave."""
        return self.decided.parts


def merge(
    *manifests: Path | str,
    out: Path | str,
    taxonomy: str = "basic8",
    votes: str | None = None,
    by: Sequence[str] = BY,
    thorough: bool = False,
    workers: int | None = None,
    most: float = MOST,
    split: str = Rules.split,
    folds: str | int | None = Rules.folds,
    conflicts: str = Rules.conflicts,
    cap: Sequence[str] = Rules.cap,
    max_synthetic: float | None = Rules.max_synthetic,
    synthetic_anywhere: bool = Rules.synthetic_anywhere,
    frozen: Path | str | None = Rules.frozen,
    freeze: Path | str | None = None,
    seed: int = Rules.seed,
    relabel_by: Path | str | None = None,
    confidence: float = 0.9,
    force: bool = False,
) -> Merged:
    """Merge manifests into `out`, which has all of their rows; the inputs are not changed.

    `taxonomy` names the classes; `votes` the policy (default: the inputs' own, if they agree). `by` says what makes
    rows one group, `workers` how many processes look for near duplicates (one per core by default); the others are
    those of `ferdata.steps.split.split`. `relabel_by` is a file of a net's predictions: where it gives another class
    `confidence` or more, a row of train has that as its target (`ferdata.auditing.proposals`). A row that would leak
    gets no split, and the reason is in `split_reason`. Raises BadOption, NotAManifest, AlreadyExists, CannotWrite,
    UnknownLabel, ImagesMissing (near duplicates are confirmed by their pixels).
    """
    target, kept = Path(out), Path(freeze) if freeze else None
    if not manifests:
        raise BadOption("No manifest was given.", "ferdata merge manifests/ferplus.parquet -o merged.parquet")
    opened = [Manifest(Path(m)) for m in manifests]
    rules = Rules(
        split, None if folds is None else str(folds), conflicts, tuple(cap), max_synthetic, synthetic_anywhere,
        Path(frozen) if frozen else None, seed,
    )  # fmt: skip
    check(rules, target, kept, force, opened)
    classes = labels.taxonomy(taxonomy)
    said = Path(relabel_by) if relabel_by else None
    proposals.check(said, confidence, classes, rules.folds)
    _no_dataset_twice(opened)
    _no_variable_twice(opened)
    table = _table(opened)
    policy = votes or _agreed_policy(opened)
    maps = {name: known for m in opened for name, known in m.maps.items()}
    derive = partial(labels.derive, maps=maps, policy=policy, classes=classes)
    fresh = derive(table)
    table = table.append_column("target", fresh["target"])
    rules.check_names(classes.classes, table["dataset"].unique().to_pylist())
    judged = proposals.read(said, table["sample_id"], confidence, classes)
    grouped = group_rows(opened, table, by=by, thorough=thorough, most=most, workers=workers)
    disputed = disputes.conflicts(table, grouped.picture)
    placed = assign_splits(table, grouped.group, grouped.picture, rules, classes.classes)
    in_train = placed.split == SPLITS.index("train")
    table, proposed = _relabelled(table, in_train, judged, derive)
    decided = decide(table, placed, rules, classes.classes, kept)
    known = contaminated(table, in_train, table["dataset"].unique().to_pylist())
    asked = {"taxonomy": taxonomy, "votes": policy, "by": ",".join(by), "thorough": thorough, "most": most}
    asked |= {"relabel_by": said.name, "confidence": confidence} if said else {}
    record = manifest.step_record(
        "merge", asked | options(rules), opened, **counted(table.num_rows, decided), groups=grouped.count,
        identical=grouped.identical, across=grouped.across, conflicts=disputed.as_dict(), contaminated=known.counts,
        **proposals.counted(proposed),
    )  # fmt: skip
    anew = {"vote_policy": policy, "taxonomy": classes.as_dict()}
    metadata = rewritten_metadata(opened, target, [record]) | anew
    found = {"group": pa.array(grouped.group), "picture": pa.array(grouped.picture)}
    relabelled = {name: table[name].combine_chunks() for name in ("proposed_label", "target")}
    new = fresh | found | columns(placed) | relabelled
    written = write_rewritten(opened, target, with_columns(opened, new, "merge"), metadata, force)
    return Merged(
        target, table.num_rows, classes.name, _left_out(fresh), policy, grouped.count, grouped.largest,
        grouped.largest_of, grouped.identical, grouped.images, grouped.near, grouped.versions,
        grouped.versions_of, grouped.scenes, _to_align(opened) if grouped.scenes else (), grouped.across, disputed,
        decided, rejects.unreadable(target), known.counts, proposed, written["fingerprint"],
    )  # fmt: skip


def _table(opened: Sequence[Manifest]) -> pa.Table:
    """Return the rows of all manifests, MERGE_COLUMNS; whatever inputs were relabelled by, nothing is proposed yet."""
    table = pa.concat_tables([m.table(*MERGE_COLUMNS) for m in opened])
    _no_id_twice(table["sample_id"])
    return _set(table, "proposed_label", pa.nulls(table.num_rows, pa.string()))


def _relabelled(
    table: pa.Table,
    in_train: NDArray[np.bool_],
    judged: Judged | None,
    derive: Callable[[pa.Table], Mapping[str, pa.Array]],
) -> tuple[pa.Table, Proposals | None]:
    """Return the table with what a net proposes for rows of train and the targets that follow, and its counts."""
    if judged is None:
        return table, None
    column, proposed = proposals.propose(table, in_train, judged)
    table = _set(table, "proposed_label", column)
    return _set(table, "target", derive(table)["target"]), proposed


def _set(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def _to_align(opened: Sequence[Manifest]) -> tuple[Path, ...]:
    """Return the manifests of which no row is aligned: all are to be cut alike, or none."""
    return tuple(m.path for m in opened if m.table("alignment")["alignment"].null_count == m.rows)


def _left_out(fresh: Mapping[str, pa.Array]) -> dict[str, int]:
    lost = fresh["label"].filter(pc.and_(fresh["label"].is_valid(), fresh["target"].is_null()))
    return {str(r["values"]): int(r["counts"]) for r in lost.value_counts().to_pylist()}


def _no_dataset_twice(opened: Sequence[Manifest]) -> None:
    if not sum(m.rows for m in opened):
        raise BadOption("The manifests have no rows.", "Ingest the datasets again.")
    seen: dict[str, Path] = {}
    for m in opened:
        for name in m.sources:
            if name in seen:
                raise BadOption(
                    f"{seen[name]} and {m.path} both hold {name}, so their ids are not unique.",
                    "Merge only one of them. If they are different datasets, ingest one again under its own name: "
                    "`ferdata ingest folder --name`.",
                )
            seen[name] = m.path


def _no_variable_twice(opened: Sequence[Manifest]) -> None:
    """Raise BadOption if one environment variable would have to say where two datasets are, once they have moved."""
    alike: dict[str, list[tuple[str, Manifest]]] = {}
    for m in opened:
        for name in m.sources:
            alike.setdefault(root_variable(name), []).append((name, m))
    for variable, several in alike.items():
        referring = [name for name, m in several if name in m.datasets_with_files()] if len(several) > 1 else []
        if len(referring) > 1:
            raise BadOption(
                f"{variable} would be the root of both {referring[0]} and {referring[1]}, which refer to files.",
                "Ingest one of them again under a --name that differs in letters or digits, or with --images embed.",
            )


def _no_id_twice(ids: pa.ChunkedArray) -> None:
    """Raise BadOption if two rows have one id: a manifest that was put together by hand."""
    if pc.count_distinct(ids).as_py() < len(ids):
        counts = ids.value_counts()
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        raise BadOption(
            f"{len(twice):,} ids occur in several rows, first {twice[0]}.",
            "Find the faulty manifest with `ferdata validate`, and make it again from its source.",
        )


def _agreed_policy(opened: Sequence[Manifest]) -> str:
    """Return the vote policy of the inputs that have votes at all; the others have no say."""
    voting = [m for m in opened if m.table("votes")["votes"].null_count < m.rows]
    policies = {m.metadata["vote_policy"]: m.path for m in voting or opened[:1]}
    if len(policies) > 1:
        each = ", ".join(f"{path}: {policy}" for policy, path in policies.items())
        raise BadOption(
            f"The manifests turn votes into labels by different policies ({each}).",
            "Choose one policy for all of them with --votes.",
        )
    return str(next(iter(policies)))
