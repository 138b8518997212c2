"""`ferdata merge M... -o OUT`."""

from pathlib import Path
from typing import Any

import click

from ferdata import labels
from ferdata.cli import conflicts, split_report
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import by_reason, console, facts, print_json
from ferdata.duplicates.groups import BY
from ferdata.duplicates.label_conflicts import MANY
from ferdata.errors import choose_one
from ferdata.steps.group import Grouped
from ferdata.steps.merge import Merged, merge


def words(ctx: click.Context, param: click.Parameter, value: Any) -> tuple[str, ...]:
    """Return the words between the commas; a usage error names those that there are."""
    given = value if isinstance(value, tuple) else tuple(str(value).split(","))
    for word in given:
        if word not in BY:
            raise click.BadParameter(f"{word!r} is none of them. {choose_one(word, BY)}", ctx, param)
    return given


@click.command("merge")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(merge, "-o", "--out", type=click.Path(path_type=Path), help="The manifest to write.")
@option(
    merge,
    "--taxonomy",
    metavar="NAME|FILE",
    help=f"{', '.join(labels.TAXONOMIES)}, basic7:contempt=anger, or a TOML file.",
)
@option(merge, "--votes", type=click.Choice(labels.POLICIES), help="Vote policy [default: that of the inputs].")
@option(merge, "--by", type=click.UNPROCESSED, callback=words, metavar="WORDS", help="What makes rows one group.")
@option(merge, "--thorough", help="Decode every image: rotated and cropped copies are found too.")
@option(merge, "--workers", type=click.IntRange(1), help="Worker processes [default: one per core].")
@option(merge, "--most", type=float, metavar="SHARE", help="Refuse a group with more of the rows than this.")
@split_report.split_options(merge)
@option(merge, "--force", help="Replace an existing manifest.")
@json_option
def command(manifests: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """Merge manifests: one taxonomy, duplicates grouped, splits without leaks.

    \b
    ferdata merge manifests/ferplus.parquet manifests/ckplus.parquet -o manifests/merged.parquet
    ferdata merge manifests/ckplus.parquet --split 0.7,0.15,0.15 --folds 10 -o ck.parquet
    ferdata merge ferplus.parquet fer2013.parquet --conflicts first:ferplus,fer2013 --cap happiness=5000 -o m.parquet
    """
    if "near" not in given["by"]:
        refuse_idle(("thorough", "workers"), "for near duplicates; add near to --by")
    split_report.refuse_idle_seed(given["frozen"])
    result = merge(*manifests, **given)
    if as_json:
        print_json(result)
    else:
        report(result)


def report(result: Merged) -> None:
    """Print what each dataset gave, what leaked, and what gave way."""
    across = ", ".join(f"{n:,} {pair}" for pair, n in result.across.items())
    facts(
        {
            "manifest": result.out,
            "rows": f"{result.rows:,} in, {result.rows:,} out",
            "lost at ingest": by_reason(result.rejected) or None,
            "taxonomy": f"{result.taxonomy}, votes by {result.votes}",
            "left out": f"{by_reason(result.left_out)}: no class in {result.taxonomy}, so no target"
            if result.left_out
            else None,
            "groups": f"{result.groups:,}; the largest has {result.largest:,} rows ({result.largest_of})",
            "identical": f"{result.identical:,} groups of identical pictures, {result.images:,} images in them",
            "near": f"{result.near:,} pairs show one picture in other pixels" if result.near else None,
            **about_pictures(result),
            "leaks found": f"{sum(result.across.values()):,} of the identical groups across official splits ({across})"
            if across
            else "none across official splits",
            "fingerprint": result.fingerprint,
        }
    )
    click.echo()
    split_report.report(result.decided)
    conflicts.report(result.conflicts, cells=False)
    if result.scenes:
        console().print(
            f"\nNext: {result.scenes:,} rows are scenes, and a net is to see faces. Align, then merge what that wrote:",
            style="dim",
            soft_wrap=True,
        )
        for path in result.to_align:
            aligned = path.with_name(f"{path.stem}-aligned.parquet")
            console().print(f"  ferdata align {path} -o {aligned}", style="dim", soft_wrap=True)
    else:
        console().print(f"\nNext: ferdata train --manifest {result.out}", style="dim", soft_wrap=True)


def about_pictures(result: Merged | Grouped) -> dict[str, str]:
    """Return what near copies were looked for in, where that was not whole pictures or may better not have been."""
    said = {}
    if result.scenes:
        said["scenes"] = f"{result.scenes:,} rows; their near copies are those of the face, inside its box"
    if result.versions > MANY:
        said["many versions"] = (
            f"{result.versions:,} different pictures look like copies of one ({result.versions_of}): they stay on one "
            "side, and their labels are not compared.\n"
            "If they are scenes of one place with other faces in them, align first: ferdata align M -o aligned.parquet"
        )
    return said
