"""`ferdata rehydrate shared.json -o OUT`."""

from pathlib import Path

import click

from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json, table
from ferdata.steps.rehydrate import Rehydrated, rehydrate


@click.command("rehydrate")
@click.argument("shared", type=click.Path(path_type=Path))
@option(rehydrate, "-o", "--out", type=click.Path(path_type=Path), help="The manifest to write.")
@option(rehydrate, "--root", multiple=True, metavar="NAME=DIR", help="The folder of a dataset; may be repeated.")
@option(rehydrate, "--workers", type=click.IntRange(1), help="Worker processes [default: one per core].")
@option(rehydrate, "--force", help="Replace an existing manifest.")
@json_option
def command(shared: Path, out: Path, root: tuple[str, ...], workers: int | None, force: bool, as_json: bool) -> None:
    """Rebuild a shared manifest from your own copy of the datasets, and report what matched.

    \b
    ferdata rehydrate shared.json --root ferplus=~/data/FERPlus --root ckplus=~/data/CK+48 -o merged.parquet
    """
    result = rehydrate(shared, out=out, root=root, workers=workers, force=force)
    if as_json:
        print_json(result)
    else:
        report(result)


def report(result: Rehydrated) -> None:
    """Print what matched, and whether the manifest equals the shared one, row for row."""
    facts({"manifest": result.out, "rows": result.rows, "fingerprint": result.fingerprint})
    echo()
    columns = ("dataset", "same pixels", "same name only", "missing here", "only here", "different label")
    rows = [(name, m.pixels, m.names, m.missing, m.extra, m.relabelled) for name, m in result.datasets.items()]
    table("Rows", columns, rows)
    for name, m in result.datasets.items():
        if m.missing:
            echo(f"{name}: missing here, first {', '.join(m.first_missing)}")
    if not result.same:
        prose("The manifest differs from the shared one; see above. Results on it do not compare.")
        return
    echo("The manifest equals the shared one, row for row.")
    echo(f"\nNext: ferdata train --manifest {result.out}", dim=True)
