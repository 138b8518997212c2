"""`ferdata group M [-o OUT]`."""

from collections.abc import Mapping
from pathlib import Path

import click

from ferdata.cli import DONE, FINDINGS
from ferdata.cli.layout import echo, prose
from ferdata.cli.merge import about_pictures, words
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import facts, print_json, table
from ferdata.duplicates import Trial
from ferdata.steps.group import Grouped, group, self_test


@click.command("group")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(group, "-o", "--out", type=click.Path(path_type=Path), help="The manifest to write; without it, report only.")
@option(group, "--by", type=click.UNPROCESSED, callback=words, metavar="WORDS", help="What puts rows into one group.")
@option(
    group, "--thorough", help="Compare every picture; also finds rotations up to 14 degrees and crops up to a fifth."
)
@option(group, "--workers", type=click.IntRange(1), help="Worker processes [default: one per core].")
@option(group, "--most", type=click.FloatRange(0, 1), help="Largest allowed group, as a share of the rows.")
@click.option(
    "--self-test",
    "planted",
    is_flag=True,
    help="Plant copies of every kind, and count which are found; writes nothing.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the self-test's sample.")
@option(group, "--force", help="Replace an existing manifest.")
@json_option
def command(
    manifest: Path,
    out: Path | None,
    by: tuple[str, ...],
    thorough: bool,
    workers: int | None,
    most: float,
    planted: bool,
    seed: int,
    force: bool,
    as_json: bool,
) -> int:
    """Group rows that show the same picture, person or clip.

    Exits with 3 if a group lies in several splits of the manifest.

    \b
    ferdata group manifests/ferplus.parquet
    ferdata group manifests/ferplus.parquet --by pixels,near -o grouped.parquet
    ferdata group manifests/ferplus.parquet --self-test
    """  # fmt: skip
    if planted:
        refuse_idle(("out", "by", "most", "workers", "force"), "--self-test plants copies, and writes nothing")
        return tested(manifest, thorough, seed, as_json)
    refuse_idle(("seed",), "of the self-test's sample alone; add --self-test")
    if not out:
        refuse_idle(("force",), "for what is written; add --out")
    if "near" not in by:
        refuse_idle(("thorough", "workers"), "for near duplicates; add near to --by")
    result = group(manifest, out=out, by=by, thorough=thorough, workers=workers, most=most, force=force)
    if as_json:
        print_json(result)
    else:
        report(result)
    return FINDINGS if result.sides else DONE


def tested(manifest: Path, thorough: bool, seed: int, as_json: bool) -> int:
    """Run the self-test and print it."""
    outcome = self_test(manifest, thorough=thorough, seed=seed)
    if as_json:
        print_json(outcome)
    else:
        report_trial(outcome)
    return DONE


def report(result: Grouped) -> None:
    """Print how many groups there are, the largest, and those that lie in several splits."""
    facts(
        {
            "rows": result.rows,
            "grouped by": ", ".join(result.by),
            "groups": f"{result.groups:,}; the largest has {result.largest:,} rows ({result.largest_of})",
            "identical": f"{result.identical:,} groups of identical pictures, {result.images:,} images in them",
            "  across official splits": _sides(result.across),
            "near duplicates": f"{result.near:,} pairs of rows" if "near" in result.by else None,
            **about_pictures(result),
            "groups across official splits": _sides(result.groups_across),
            "groups across this manifest's split": _sides(result.sides) if result.sides else None,
            "manifest": result.out,
            "fingerprint": result.fingerprint,
        }
    )
    if result.sides:
        prose("\nThese groups leak. Merge again: the rows that are excluded are counted.")
    elif result.out:
        echo(f"\nNext: ferdata split {result.out}", dim=True)


def _sides(across: Mapping[str, int]) -> str:
    return f"{sum(across.values()):,} ({', '.join(f'{n:,} {s}' for s, n in across.items())})" if across else "none"


def report_trial(outcome: Trial) -> None:
    """Print, for each kind of copy, how many were planted and found, and what was wrongly put beside them."""
    level = "thorough" if outcome.thorough else "candidates by hash; --thorough finds more"
    table(
        f"Planted among {outcome.pictures:,} pictures ({level})",
        ("copy", "planted", "found", "recall %", "wrong", "precision %"),
        [
            (k.kind, k.planted, k.found, f"{100 * k.recall:.1f}", k.wrong, f"{100 * k.precision:.2f}")
            for k in outcome.kinds
        ],
        caption="wrong: rows grouped with a copy that were not grouped with the original.",
    )
