"""`ferdata datasets compare M...`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import print_json, table
from ferdata.comparing.tables import tables
from ferdata.steps.compare_datasets import Compared, compare_datasets

FILE = click.Path(path_type=Path)


@click.command("compare")
@click.argument("manifests", nargs=-1, required=True, type=FILE)
@option(compare_datasets, "-o", "--out", type=FILE, help="Write it as a page of HTML, with some faces of each set.")
@option(compare_datasets, "--taxonomy", metavar="NAME|FILE", help="The classes [default: the manifests' own].")
@click.option(
    "--net",
    metavar="RUN",
    type=FILE,
    help="Distances of what this run's net makes of the faces [default: of what ingest measured of the pixels].",
)
@click.option("--device", default="auto", show_default=True, help="Where the net runs.")
@option(
    compare_datasets,
    "--pixels/--no-pixels",
    help="Read images; without it, only what the manifests hold is compared, and copies are equal pixels.",
)
@option(compare_datasets, "--images", type=int, metavar="N", help="Images drawn of each set, at most.")
@option(compare_datasets, "--seed", type=int, help="Seed of the images drawn and of the permutations.")
@option(compare_datasets, "--workers", type=click.IntRange(1), help="Worker processes [default: one per core].")
@option(compare_datasets, "--force", help="Replace an existing page.")
@json_option
def command(manifests: tuple[Path, ...], net: Path | None, device: str, as_json: bool, **given: Any) -> None:
    """How datasets differ, without training: what each holds, what they share, how far apart their faces are.

    Each manifest is a set; of a single, merged one each dataset is.

    \b
    ferdata datasets compare manifests/ferplus.parquet manifests/ckplus.parquet
    ferdata datasets compare manifests/merged.parquet --net runs/ferplus -o compare.html
    """
    if net is None:
        refuse_idle(("device",), "where the net of --net runs; add --net")
    if given["out"] is None:
        refuse_idle(("force",), "for the page that --out writes; add --out")
    if not given["pixels"]:
        refuse_idle(("workers", "net"), "for what reads images, and --no-pixels reads none")
    if net is not None:
        from zoo.deploy.features import features

        given["features"] = features(net, device=device)
    result = compare_datasets(*manifests, **given)
    if as_json:
        print_json(result)
    else:
        report(result)


def report(result: Compared) -> None:
    """Print what each set holds, what each two share, how far they are apart, and what to beware of."""
    for made in tables(result.sets, result.between, result.by):
        table(made.title, made.heads, made.rows, made.caption, made.text)
    for note in result.notes:
        prose(f"Beware: {note}")
    if result.out:
        address = result.out.resolve().as_uri()
        echo(f"\nNext: look at {result.out}\n  python -m webbrowser {address}", dim=True)
