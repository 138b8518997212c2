"""`ferdata split M -o OUT`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli import split_report
from ferdata.cli.layout import echo
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json
from ferdata.steps.split import Parted, split


@click.command("split")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(split, "-o", "--out", type=click.Path(path_type=Path), help="The manifest to write.")
@split_report.split_options(split)
@option(split, "--force", help="Replace an existing manifest.")
@json_option
def command(manifest: Path, as_json: bool, **given: Any) -> None:
    """Split a merged manifest again: folds, leave one subject out, a frozen list, or new random splits.

    \b
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
    """Print the splits of the rows, and why some rows have none."""
    facts(
        {
            "manifest": result.out,
            "rows": f"{result.rows:,} in, {result.rows:,} out",
            "groups": f"{result.groups:,}, unchanged",
            "fingerprint": result.fingerprint,
        }
    )
    echo()
    split_report.report(result.decided)
    echo(split_report.next_step(result.out, result.decided), dim=True)
