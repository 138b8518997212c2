"""`ferdata merge M... -o OUT`."""

from pathlib import Path
from typing import Any

import click

from ferdata import labels
from ferdata.auditing.proposals import Proposals
from ferdata.cli import conflicts, split_report
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import by_reason, facts, print_json, table
from ferdata.duplicates.groups import BY
from ferdata.duplicates.label_conflicts import MANY
from ferdata.errors import choose_one
from ferdata.known.contamination import told
from ferdata.steps.group import Grouped
from ferdata.steps.merge import Merged, merge


def words(ctx: click.Context, param: click.Parameter, value: Any) -> tuple[str, ...]:
    """Return the words between the commas; a usage error names the choices."""
    given = value if isinstance(value, tuple) else tuple(str(value).split(","))
    for word in given:
        if word not in BY:
            raise click.BadParameter(f"{word!r} is not one of them. {choose_one(word, BY)}", ctx, param)
    return given


@click.command("merge")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(merge, "-o", "--out", type=click.Path(path_type=Path), help="The manifest to write.")
@option(
    merge,
    "--taxonomy",
    metavar="NAME|FILE",
    help=f"The classes: {', '.join(labels.TAXONOMIES)}, basic7:contempt=anger (contempt to anger), or a TOML file.",
)
@option(
    merge,
    "--votes",
    type=click.Choice(labels.POLICIES),
    help="How annotator votes become a label [default: as in the inputs].",
)
@option(
    merge,
    "--by",
    type=click.UNPROCESSED,
    callback=words,
    metavar="WORDS",
    help="Rows that share one of these are a group, and stay in one split: equal pixels, near duplicates, subject, "
    "sequence.",
)
@option(merge, "--thorough", help="Decode every image, to find rotated and cropped duplicates too.")
@option(merge, "--workers", type=click.IntRange(1), help="Worker processes [default: one per core].")
@option(
    merge, "--most", type=float, metavar="SHARE", help="Stop if one group holds a larger share of the rows than this."
)
@split_report.split_options(merge)
@option(
    merge,
    "--relabel-by",
    type=click.Path(path_type=Path),
    metavar="PREDICTIONS",
    help="Train on the class that these predictions are sure of, where it is another than the publisher's; in train "
    "alone, and in a column of its own. Best out of fold: ferdata audit M --fit --save-predictions PREDICTIONS.",
)
@option(merge, "--confidence", type=float, metavar="SHARE", help="Probability from which on they are sure.")
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
        refuse_idle(("thorough", "workers"), "only used for near duplicates; add near to --by")
    split_report.refuse_idle_seed(given["frozen"])
    if given["relabel_by"] is None:
        refuse_idle(("confidence",), "of the predictions of --relabel-by; add it")
    result = merge(*manifests, **given)
    if as_json:
        print_json(result)
    else:
        report(result)


def report(result: Merged) -> None:
    """Print what each dataset gave, what leaked, and what was excluded."""
    across = ", ".join(f"{n:,} {pair}" for pair, n in result.across.items())
    facts(
        {
            "manifest": result.out,
            "rows": f"{result.rows:,} in, {result.rows:,} out",
            "rejected at ingest": by_reason(result.rejected) or None,
            "taxonomy": f"{result.taxonomy}, votes by {result.votes}",
            "no class": f"{by_reason(result.left_out)}: not in {result.taxonomy}, so not used in training"
            if result.left_out
            else None,
            "groups": f"{result.groups:,}; the largest has {result.largest:,} rows ({result.largest_of})",
            "identical": f"{result.identical:,} groups of identical pictures, {result.images:,} images in them",
            "near duplicates": f"{result.near:,} pairs (one picture, other pixels)" if result.near else None,
            **about_pictures(result),
            "leaks found": f"{sum(result.across.values()):,} identical groups across official splits ({across})"
            if across
            else "none across official splits",
            "contamination": told(result.contaminated) or None,
            "fingerprint": result.fingerprint,
        }
    )
    echo()
    if result.proposed is not None:
        proposed(result.proposed)
    split_report.report(result.decided)
    conflicts.report(result.conflicts, cells=False)
    if result.scenes:
        echo(
            f"\nNext: {result.scenes:,} rows show whole scenes. Crop the faces first, then merge the new manifests:",
            dim=True,
        )
        for path in result.to_align:
            aligned = path.with_name(f"{path.stem}-aligned.parquet")
            echo(f"  ferdata align {path} -o {aligned}", dim=True)
    else:
        echo(split_report.next_step(result.out, result.decided), dim=True)


def proposed(found: Proposals) -> None:
    """Print how many labels of train a net has proposed, and which became which."""
    rows = [(name, change, n) for name, changes in found.counts.items() for change, n in changes.items()]
    if rows:
        table(
            f"Proposed labels: {found.count:,} of {found.judged:,} rows of train that the predictions judge",
            ("dataset", "label", "rows"),
            rows,
            "The publishers' labels are kept; target, what training uses, is the proposed one.",
            2,
        )
    else:
        prose(f"Proposed labels: none of {found.judged:,} rows of train that the predictions judge.\n")
    if not found.out_of_fold:
        prose(
            "Beware: these predictions do not say that they are out of fold. A net that was trained on the rows it "
            "judges repeats their labels. Better: ferdata audit M --fit --save-predictions PREDICTIONS\n"
        )


def about_pictures(result: Merged | Grouped) -> dict[str, str]:
    """Return where near duplicates were not looked for in whole pictures, or are doubtful."""
    said = {}
    if result.scenes:
        said["scenes"] = f"{result.scenes:,} rows; near duplicates are looked for inside the face box"
    if result.versions > MANY:
        said["large cluster"] = (
            f"{result.versions:,} different pictures look like duplicates of one ({result.versions_of}): they stay in "
            "one split, and their labels are not compared.\n"
            "If they show one place with different faces, align first: ferdata align M -o aligned.parquet"
        )
    return said
