"""`ferdata share M -o shared.json`."""

from pathlib import Path

import click

from ferdata.cli.layout import echo
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json
from ferdata.steps.share import share


@click.command("share")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(share, "-o", "--out", type=click.Path(path_type=Path), help="The file to write, such as shared.json.")
@option(share, "--force", help="Replace an existing file.")
@json_option
def command(manifest: Path, out: Path, force: bool, as_json: bool) -> None:
    """Write a manifest without its pixels, to share: ids, hashes, labels, splits, decisions.

    \b
    ferdata share manifests/merged.parquet -o shared.json
    """
    result = share(manifest, out=out, force=force)
    if as_json:
        print_json(result)
        return
    facts(
        {
            "shared file": result.out,
            "rows": result.rows,
            "datasets": ", ".join(result.datasets),
            "fingerprint": result.fingerprint,
        }
    )
    echo(f"\nOn another copy: ferdata rehydrate {result.out} -o again.parquet", dim=True)
