"""`ferdata doubt DATASET ACCURACY`."""

from typing import Any

import click

from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json, table
from ferdata.steps.doubt import Doubted, doubt

CHOSEN = {"val": "val", "test": "the test itself", "not stated": "not stated"}


@click.command("doubt")
@click.argument("dataset")
@click.argument("accuracy")
@option(doubt, "--n", type=click.INT, help="How many test images [default: as many as the usual test has].")
@json_option
def command(dataset: str, accuracy: str, as_json: bool, **given: Any) -> None:
    """A claimed accuracy, in per cent: which test can it be, what do people reach, what did others report?

    \b
    ferdata doubt ferplus 95.55
    ferdata doubt fer2013 73.28 --n 3589
    """
    result = doubt(dataset, accuracy, **given)
    print_json(result) if as_json else report(result)


def report(r: Doubted) -> None:
    """Print what is known of a claim, the verdict first."""
    low, high = r.interval
    of = f"{r.n:,} images" + (", the usual test" if r.reference else "")
    facts(
        {
            "claim": f"{r.accuracy:g} % on {r.title}",
            "95 % interval": f"{low:.1f} to {high:.1f} %, of {of}",
            "verdict": r.verdict,
        }
    )
    prose(f"\n{r.why}")
    for one in r.same:
        told = getattr(one, "why", None) or f"{one.source}; epoch chosen on: {CHOSEN[one.chosen]}"  # type: ignore[union-attr]  # as it is a Figure
        prose(f"It was reported for {one.system}: {told}.")
    echo()
    tests = [(test.n, answer, test.rule, test.who) for tests, answer in ((r.possible, "yes"), (r.impossible, "no"))
             for test in tests]  # fmt: skip
    table(
        "What is called the test",
        ("images", "can it be", "rule", "who takes it"),
        sorted(tests),
        "can it be: some whole number of right answers gives the figure as it is written",
        text=0,
    )
    table(
        "What is reached without such a net, and what cannot be passed",
        ("", "accuracy, %", "images", "from"),
        [(c.what, f"{c.accuracy:g}", c.n, c.source) for c in r.ceilings],
    )
    rows = [(f.system, f"{f.accuracy:g}", CHOSEN[f.chosen], f.starts, f.source, "" if f.read == "source" else f.read)
            for f in r.figures]  # fmt: skip
    table("What others reported", ("system", "accuracy, %", "epoch chosen on", "begins with", "source", ""), rows)
