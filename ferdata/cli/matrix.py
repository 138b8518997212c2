"""`ferdata matrix --manifest M`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from ferdata.charts.style import VECTOR
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option
from ferdata.cli.output import print_json, table
from ferdata.cli.pipes import say
from ferdata.cli.train import Duration
from zoo.experiments import matrix_answer
from zoo.experiments.matrix import Matrix, matrix
from zoo.options.options import AT_LEAST


class Names(click.ParamType[tuple[str, ...]]):
    """Datasets between commas."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names."""
        del param, ctx
        return tuple(value) if isinstance(value, tuple) else tuple(filter(None, map(str.strip, value.split(","))))


FILE = click.Path(path_type=Path)


@click.command("matrix")
@option(matrix, "--manifest", type=FILE, help="The merged manifest of the datasets.")
@option(matrix, "--train", type=Names(), metavar="A,B", help="Train on these alone [default: all that can be].")
@option(matrix, "--test", type=Names(), metavar="C,D", help="Test on these alone [default: all with a test].")
@option(
    matrix,
    "--add",
    multiple=True,
    metavar="A+B",
    help="Also train on these together; pairs, all, all-but-one: on two each, all, all but each. May be repeated.",
)
@option(
    matrix,
    "--also",
    type=FILE,
    multiple=True,
    metavar="RUN",
    help="A further row: a run that is there, adopted or ours, tested and not trained. May be repeated.",
)
@option(matrix, "--seeds", type=click.IntRange(1), help="Trainings of each.")
@option(matrix, "--budget", type=Duration(), metavar="TIME", help="For a run on the largest set; sets --images.")
@option(matrix, "--images", type=click.IntRange(1), help="Images that each run sees [default: by the recipe's epochs].")
@option(matrix, "--equal-images", type=click.IntRange(1), help="Learn from so many images of each set's train.")
@option(matrix, "--recipe", metavar="NAME", help="A recipe's name, or a TOML file: the options of all.")
@option(matrix, "--size", type=click.IntRange(AT_LEAST["size"]), help="Input side of all, pixels.")
@option(matrix, "--channels", type=click.Choice([1, 3]), help="1 grey, 3 colour [default: as each set's images are].")
@click.option("--set", "options", multiple=True, metavar="KEY=VALUE", help="An option of all; may be repeated.")
@option(matrix, "-o", "--out", type=FILE, help="The folder [default: runs/MANIFEST-matrix].")
@option(
    matrix, "--plots", type=click.Choice(VECTOR), multiple=True, help="Write the chart as this too; may be repeated."
)
@option(matrix, "--allow-leak", help="Train even if tests share faces with train; the report says so.")
@option(matrix, "--force", help="Train anew what is there already.")
@json_option
def command(as_json: bool, **given: Any) -> None:
    """Which dataset to train on? A run on each, tested on every one, and a plain answer with its intervals.

    \b
    ferdata merge ferplus.parquet ckplus.parquet -o merged.parquet
    ferdata matrix --manifest merged.parquet --budget 5m -o matrix
    ferdata matrix --manifest merged.parquet --budget 5m --add pairs --add all-but-one -o matrix
    ferdata matrix --manifest merged.parquet --train ferplus --test ckplus,mine --channels 1
    ferdata matrix --manifest merged.parquet --budget 5m --also runs/face-api -o matrix

    The same command goes on where it was stopped.
    """  # fmt: skip
    result = matrix(say=partial(say, err=as_json), **given)
    if as_json:
        print_json(result.report)
    else:
        report(result, given["plots"])


def report(result: Matrix, plots: Sequence[str] = ()) -> None:
    """Print the table, where the files are, and the answer."""
    r = result.report
    echo()
    about = "* on what was trained on; in brackets 95 % by picture or person."
    table(f"Test accuracy, {r['seeds']} seeds each", matrix_answer.columns(r), matrix_answer.table(r), about)
    for name in ("matrix.md", "matrix.json", *(f"matrix.{form}" for form in dict.fromkeys(("png", "svg", *plots)))):
        echo(result.path / name)
    echo()
    prose(r["answer"])
