"""`ferdata stats M...`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ferdata import labels
from ferdata.charts.typeset import FORMATS, latex, markdown
from ferdata.class_balance import Balance, Drift
from ferdata.cli import conflicts as disputes
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import Choice, json_option, option, refuse_idle
from ferdata.cli.output import by_reason, print_json, table
from ferdata.known.contamination import told
from ferdata.steps.stats import Stats, stats

Show = Callable[..., None]
SHOWN = 12  # drifts, the largest first, and parts whose unlabelled rows are told apart; --json has all of them


@click.command("stats")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(stats, "--by", metavar="COLUMN", help="Part the rows by this column [default: split].")
@option(stats, "--votes", type=click.Choice(labels.POLICIES), help="Count as under another vote policy.")
@option(stats, "--taxonomy", metavar="NAME|FILE", help="Count as under another taxonomy.")
@option(stats, "--conflicts", help="One picture, several labels: who says what against whom.")
@option(stats, "--plot", type=click.Path(path_type=Path), help="Draw the class shares: PNG, SVG or PDF.")
@click.option(
    "--format",
    "show",
    type=Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="Of the tables; latex needs the packages booktabs and graphicx.",
)
@json_option
def command(manifests: tuple[Path, ...], show: str, as_json: bool, **given: Any) -> None:
    """Class balance: counts, shares, imbalance, weights, drift between splits and datasets.

    \b
    ferdata stats manifests/ferplus.parquet
    ferdata stats manifests/merged.parquet --by dataset --plot balance.png
    ferdata stats manifests/ferplus.parquet --votes crossentropy
    ferdata stats manifests/merged.parquet --conflicts
    ferdata stats manifests/merged.parquet --format latex > balance.tex
    """
    if as_json:
        refuse_idle(("show",), "of the tables, and --json prints none")
    result = stats(*manifests, **given)
    if as_json:
        print_json(result)
    else:
        report(result, show)


def report(result: Stats, show: str = FORMATS[0]) -> None:
    """Print the balance of each part, what has no label and why, the weights for training, drift and conflicts.

    As Markdown or LaTeX only the tables are printed, so that the output is a piece of a text.
    """
    printer: Show = {"markdown": _printed(markdown), "latex": _printed(latex)}.get(show, table)
    _counts(result, printer)
    _shares(result, printer)
    _weights(result, printer)
    _drift("Drift between parts", result.drift, printer)
    _drift("Drift between datasets", result.dataset_drift, printer)
    if result.conflicts:
        disputes.report(result.conflicts, printer=printer, words=show == FORMATS[0])
    if show != FORMATS[0]:
        return
    if result.contaminated:
        prose(f"Contamination: {told(result.contaminated)}")
    if result.proposed:
        prose(f"Relabelled: rows of train counted as the class that a net has proposed ({by_reason(result.proposed)})")
    for forbidden, names in (
        ("redistribution not allowed", result.terms.no_redistribution),
        ("commercial use not allowed", result.terms.no_commercial_use),
    ):
        if names:
            echo(f"Terms: {forbidden} ({', '.join(names)})")
    if result.plot:
        echo(f"Plot: {result.plot}")
    if result.plot_key:
        echo(result.plot_key)


def _printed(typeset: Callable[..., str]) -> Show:
    def show(*parts: Any, **more: Any) -> None:
        echo(typeset(*parts, **more))

    return show


def _counts(result: Stats, show: Show) -> None:
    rows = [(p.part, p.rows, p.labelled, p.rows - p.labelled, *p.counts.values()) for p in result.parts]
    some = [p for p in result.parts if p.unlabelled]
    why = [f"{p.part} {by_reason(p.unlabelled)}" for p in (some if len(some) <= SHOWN else some[-1:])]
    show(
        f"Rows by {result.by} (taxonomy {result.taxonomy}, votes {result.policy})",
        (result.by, "rows", "labelled", "unlabelled", *result.classes),
        rows,
        caption=f"Unlabelled: {'; '.join(why)}." if why else "",
    )


def _shares(result: Stats, show: Show) -> None:
    def share(part: Balance) -> list[str]:
        return [f"{100 * s:.1f}" if part.labelled else "-" for s in part.shares.values()]

    rows = [
        (p.part, *share(p), _decimal(p.imbalance, 1), _decimal(p.entropy, 3), _decimal(p.prior_entropy, 3))
        for p in result.parts
    ]
    show(
        "Shares in percent",
        (result.by, *result.classes, "max/min", "entropy", "prior loss"),
        rows,
        caption="max/min: imbalance ratio. entropy: 1 = all classes equal. prior loss: cross-entropy, in nats, "
        "of a model that knows only these shares.",
    )


def _weights(result: Stats, show: Show) -> None:
    chosen = next((p for p in result.parts if p.part == "train"), result.parts[-1])
    rows = [
        ("effective number", *(f"{n:,.0f}" for n in chosen.effective_number.values())),
        *((scheme, *(_decimal(w, 2) for w in weights.values())) for scheme, weights in chosen.weights.items()),
    ]
    show(
        "Class weights" + (f" for {chosen.part}" if chosen.part == "train" else ""),
        ("scheme", *result.classes),
        rows,
        caption="effective number: that of samples (Cui et al. 2019); the scheme effective weights by its inverse.",
    )


def _drift(title: str, found: Sequence[Drift], show: Show) -> None:
    if not found:
        return
    largest = sorted(found, key=lambda d: -(d.jensen_shannon or 0))[:SHOWN]
    rows = [
        (d.first, d.second, _decimal(d.jensen_shannon, 4), _decimal(d.chi_square, 1), d.freedom, _p(d)) for d in largest
    ]
    few = "; p?: some expected count is below 5" if any(d.small for d in largest) else ""
    show(
        title + (f", the largest {SHOWN} of {len(found):,}" if len(found) > SHOWN else ""),
        ("one", "other", "JS bits", "chi-square", "df", "p"),
        rows,
        caption="JS: Jensen-Shannon divergence of the class shares, 0 the same, 1 disjoint. chi-square: both drawn "
        f"from one distribution? Many rows make any difference significant, so look at JS{few}.",
        text=2,
    )


def _p(found: Drift) -> str:
    if found.p is None:
        return "-"
    value = f"{found.p:.3f}" if found.p >= 0.001 else "<0.001"
    return value + ("?" if found.small else "")


def _decimal(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"
