"""`ferdata augment M --policy strong -o sheet.png`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import echo
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json
from zoo.augment.contact_sheet import ENGINES, Sheet, sheet
from zoo.augment.policies import POLICIES


@click.command("augment")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(sheet, "-o", "--out", type=click.Path(path_type=Path), help="The PNG to write.")
@option(sheet, "--policy", metavar="NAME|FILE", help=f"{', '.join(POLICIES)}; or a .toml of your own ranges.")
@option(
    sheet, "--set", "options", multiple=True, metavar="KEY=VALUE",
    help="A range in place of the policy's, such as rotation=20,zoom=0.15; may be repeated.",
)  # fmt: skip
@option(sheet, "--rows", type=click.IntRange(1, 64), help="Number of faces, from each class in turn.")
@option(sheet, "--draws", type=click.IntRange(1, 24), help="Number of augmented versions of each face.")
@option(sheet, "--seed", type=click.IntRange(0), help="Random seed for the faces and the augmentation.")
@option(sheet, "--size", type=click.IntRange(8, 1024), help="Side in pixels [default: as in training].")
@option(
    sheet, "--engine", type=click.Choice(ENGINES),
    help="device: as in training. workers: albumentations, with the same ranges.",
)  # fmt: skip
@option(sheet, "--force", help="Replace an existing file.")
@json_option
def command(as_json: bool, **given: Any) -> None:
    """Show what an augmentation policy does to some faces, before you train with it.

    \b
    ferdata augment manifests/merged.parquet --policy strong -o sheet.png
    ferdata augment manifests/ckplus.parquet --policy ferplus -o sheet.png --rows 12 --engine workers
    ferdata augment manifests/merged.parquet --policy light --set rotation=20,zoom=0.15 -o sheet.png
    ferdata augment manifests/merged.parquet --policy mine.toml -o sheet.png
    """  # fmt: skip
    made = sheet(**given)
    if as_json:
        print_json(made)
    else:
        report(made, given["manifest"], given["options"])


def report(made: Sheet, manifest: Path, options: Sequence[str]) -> None:
    """Print the policy's ranges, and where the picture is."""
    facts(
        {
            "policy": f"{made.policy}: {made.about}",
            "source": made.source or None,
            **(made.ranges or {"ranges": "none: images are not changed"}),
            "shown": f"{made.faces} faces, {made.draws} versions each, {made.size} x {made.size} px, by {made.engine}",
            "landmarks": f"on {made.landmarks} of the faces" if made.landmarks else None,
            "picture": made.out,
            "names": made.key or None,
        }
    )
    changed = "".join(f" --set {item}" for item in options)
    train = f"ferdata train --manifest {manifest} --augment {made.policy}{changed}"
    echo(f"\nNext: {train}", dim=True)
