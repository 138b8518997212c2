"""`ferdata split M -o OUT`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli import split_report
from ferdata.cli.options import json_option, option
from ferdata.cli.output import console, facts, print_json
from ferdata.steps.split import Parted, split


@click.command("split")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(split, "-o", "--out", type=click.Path(path_type=Path), help="The manifest to write.")
@split_report.split_options(split)
@option(split, "--force", help="Replace an existing manifest.")
@json_option
def command(manifest: Path, as_json: bool, **given: Any) -> None:
    """Split a merged manifest anew: shares, folds, one person out, or a frozen list.

    \b
    ferdata split manifests/merged.parquet --split 0.8,0.1,0.1 -o drawn.parquet
    ferdata split manifests/merged.parquet --folds loso -o loso.parquet
    ferdata split manifests/merged.parquet --freeze ids.csv -o again.parquet
    ferdata split manifests/merged.parquet --frozen ids.csv -o same.parquet
    """
    split_report.refuse_idle_seed(given["frozen"])
    result = split(manifest, **given)
    if as_json:
        print_json(result)
    else:
        report(result)


def report(result: Parted) -> None:
    """Print where the rows stand now, and why some stand nowhere."""
    facts(
        {
            "manifest": result.out,
            "rows": f"{result.rows:,} in, {result.rows:,} out",
            "groups": f"{result.groups:,}, kept as they are",
            "fingerprint": result.fingerprint,
        }
    )
    click.echo()
    split_report.report(result.decided)
    console().print(f"\nNext: ferdata train --manifest {result.out}", style="dim", soft_wrap=True)
