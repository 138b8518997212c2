"""What `merge` and `split` share: the options that decide the split of a row, and how it is reported."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import echo, prose
from ferdata.cli.options import option, refuse_idle, was_given
from ferdata.cli.output import table
from ferdata.schema import SPLITS
from ferdata.splitting.rules import PartBalance
from ferdata.steps.split import Decided, Part

SHOWN = 20  # folds: more are summed up in one line
REASONS = {
    "group_in_test": "same picture, subject or clip in test",
    "group_in_val": "same picture, subject or clip in val",
    "val_from_train": "sampled from train, since the dataset has no val",
    "no_official_split": "no official split of their own, in a dataset that has one",
    "conflict": "a duplicate has a different label (--conflicts)",
    "synthetic": "generated, so excluded from val and test (--synthetic-anywhere)",
    "capped": "above a --cap",
    "synthetic_capped": "generated, above --max-synthetic",
    "not_in_list": "not in the frozen list",
    "left_out_by_list": "no split in the frozen list",
}

STANDS = {"val_from_train": "are in val", "no_official_split": "are in train"}  # rows that were moved, not left out


def split_options(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the options that decide the splits, with the defaults of `function`."""
    path = click.Path(path_type=Path)
    declared = [
        option(
            function,
            "--split",
            metavar="official|A,B,C",
            help="official: keep official splits. A,B,C: new random splits with these shares of train, val, test; "
            "results on them do not compare with published ones.",
        ),
        option(
            function,
            "--folds",
            metavar="K|loso",
            help="Also fill the column fold, ignoring official splits: K folds, or loso (leave one subject out).",
        ),
        option(
            function,
            "--conflicts",
            metavar="RULE",
            help="Duplicates with different labels: keep, drop, majority, or first:ferplus,fer2013.",
        ),
        option(
            function,
            "--cap",
            multiple=True,
            metavar="CLASS=N",
            help="Subsample train: disgust=500, dataset:ferplus=10000.",
        ),
        option(
            function,
            "--max-synthetic",
            type=float,
            metavar="SHARE",
            help="Largest share of train that may be generated images.",
        ),
        option(function, "--synthetic-anywhere", help="Allow generated images in val and test."),
        option(function, "--frozen", type=path, metavar="CSV", help="Read splits and folds from a list of ids."),
        option(function, "--freeze", type=path, metavar="CSV", help="Write the list of ids, splits and folds."),
        option(function, "--seed", type=int, help="Random seed for splits, folds and subsampling."),
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for add in reversed(declared):
            command = add(command)
        return command

    return decorate


def refuse_idle_seed(frozen: Path | None) -> None:
    """Raise UsageError if a seed is given beside a list, which leaves nothing random."""
    if frozen:
        refuse_idle(("seed",), "no effect with --frozen, which reads all splits and folds from a list")


def report(decided: Decided) -> None:
    """Print what each dataset gave, why rows have no split, the balance of each split and fold, and the list's fit.

    A requested seed without an effect is reported: whether it has one is only known once the rows are.
    """
    rows: list[tuple[str | int, ...]] = [
        (name, p.rows, p.labelled, p.train, p.val, p.test, sum(p.left_out.values()))
        for name, p in decided.parts.items()
    ]
    rows.append(("all", *(sum(int(row[i]) for row in rows) for i in range(1, 7))))
    table("Rows", ("dataset", "rows", "labelled", "train", "val", "test", "no split"), rows)
    for name, part in decided.parts.items():
        _reasons(name, part)
    echo()
    _balance("Class balance", "split", decided.balance)
    if len(decided.folds) > SHOWN:
        sizes = sorted(fold.rows for fold in decided.folds)
        prose(
            f"Folds: {len(sizes):,}, of {sizes[0]:,} to {sizes[-1]:,} rows (median {sizes[len(sizes) // 2]:,}); "
            f"{decided.people:,} people; {decided.no_fold:,} rows without a fold\n"
        )
    if 0 < len(decided.folds) <= SHOWN:
        _balance(f"Folds ({decided.people:,} people; {decided.no_fold:,} rows without a fold)", "fold", decided.folds)
    _listed(decided)
    if not decided.drawn and was_given("seed"):
        prose("--seed had no effect: nothing here is random.")


def next_step(out: Path, decided: Decided) -> str:
    """Return what to do with a manifest that has its splits; where folds were made, a run on each of them."""
    if decided.folds:
        return f"\nNext: ferdata train --manifest {out} --folds all"
    rows = {split: sum(getattr(part, split) for part in decided.parts.values()) for split in SPLITS}
    if empty := [split for split, n in rows.items() if not n]:
        return (
            f"\nThere are no {' and no '.join(empty)} rows, which training needs. New random splits:\n"
            f"  ferdata split {out} --split 0.8,0.1,0.1 -o {out.with_name(f'{out.stem}-split.parquet')}"
        )
    return f"\nNext: ferdata train --manifest {out}"


def _reasons(name: str, part: Part) -> None:
    for reason, n in {**part.left_out, **part.moved}.items():
        prose(f"{name}: {n:,} rows {STANDS.get(reason, 'have no split')}: {REASONS.get(reason, reason)}")
    if part.test_is_official:
        prose(f"{name}: the official test set is complete ({part.test:,} rows)")


def _balance(title: str, by: str, parts: Sequence[PartBalance]) -> None:
    classes = tuple(parts[0].counts)
    rows = [
        (
            s.part,
            s.rows,
            *s.counts.values(),
            f"{100 * s.share:.1f}",
            "-" if s.asked is None else f"{100 * s.asked:.1f}",
            "-" if s.drift is None else f"{s.drift:.4f}",
        )
        for s in parts
    ]
    caption = "drift: Jensen-Shannon divergence from the class shares of all rows, in bits (0: equal, 1: disjoint)."
    table(title, (by, "rows", *classes, "% of rows", "% requested", "drift"), rows, caption=caption)


def _listed(decided: Decided) -> None:
    fit = decided.listed
    if fit:
        for n, first, what in (
            (fit.missing, fit.missing_first, "ids of the list are not in the manifest"),
            (fit.new, fit.new_first, "rows are not in the list and have no split"),
        ):
            echo(f"Frozen list: {n:,} {what}" + (f", first {', '.join(first)}" if first else ""))
    if decided.freeze:
        echo(f"Frozen list written: {decided.freeze}")
