"""`ferdata align M -o OUT`."""

from pathlib import Path

import click

from ferdata.cli.layout import echo
from ferdata.cli.options import json_option, option
from ferdata.cli.output import by_reason, facts, print_json
from ferdata.images.alignment import NO_FACE, SEVERAL, TEMPLATES
from ferdata.running.engine import ENGINES
from ferdata.steps.align import FIRST, SIZES, Aligned, align

MEANING = {
    NO_FACE: "the published box, or the whole picture, is the crop",
    SEVERAL: "the largest and most central face is the crop",
}


@click.command("align")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(
    align, "-o", "--out", type=click.Path(path_type=Path), help="The manifest to write; NAME/ for a folder of parts."
)
@option(
    align, "--detector", type=click.Choice(FIRST),
    help="Face detector. published: the dataset's landmarks, else its box, else YuNet if its model file is here, else "
    "Haar. haar, yunet: always that one.",
)  # fmt: skip
@option(
    align, "--model", type=click.Path(path_type=Path),
    help="YuNet's model file [default: FERDATA_YUNET, else the cache; downloaded once, 230 KB].",
)  # fmt: skip
@option(align, "--size", type=click.IntRange(*SIZES), help="Side of the crop in pixels, such as 112 or 224.")
@option(align, "--margin", type=float, help="Margin added on every side, as a share of the crop, such as 0.1.")
@option(
    align, "--template", type=click.Choice(TEMPLATES),
    help="arcface: five landmarks of the ArcFace template. eyes: eyes and nose only. box: the face box, not rotated.",
)  # fmt: skip
@option(align, "--workers", type=click.IntRange(1), help="Worker processes [default: one per core].")
@option(
    align, "--engine", type=click.Choice(ENGINES),
    help="local: this machine. ray: worker processes of Ray, here or on a cluster.",
)  # fmt: skip
@option(align, "--address", help="The Ray cluster: auto, or HOST:PORT [default: one started for this run].")
@option(align, "--resume", help="Continue this align where Ctrl-C or an error stopped it.")
@option(align, "--force", help="Replace an existing manifest.")
@json_option
def command(as_json: bool, **given: object) -> None:
    """Crop and align every face to one template, and record how; unreadable images are rejected.

    \b
    ferdata align manifests/ckplus.parquet -o manifests/ckplus112.parquet
    ferdata align manifests/mine.parquet -o mine224.parquet --detector yunet --size 224 --margin 0.1
    """
    result = align(**given)  # type: ignore[arg-type]  # click has checked them; the names are the function's own
    if as_json:
        print_json(result)
    else:
        report(result)


def report(result: Aligned) -> None:
    """Print where the face positions are from, and which rows keep an issue."""
    facts(
        {
            "rows": f"{result.rows:,}, {result.size} x {result.size} pixels",
            "detector": by_reason(result.found) or "no face was found",
            "fallback": f"{result.fallback}, where the dataset gives no landmarks or box" if result.fallback else None,
            "issues": "\n".join(f"{n:,} {name}: {MEANING[name]}" for name, n in result.issues.items()) or "none",
            "rejected": by_reason(result.rejected) or "none",
            "rejects": result.rejects,
            "manifest": result.out,
            "fingerprint": result.fingerprint,
        }
    )
    echo(f"\nNext: ferdata merge {result.out} -o manifests/merged.parquet", dim=True)
