"""`ferdata stats M...`."""

from pathlib import Path

import click

from ferdata import labels
from ferdata.cli.options import json_option, option
from ferdata.cli.output import by_reason, console, print_json, table
from ferdata.steps.stats import Balance, Stats, stats


@click.command("stats")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(stats, "--by", metavar="COLUMN", help="Part the rows by this column [default: split].")
@option(stats, "--votes", type=click.Choice(labels.POLICIES), help="Count as under another vote policy.")
@option(stats, "--taxonomy", metavar="NAME|FILE", help="Count as under another taxonomy.")
@option(stats, "--plot", type=click.Path(path_type=Path), help="Draw the balance: PNG, SVG or PDF.")
@json_option
def command(
    manifests: tuple[Path, ...],
    by: str | None,
    votes: str | None,
    taxonomy: str | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Class balance: counts, shares, imbalance, weights.

    \b
    ferdata stats manifests/ferplus.parquet
    ferdata stats manifests/merged.parquet --by dataset --plot balance.png
    ferdata stats manifests/ferplus.parquet --votes crossentropy
    """
    result = stats(*manifests, by=by, votes=votes, taxonomy=taxonomy, plot=plot)
    print_json(result) if as_json else report(result)


def report(result: Stats) -> None:
    """Print the balance of each part, what has no label and why, and the weights for training."""
    _counts(result)
    _shares(result)
    _weights(result)
    for forbidden, names in (
        ("must not be passed on", result.terms.no_redistribution),
        ("must not be used commercially", result.terms.no_commercial_use),
    ):
        if names:
            click.echo(f"Terms: {forbidden} ({', '.join(names)})")
    if result.plot:
        console().print(f"Plot: {result.plot}", soft_wrap=True)


def _counts(result: Stats) -> None:
    rows = [(p.part, p.rows, p.labelled, *p.counts.values(), by_reason(p.unlabelled) or "-") for p in result.parts]
    table(
        f"Rows by {result.by} (taxonomy {result.taxonomy}, votes {result.policy})",
        (result.by, "rows", "labelled", *result.classes, "without a class"),
        rows,
    )


def _shares(result: Stats) -> None:
    def share(part: Balance, count: float) -> str:
        return f"{100 * count / part.labelled:.1f}" if part.labelled else "-"

    rows = [
        (p.part, *(share(p, n) for n in p.counts.values()), _decimal(p.imbalance, 1), _decimal(p.entropy, 3),
         _decimal(p.prior_entropy, 3))
        for p in result.parts
    ]  # fmt: skip
    table(
        "Shares in percent",
        (result.by, *result.classes, "max/min", "entropy", "prior loss"),
        rows,
        caption="max/min: imbalance ratio. entropy: 1 = all classes equal. prior loss: cross-entropy, in nats, "
        "of a model that knows only these shares.",
    )


def _weights(result: Stats) -> None:
    chosen = next((p for p in result.parts if p.part == "train"), result.parts[-1])
    rows = [
        (name, *(_decimal(w, 2) for w in weights.values()))
        for name, weights in (("balanced", chosen.weights), ("effective", chosen.effective))
    ]
    table(f"Class weights for {chosen.part}", ("scheme", *result.classes), rows)


def _decimal(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"
