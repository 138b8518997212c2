"""`ferdata ablate --manifest M --over KEY=A,B`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from ferdata.charts.style import VECTOR
from ferdata.cli.layout import echo
from ferdata.cli.options import json_option, option
from ferdata.cli.output import print_json, table
from ferdata.cli.pipes import say
from ferdata.cli.train import Duration
from zoo.evaluation.metrics import HEADLINES
from zoo.experiments import answers
from zoo.experiments.ablation import Ablation, ablate


@click.command("ablate")
@option(ablate, "--manifest", type=click.Path(path_type=Path), help="The manifest to train on.")
@option(ablate, "--over", multiple=True, metavar="KEY=A,B", help="An option and its values; repeated, a grid.")
@option(ablate, "--seeds", type=click.IntRange(1), help="Trainings of each cell.")
@option(ablate, "--budget", type=Duration(), metavar="TIME", help="For each training, such as 5m.")
@option(ablate, "--recipe", metavar="NAME", help="A recipe's name, or a TOML file: the options of all.")
@click.option("--set", "options", multiple=True, metavar="KEY=VALUE", help="An option of all; may be repeated.")
@option(ablate, "--by", type=click.Choice(HEADLINES), help="The figure that is decided on.")
@option(ablate, "-o", "--out", type=click.Path(path_type=Path), help="The folder [default: runs/MANIFEST-over-KEY].")
@option(
    ablate, "--plots", type=click.Choice(VECTOR), multiple=True, help="Write the chart as this too; may be repeated."
)
@option(ablate, "--force", help="Train anew what is there already.")
@json_option
def command(as_json: bool, **given: Any) -> None:
    """Does an option matter? Each value with several seeds, chosen on val, tested once, and one plain answer.

    \b
    ferdata ablate --manifest manifests/merged.parquet --over augment=none,light,strong --seeds 3 --budget 5m
    ferdata ablate --manifest manifests/merged.parquet --over size=48,64 --over class_weights=none,balanced

    The same command goes on where it was stopped.
    """  # fmt: skip
    result = ablate(say=partial(say, err=as_json), **given)
    if as_json:
        print_json(result.report)
    else:
        report(result, given["plots"])


def report(result: Ablation, plots: Sequence[str] = ()) -> None:
    """Print the table, where the files are, and the answer."""
    r = result.report
    echo()
    title = f"{r['seeds']} seeds each, {r['n_test']:,} test images"
    table(title, answers.columns(r), answers.table(r), f"* best on val. {answers.plus_minus(r)}")
    for name in ("ablation.md", "ablation.json", *(f"ablation.{form}" for form in ("png", *plots))):
        echo(result.path / name)
    if r["warning"]:
        echo(f"\n{r['warning']}")
    echo(f"\n{r['answer']}")
