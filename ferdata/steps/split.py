"""Split: the rows of train, val and test, and folds, for a manifest that has its groups."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import labels
from ferdata import manifest as manifests
from ferdata.duplicates.label_conflicts import PICTURE_BY, pictures
from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.manifest.rewrite import rewritten_metadata, with_columns, write_rewritten
from ferdata.schema import SPLITS
from ferdata.splitting import id_list as lists
from ferdata.splitting.rules import (
    SPLIT_COLUMNS,
    PartBalance,
    Placed,
    Rules,
    assign_splits,
    fold_balance,
    split_balance,
)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """What one dataset gave: rows, rows with a class, rows in each split, and why others have none.

    `official_test` counts the rows of its published test; `test_is_official` says that its test here is those.
    """

    rows: int
    labelled: int
    train: int
    val: int
    test: int
    official_test: int
    test_is_official: bool
    left_out: Mapping[str, int]
    moved: Mapping[str, int]


@dataclass(frozen=True)
class Listed:
    """How a frozen list fits: ids that no row has, rows that it does not know, the first few of each by name."""

    missing: int
    missing_first: tuple[str, ...]
    new: int
    new_first: tuple[str, ...]


@dataclass(frozen=True)
class Decided:
    """The splits of a manifest: per dataset, per split, per fold; `no_fold` rows are in no fold.

    `drawn` says whether anything depended on the seed.
    """

    parts: Mapping[str, Part]
    balance: tuple[PartBalance, ...]
    folds: tuple[PartBalance, ...]
    no_fold: int
    people: int
    listed: Listed | None
    freeze: Path | None
    drawn: bool


@dataclass(frozen=True)
class Parted:
    """What a split did."""

    out: Path
    rows: int
    groups: int
    decided: Decided
    fingerprint: str


def split(
    manifest: Path | str,
    *,
    out: Path | str,
    split: str = Rules.split,
    folds: str | int | None = Rules.folds,
    conflicts: str = Rules.conflicts,
    cap: Sequence[str] = Rules.cap,
    max_synthetic: float | None = Rules.max_synthetic,
    synthetic_anywhere: bool = Rules.synthetic_anywhere,
    frozen: Path | str | None = Rules.frozen,
    freeze: Path | str | None = None,
    seed: int = Rules.seed,
    force: bool = False,
) -> Parted:
    """Split a merged manifest again, into `out`, which has all rows; groups are not changed.

    `split` is `official`, or train, val and test shares (`0.8,0.1,0.1`). `folds` also fills the column `fold`:
    a number K, or `loso` for one fold per person; cross-validation uses `fold`, everything else `split`, and rows
    without a fold are not used in cross-validation. `conflicts` says which duplicates with different labels to exclude
    (`keep`, `drop`, `majority`, `first:a,b`), `cap` subsamples train (`disgust=500`, `dataset:ferplus=10000`), and
    `max_synthetic` bounds the share of generated faces in it; they stay out of val and test unless
    `synthetic_anywhere`. `frozen` reads splits and folds from a list of ids, `freeze` writes one. Raises BadOption,
    NotAManifest, AlreadyExists, CannotWrite.
    """
    opened, target = Manifest(Path(manifest)), Path(out)
    rules = Rules(
        split, _text(folds), conflicts, tuple(cap), max_synthetic, synthetic_anywhere, _path(frozen), seed
    )  # fmt: skip
    check(rules, target, _path(freeze), force, [opened])
    table = opened.table(*{*SPLIT_COLUMNS, *PICTURE_BY, *labels.DERIVED_FROM, "group", "picture"})
    _no_folds_of_proposals(opened, table, rules)
    if table["group"].null_count:
        raise BadOption(
            f"{opened.path} has no duplicate groups yet.",
            f"Merge it first, which finds them: ferdata merge {opened.path} -o merged.parquet",
        )
    known = table["picture"].null_count == 0
    picture = table["picture"].to_numpy() if known else pictures(table)
    _, group = np.unique(table["group"].to_numpy(), return_inverse=True)
    classes = opened.taxonomy.classes
    placed = assign_splits(table, group, picture, rules, classes)
    proposed = _in_train(opened, table, placed)
    for name, column in proposed.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    decided = decide(table, placed, rules, classes, _path(freeze))
    record = manifests.step_record("split", options(rules), [opened], **counted(opened.rows, decided))
    metadata = rewritten_metadata([opened], target, [record])
    written = write_rewritten(
        [opened], target, with_columns([opened], columns(placed) | proposed, "split"), metadata, force
    )
    return Parted(target, opened.rows, int(group.max(initial=-1)) + 1, decided, written["fingerprint"])


def _no_folds_of_proposals(opened: Manifest, table: pa.Table, rules: Rules) -> None:
    """Raise BadOption for folds of rows that a net has relabelled: each fold is a test once."""
    if rules.folds is not None and table["proposed_label"].null_count < table.num_rows:
        raise BadOption(
            f"{opened.path} holds labels that a net has proposed, and folds would test on them.",
            "Merge it anew without --relabel-by, then split that into folds.",
        )


def _in_train(opened: Manifest, table: pa.Table, placed: Placed) -> dict[str, pa.Array]:
    """Return the columns that follow where rows with a proposed label leave train: there they have their own again."""
    before = table["proposed_label"].combine_chunks()
    kept = pc.if_else(pa.array(placed.split == SPLITS.index("train")), before, pa.scalar(None, pa.string()))
    if kept.null_count == before.null_count:
        return {}
    fresh = table.set_column(table.schema.get_field_index("proposed_label"), "proposed_label", kept)
    derived = labels.derive(fresh, opened.maps, opened.metadata["vote_policy"], opened.taxonomy)
    return {"proposed_label": kept, "target": derived["target"]}


def _text(folds: str | int | None) -> str | None:
    return None if folds is None else str(folds)


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)


def check(rules: Rules, out: Path, freeze: Path | None, force: bool, inputs: Sequence[Manifest]) -> None:
    """Raise now what can be checked before the work: BadOption, AlreadyExists, CannotWrite."""
    rules.check()
    manifests.check_output(out, force, [m.path for m in inputs])
    if freeze:
        if freeze.resolve() == out.resolve() or freeze.resolve() in {m.path.resolve() for m in inputs}:
            raise BadOption(f"--freeze {freeze} is the path of a manifest.", "Give a new file: --freeze ids.csv")
        lists.check(freeze, force)


def options(rules: Rules) -> dict[str, Any]:
    """Return the rules as the lineage keeps them: a list by its name, since its folder is this machine's own."""
    plain = asdict(rules)
    plain["cap"] = ",".join(rules.cap) or None
    plain["frozen"] = rules.frozen.name if rules.frozen else None
    return plain


