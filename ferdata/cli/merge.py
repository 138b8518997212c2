"""`ferdata merge M... -o OUT`."""

from pathlib import Path

import click

from ferdata import labels
from ferdata.cli.options import json_option, option
from ferdata.cli.output import console, facts, print_json, table
from ferdata.steps.merge import Merged, merge


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
@option(merge, "--split", metavar="official|A,B,C", help="Keep official splits, or draw train,val,test shares.")
@option(merge, "--seed", type=int, help="Of the drawn splits.")
@option(merge, "--force", help="Replace an existing manifest.")
@json_option
def command(
    manifests: tuple[Path, ...],
    out: Path,
    taxonomy: str,
    votes: str | None,
    split: str,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Merge manifests: one taxonomy, duplicates grouped, splits without leaks.

    \b
    ferdata merge manifests/ferplus.parquet manifests/ckplus.parquet -o manifests/merged.parquet
    ferdata merge manifests/ckplus.parquet --split 0.7,0.15,0.15 -o ck.parquet
    """  # fmt: skip
    result = merge(*manifests, out=out, taxonomy=taxonomy, votes=votes, split=split, seed=seed, force=force)
    print_json(result) if as_json else report(result)


REASONS = {
    "group_in_test": "same picture, subject or clip in test",
    "group_in_val": "same picture, subject or clip in val",
    "val_from_train": "drawn from train, as the dataset has no val",
}


def report(result: Merged) -> None:
    """Print what each dataset gave, what leaked, and what gave way."""
    across = ", ".join(f"{n:,} {pair}" for pair, n in result.across.items())
    facts(
        {
            "manifest": result.out,
            "rows": f"{result.rows:,} in, {result.rows:,} out",
            "taxonomy": f"{result.taxonomy}, votes by {result.votes}",
            "groups": f"{result.groups:,}; the largest has {result.largest:,} rows ({result.largest_of})",
            "identical": f"{result.identical:,} groups of identical pictures, {result.images:,} images in them",
            "leaks found": f"{sum(result.across.values()):,} of them across official splits ({across})"
            if across
            else "none across official splits",
            "fingerprint": result.fingerprint,
        }
    )
    click.echo()
    rows: list[tuple[str | int, ...]] = [
        (name, p.rows, p.labelled, p.train, p.val, p.test, sum(p.left_out.values())) for name, p in result.parts.items()
    ]
    rows.append(("all", *(sum(int(row[i]) for row in rows) for i in range(1, 7))))
    table("Rows", ("dataset", "rows", "labelled", "train", "val", "test", "no split"), rows)
    for name, part in result.parts.items():
        for reasons, verb in ((part.left_out, "have no split"), (part.moved, "are in val")):
            for reason, n in reasons.items():
                click.echo(f"{name}: {n:,} rows {verb}: {REASONS.get(reason, reason)}")
        if part.official_test and part.test == part.official_test:
            click.echo(f"{name}: the official test is whole ({part.test:,} rows)")
    console().print(f"\nNext: ferdata train --manifest {result.out}", style="dim", soft_wrap=True)
