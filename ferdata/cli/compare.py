"""`ferdata compare RUN RUN...`, `ferdata compare RUN... --on M`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli.evaluate import between, share
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import print_json, table
from ferdata.schema import SPLITS
from zoo.evaluation.compare import between as interval
from zoo.evaluation.compare import compare, points
from zoo.evaluation.league import tables
from zoo.evaluation.metrics import CALLED, HEADLINES
from zoo.run.device import DEVICES


@click.command("compare")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@option(compare, "--split", type=click.Choice((*SPLITS, "all")), help="The rows that are compared.")
@option(compare, "--by", type=click.Choice(HEADLINES), help="The figure that is decided on.")
@option(compare, "--bootstrap", type=click.IntRange(100), help="Draws that the intervals come from.")
@option(compare, "--shared", help="Keep to the rows that all runs were scored on.")
@option(
    compare,
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw the differences; with --on accuracy against time: PNG, SVG or PDF.",
)
@option(
    compare,
    "--on",
    type=click.Path(path_type=Path),
    metavar="M",
    help="A league: judge all runs, adopted ones too, anew on this manifest.",
)
@option(compare, "--dataset", metavar="NAME", help="With --on: keep to one dataset.")
@option(
    compare,
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="With --on: write the league, as .md, .tex or .csv; may be repeated.",
)
@option(compare, "--device", type=click.Choice(DEVICES), help="With --on: where to compute.")
@json_option
def command(runs: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """Compare runs on the same test rows, in pairs: is the difference real?

    \b
    ferdata compare runs/first runs/second
    ferdata compare runs/first runs/second runs/third --by macro_f1
    ferdata compare runs/first runs/second --plot difference.pdf
    ferdata compare first.parquet second.parquet     # of evaluate --save-predictions
    ferdata compare keras.csv runs/first             # a table of a model trained elsewhere, as evaluate takes it
    ferdata compare runs/face-api runs/first --on manifests/ferplus.parquet -o league.md --plot league.png
    """  # fmt: skip
    if given["on"] is None:
        refuse_idle(("dataset", "out", "device"), "it goes with --on; stored predictions are compared as they are")
    result = compare(runs, **given)
    if as_json:
        print_json(result)
        return
    if given["on"] is None:
        stored(result)
    else:
        league(result)
    pairs(result)
    for path in given["out"]:
        echo(path)
    if given["plot"]:
        echo(f"Plot: {given['plot']}")


def league(r: dict[str, Any]) -> None:
    """Print the tables of a league, what is to be known of its runs, and their terms."""
    for one in tables.tables(r):
        table(one.title, one.heads, one.rows, one.caption, one.text)
    for title, lines in (("Notes", tables.marks(r)), ("Terms", tables.terms(r))):
        if lines:
            echo(title, bold=True)
            prose("\n".join(f"- {line}" for line in lines) + "\n")


def stored(r: dict[str, Any]) -> None:
    """Print the table of runs by their stored predictions."""
    rows = [
        (
            run["run"],
            *(run["backbone"], run["parameters"], share(run["accuracy"], 2), between(run["intervals"]["accuracy"])),
            *(share(run["macro_f1"], 2), between(run["intervals"]["macro_f1"])),
            *(share(run["balanced_accuracy"], 2), share(run["ece"]), f"{run['log_loss']:.3f}"),
        )
        for run in r["runs"]
    ]
    names = ("run", "backbone", "parameters", "accuracy", "95 %", "macro-F1", "95 %", "balanced", "ECE", "log loss")
    units = "" if r["units"] == r["n"] else f", {r['units']:,} {r['unit']}"
    table(f"{r['split'].capitalize()}, {r['n']:,} images{units}", names, rows, text=2)
    for run in r["runs"]:
        for mark in run["marks"]:
            echo(f"{run['run']}: {mark}.")
    if any(run["marks"] for run in r["runs"]):
        echo()


def pairs(r: dict[str, Any]) -> None:
    """Print the table of pairs, and the answer; nothing of a league of one."""
    if not r["pairs"]:
        return
    tests = [
        (
            f"{pair['b']} - {pair['a']}",
            *(points(pair["difference"]), interval(pair["interval"])),
            *(pair["only_b_right"], pair["only_a_right"], f"{pair['mcnemar_p']:.2g}"),
            *(pair["test"], f"{pair['p_corrected']:.2g}", "yes" if pair["real"] else "no"),
        )
        for pair in r["pairs"]
    ]
    p = "p, Holm" if r["correction"] else "p"
    heads = ("pair", "points", "95 %", "only first right", "only second right", "McNemar p", "decided by", p, "real")
    table(f"Difference of {CALLED[r['by']]}", heads, tests)
    prose(r["answer"])
