"""`ferdata validate M...`."""

from pathlib import Path

import click

from ferdata.cli.layout import prose
from ferdata.cli.options import json_option, option
from ferdata.cli.output import print_json
from ferdata.steps.validate import validate


@click.command("validate")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(validate, "--images", help="Also read every image and compare its pixels.")
@json_option
def command(manifest: Path, images: bool, as_json: bool) -> None:
    """Check a manifest against every rule of the schema; all failures at once, exit 1 if there are any.

    \b
    ferdata validate manifests/merged.parquet
    ferdata validate manifests/merged.parquet --images
    """
    rows = validate(manifest, images=images)
    if as_json:
        print_json({"manifest": manifest, "valid": True, "rows": rows})
    else:
        prose(f"{manifest} is valid: {rows:,} rows{', every image read' if images else ''}.")
