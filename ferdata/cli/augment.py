"""`ferdata augment M --policy strong -o sheet.png`."""

from pathlib import Path

import click

from ferdata.cli.options import json_option, option
from ferdata.cli.output import console, facts, print_json
from zoo.augment.contact_sheet import ENGINES, Sheet, sheet
from zoo.augment.policies import POLICIES


@click.command("augment")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(sheet, "-o", "--out", type=click.Path(path_type=Path), help="The PNG to write.")
@option(sheet, "--policy", type=click.Choice(tuple(POLICIES)), metavar="NAME", help=f"One of {', '.join(POLICIES)}.")
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
def command(as_json: bool, **given: object) -> None:
    """Show what an augmentation policy does to some faces, before you train with it.

    \b
    ferdata augment manifests/merged.parquet --policy strong -o sheet.png
    ferdata augment manifests/ckplus.parquet --policy ferplus -o sheet.png --rows 12 --engine workers
    """  # fmt: skip
    made = sheet(**given)  # type: ignore[arg-type]  # click has checked them; the names are the function's own
    if as_json:
        print_json(made)
    else:
        report(made)


def report(made: Sheet) -> None:
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
    console().print(f"\nNext: ferdata train --manifest MANIFEST --augment {made.policy}", style="dim", soft_wrap=True)
