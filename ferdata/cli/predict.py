"""`ferdata predict RUN PICTURES...`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli import DONE, FAILED
from ferdata.cli.options import json_option, option
from ferdata.cli.output import print_json, table
from zoo.device import DEVICES
from zoo.predict import Prediction, predict


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(predict, "--device", type=click.Choice(DEVICES), help="Where to compute.")
@click.option("--tta/--no-tta", default=None, help="Average with the mirror image [default: as the run did].")
@json_option
def command(run: Path, paths: tuple[Path, ...], as_json: bool, **given: Any) -> int:
    """Label pictures of faces, or folders of them, with a trained run.

    \b
    ferdata predict runs/first photo.png more-photos/
    """  # fmt: skip
    result = predict(run, paths, **given)
    print_json(result) if as_json else report(result)
    return DONE if any(p.label for p in result) else FAILED


def report(result: list[Prediction]) -> None:
    """Print a row per picture, then those that could not be read."""
    read = [p for p in result if p.label is not None]
    if read:
        table("", ("picture", "label", "share", "runner-up", "share"), [row(p) for p in read], text=2)
    for prediction in result:
        if prediction.error is not None:
            click.echo(f"not read: {prediction.path}: {prediction.error}", err=True)
    unread = len(result) - len(read)
    click.echo(f"{len(read):,} labelled, {unread:,} could not be read" if unread else f"{len(read):,} labelled")


def row(p: Prediction) -> tuple[Any, ...]:
    """Return a prediction's cells: picture, label, its share, the runner-up, its share."""
    first, second = p.label or "", p.runner_up
    return (
        p.path,
        first,
        f"{p.probabilities[first]:.1%}",
        second,
        f"{p.probabilities[second]:.1%}" if second else None,
    )