def columns(placed: Placed) -> dict[str, pa.Array]:
    """Return the columns that a split owns."""
    return {"split": placed.names, "split_reason": placed.reason, "fold": placed.folds}


def decide(table: pa.Table, placed: Placed, rules: Rules, classes: Sequence[str], freeze: Path | None) -> Decided:
    """Count what `placed` means for `table`, and write the list of ids if `freeze` names one. Raises CannotWrite."""
    if freeze:
        lists.write(freeze, table["sample_id"], placed.names, placed.folds)
    held = pa.array(placed.fold >= 0)
    person = pc.binary_join_element_wise(table["dataset"], table["subject"], "\n").filter(held)
    fit = placed.lists
    return Decided(
        parts=_parts(table, placed),
        balance=split_balance(table, classes, placed, rules),
        folds=fold_balance(table, classes, placed),
        no_fold=int((placed.fold < 0).sum()),
        people=len(person.drop_null().unique()),
        listed=Listed(fit.missing, fit.missing_first, fit.new, fit.new_first) if fit else None,
        freeze=freeze,
        drawn=placed.drawn,
    )


def counted(rows: int, decided: Decided) -> dict[str, Any]:
    """Return what the lineage keeps of a decision."""
    left_out: dict[str, int] = {}
    for part in decided.parts.values():
        for reason, n in part.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + n
    more = {"folds": len(decided.folds), "without_fold": decided.no_fold} if decided.folds else {}
    return {"rows_in": rows, "rows_out": rows, "without_split": left_out, **more}


def _parts(table: pa.Table, placed: Placed) -> dict[str, Part]:
    """Count, per dataset, what stands where and why."""
    whole = table.append_column("split", placed.names).append_column("why", placed.reason)
    parts = {}
    for name in table["dataset"].unique().to_pylist():
        rows = whole.filter(pc.equal(whole["dataset"], name))
        on = {s: pc.sum(pc.equal(rows["split"], s)).as_py() or 0 for s in SPLITS}
        stands = rows["split"].is_valid()
        official = rows.filter(pc.equal(rows["official_split"], "test"))
        kept = pc.sum(pc.equal(official["split"], "test")).as_py() or 0
        parts[name] = Part(
            rows=rows.num_rows,
            labelled=rows.num_rows - rows["target"].null_count,
            official_test=len(official),
            test_is_official=0 < len(official) == kept == on["test"],
            left_out=_tally(rows["why"].filter(pc.invert(stands))),
            moved=_tally(rows["why"].filter(stands).drop_null()),
            **on,
        )
    return parts


def _tally(reasons: pa.ChunkedArray) -> dict[str, int]:
    return {str(r["values"]): int(r["counts"]) for r in reasons.value_counts().to_pylist()}
