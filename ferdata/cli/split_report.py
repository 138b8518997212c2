"""What `merge` and `split` share: the options that decide on which side a row stands, and how it is told."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ferdata.cli.options import option, refuse_idle, was_given
from ferdata.cli.output import table
from ferdata.splitting.rules import PartBalance
from ferdata.steps.split import Decided, Part

SHOWN = 20  # folds: of more, one line tells
REASONS = {
    "group_in_test": "same picture, subject or clip in test",
    "group_in_val": "same picture, subject or clip in val",
    "val_from_train": "drawn from train, as the dataset has no val",
    "no_official_split": "without an official split, in a dataset that has one",
    "conflict": "the picture has another label elsewhere (--conflicts)",
    "synthetic": "generated, so kept out of val and test (--synthetic-anywhere)",
    "capped": "over a --cap",
    "synthetic_capped": "generated, over --max-synthetic",
    "not_in_list": "not in the frozen list",
    "left_out_by_list": "without a split in the frozen list",
}

STANDS = {"val_from_train": "are in val", "no_official_split": "are in train"}  # rows that were moved, not left out


def split_options(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the options that say where rows stand, with the defaults of `function`."""
    path = click.Path(path_type=Path)
    declared = [
        option(
            function, "--split", metavar="official|A,B,C", help="Keep official splits, or draw train,val,test shares."
        ),
        option(function, "--folds", metavar="K|loso", help="Also fill `fold`: K folds, or one per person."),
        option(
            function,
            "--conflicts",
            metavar="RULE",
            help="One picture, several labels: keep, drop, majority, or first:ferplus,fer2013.",
        ),
        option(
            function, "--cap", multiple=True, metavar="CLASS=N", help="Thin train: disgust=500, dataset:ferplus=10000."
        ),
        option(function, "--max-synthetic", type=float, metavar="SHARE", help="Most of train that may be generated."),
        option(function, "--synthetic-anywhere", help="Let generated faces into val and test."),
        option(function, "--frozen", type=path, metavar="CSV", help="Take sides and folds from a list of ids."),
        option(function, "--freeze", type=path, metavar="CSV", help="Write the list of ids, sides and folds."),
        option(function, "--seed", type=int, help="Of whatever is drawn."),
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for add in reversed(declared):
            command = add(command)
        return command

    return decorate


def refuse_idle_seed(frozen: Path | None) -> None:
    """Raise UsageError if a seed is given beside a list, which leaves nothing to draw."""
    if frozen:
        refuse_idle(("seed",), "of what is drawn, and --frozen brings all splits and folds with it")


def report(decided: Decided) -> None:
    """Print what each dataset gave, why rows have no split, the balance of each side and fold, and the list's fit.

    A seed that was given, and had no say, is told of: whether it has one is only known once the rows are.
    """
    rows: list[tuple[str | int, ...]] = [
        (name, p.rows, p.labelled, p.train, p.val, p.test, sum(p.left_out.values()))
        for name, p in decided.parts.items()
    ]
    rows.append(("all", *(sum(int(row[i]) for row in rows) for i in range(1, 7))))
    table("Rows", ("dataset", "rows", "labelled", "train", "val", "test", "no split"), rows)
    for name, part in decided.parts.items():
        _reasons(name, part)
    click.echo()
    _balance("Class balance", "split", decided.balance)
    if len(decided.folds) > SHOWN:
        sizes = sorted(fold.rows for fold in decided.folds)
        click.echo(
            f"Folds: {len(sizes):,}, of {sizes[0]:,} to {sizes[-1]:,} rows (median {sizes[len(sizes) // 2]:,}); "
            f"{decided.people:,} people in them, {decided.no_fold:,} rows in none\n"
        )
    if 0 < len(decided.folds) <= SHOWN:
        _balance(f"Folds ({decided.people:,} people in them; {decided.no_fold:,} rows in none)", "fold", decided.folds)
    _listed(decided)
    if not decided.drawn and was_given("seed"):
        click.echo("Nothing was drawn here: another --seed changes nothing.")


def _reasons(name: str, part: Part) -> None:
    for reason, n in {**part.left_out, **part.moved}.items():
        click.echo(f"{name}: {n:,} rows {STANDS.get(reason, 'have no split')}: {REASONS.get(reason, reason)}")
    if part.test_is_official:
        click.echo(f"{name}: the official test is whole ({part.test:,} rows)")


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
    caption = (
        "drift: Jensen-Shannon divergence of its class shares from those of all, in bits (0 the same, 1 disjoint)."
    )
    table(title, (by, "rows", *classes, "% got", "% asked", "drift"), rows, caption=caption)


def _listed(decided: Decided) -> None:
    fit = decided.listed
    if fit:
        for n, first, what in (
            (fit.missing, fit.missing_first, "ids of the list are not here"),
            (fit.new, fit.new_first, "rows are not in the list, and have no split"),
        ):
            click.echo(f"Frozen list: {n:,} {what}" + (f", first {', '.join(first)}" if first else ""))
    if decided.freeze:
        click.echo(f"Frozen list written: {decided.freeze}")
