"""`ferdata pack M --size 48`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import echo
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json, table
from ferdata.running.cache import gigabytes
from ferdata.running.engine import ENGINES
from ferdata.schema import SPLITS
from ferdata.steps.pack import SIZES, Packing, pack


@click.command("pack")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(pack, "--size", type=click.IntRange(*SIZES), help="Side in pixels [default: the images' own].")
@option(pack, "--channels", type=click.Choice([1, 3]), help="1: grey, 3: colour [default: the images' own].")
@option(pack, "--split", type=click.Choice(SPLITS), multiple=True, help="Only this split; may be repeated.")
@option(pack, "--dataset", "datasets", multiple=True, metavar="NAME", help="Only this dataset; may be repeated.")
@option(pack, "--fold", type=click.IntRange(0), help="The splits of this fold: it is test, the next one is val.")
@option(pack, "--trust-files", help="Use images even if changed since ingest.")
@option(pack, "--workers", type=click.IntRange(1), help="Threads, or processes of Ray [default: one per core].")
@option(
    pack, "--engine", type=click.Choice(ENGINES),
    help="local: this machine. ray: worker processes of Ray, here or on a cluster.",
)  # fmt: skip
@option(pack, "--address", help="The Ray cluster: auto, or HOST:PORT [default: one started for this run].")
@json_option
def command(as_json: bool, datasets: tuple[str, ...], **given: Any) -> None:
    """Decode the images of a manifest into the cache, ahead of train, which does it by itself otherwise.

    \b
    ferdata pack manifests/merged.parquet --size 48
    ferdata pack manifests/merged.parquet --size 224 --channels 3 --split test
    """
    result = pack(datasets=datasets or None, **given)
    if as_json:
        print_json(result)
    else:
        report(result)


def report(result: Packing) -> None:
    """Print each split's array, where it is, and how fast it was made."""
    rows = [
        (
            each.split,
            "made" if each.made else "there already",
            each.path,
            " x ".join(map(str, each.shape)),
            gigabytes(each.size),
        )
        for each in result.sides
    ]
    table("Packs", ("split", "state", "file", "shape", "size"), rows, text=3)
    changed = sum(each.changed for each in result.sides)
    rate = f"{result.images:,} images in {result.seconds:.1f} s, {result.images / max(result.seconds, 1e-9):,.0f}/s"
    facts(
        {
            "splits": f"as in column {result.split_source}",
            "size": gigabytes(result.size),
            "decoded": rate if result.images else "nothing: all of it was there",
            "changed": f"{changed:,} images are not as ingested" if changed else None,
        }
    )
    echo("\nWhat is in the cache: ferdata cache", dim=True)
