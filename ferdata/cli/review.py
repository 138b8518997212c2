"""`ferdata review M`, and `ferdata review pull | apply | export | import`."""

import sys
from pathlib import Path

import click

from ferdata.cli import DONE, FINDINGS
from ferdata.cli.groups import UsualGroup
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import by_reason, facts, print_json, table
from ferdata.errors import UnknownLabel
from ferdata.reviewing.agreement import Agreement
from ferdata.reviewing.apply_decisions import Ask
from ferdata.reviewing.csv_sheet import ONLY, UNDO
from ferdata.reviewing.fiftyone.dataset import Pushed
from ferdata.reviewing.ledger import RULES, WORDS, Decision, Dispute, canonical, end_dispute
from ferdata.running.terminal import printable
from ferdata.steps.apply import Applied, apply
from ferdata.steps.pull import Pulled, pull
from ferdata.steps.review import datasets, delete, review, reviewer
from ferdata.steps.sheet import Imported, export, import_sheet

FILE = click.Path(path_type=Path)


@click.group("review", cls=UsualGroup, usual="open")
def command() -> None:
    """Review a manifest in the FiftyOne App; `pull` writes the decisions to its ledger.

    \b
    ferdata review manifests/merged.parquet
    ferdata review pull manifests/merged.parquet
    ferdata review apply other.parquet --ledger manifests/decisions.jsonl
    ferdata review --list
    """


@command.command("open")
@click.argument("manifest", type=FILE, required=False)
@option(review, "--predictions", type=FILE, help="A run's predictions.parquet: shown beside the labels.")
@option(review, "--features", type=FILE, help="Feature vectors by sample_id (Parquet or .npz), for an embedding plot.")
@option(review, "--umap", help="Use UMAP for the plot, which takes minutes, in place of principal components.")
@option(
    review, "--ids", type=FILE, help="A CSV file with a column sample_id: a saved view of these rows, in its order."
)
@option(review, "--by", help="The reviewer's name [default: FERDATA_REVIEWER, else your user name].")
@option(review, "--port", type=click.IntRange(1, 65535), help="Port of the App [default: 5151].")
@option(review, "--address", help="Address of the App; any other than the default lets other machines see the faces.")
@option(review, "--browser/--no-browser", help="Open the App in a browser.")
@option(review, "--app/--no-app", help="Open the App; --no-app only loads the manifest into FiftyOne.")
@click.option("--list", "listing", is_flag=True, help="List the manifests that are in FiftyOne, and exit.")
@click.option("--delete", "name", help="Delete this dataset from FiftyOne, and exit; the manifest stays.")
@click.option("--force", is_flag=True, help="With --delete: also where decisions were not pulled.")
@json_option
def show(manifest: Path | None, listing: bool, name: str | None, force: bool, as_json: bool, **given: object) -> int:
    """Open a manifest in the App (`open` may be left out); Ctrl-C ends it.

    \b
    ferdata review manifests/merged.parquet --predictions runs/first/predictions.parquet
    ferdata review --delete merged-1a2b3c
    """  # fmt: skip
    if listing or name is not None:
        refuse_idle(("manifest", *given), "not used with --list or --delete, which do not open the App")
    if name is None:
        refuse_idle(("force",), "used only with --delete")
    if not given["app"]:
        refuse_idle(("port", "address", "browser"), "not used with --no-app, which does not open the App")
    if not given["features"]:
        refuse_idle(("umap",), "used only with --features, which makes the embedding plot")
    if listing:
        return listed(as_json)
    if name is not None:
        gone = delete(name, force)
        if as_json:
            print_json({"deleted": gone.name, "samples": gone.samples, "lost": gone.lost})
        else:
            lost = f"; decisions that were not pulled, on {gone.lost:,} of its pictures, are lost" if gone.lost else ""
            echo(f"{gone.name}: {gone.samples:,} samples{lost}")
        return DONE
    if manifest is None:
        raise click.UsageError("Name a manifest: ferdata review manifests/merged.parquet")
    waiting = review(
        manifest, announce=lambda pushed, url: report_loaded(pushed, url, manifest, as_json), **given  # type: ignore[arg-type]
    )  # fmt: skip
    if given["app"] and not as_json:
        decided = (
            f"To pull, decisions on {waiting:,} of its pictures: ferdata review pull {manifest}"
            if waiting
            else "Nothing to pull."
        )
        echo(f"\nClosed. {decided}")
    return DONE


def report_loaded(pushed: Pushed, url: str | None, manifest: Path, as_json: bool) -> None:
    """Print what is in the App, and where it is."""
    if as_json:
        plain = {k: v for k, v in vars(pushed).items() if k != "held"}
        print_json(plain | {"url": url})
        return
    moves = {"added": pushed.added, "updated": pushed.updated, "removed": pushed.removed}
    facts(
        {
            "dataset": pushed.name,
            "rows": f"{pushed.shown:,} shown ({by_reason({k: v for k, v in moves.items() if v}) or 'unchanged'})",
            "not shown": f"{pushed.without_picture:,} rows whose picture is missing"
            if pushed.without_picture
            else None,
            "to look at": by_reason(pushed.findings) or None,
            "views": ", ".join(pushed.views),
            "not pulled": f"decisions on {pushed.waiting:,} of its pictures" if pushed.waiting else None,
            "not applied": f"{pushed.not_applied:,} rows lack what the ledger says of them: "
            f"ferdata review apply {manifest}"
            if pushed.not_applied
            else None,
            "App": f"{url} (Ctrl-C ends it)" if url else None,
        }
    )
    echo(f"\nNext: ferdata review pull {manifest}", dim=True)


def listed(as_json: bool) -> int:
    """Print what of ours is in FiftyOne."""
    found = datasets()
    if as_json:
        print_json(found)
        return DONE
    rows = [(d.name, d.manifest, "yes" if d.there else "gone", d.samples, d.decided, d.waiting) for d in found]
    table("In FiftyOne", ("name", "manifest", "there", "samples", "decided", "to pull"), rows, text=3)
    return DONE


@command.command("pull")
@click.argument("manifest", type=FILE)
@option(pull, "--ledger", type=FILE, help="The ledger [default: decisions.jsonl beside the manifest].")
@option(pull, "--by", help="Who edited in the Annotate tab [default: the reviewer who opened the App].")
@option(pull, "--resolve", type=click.Choice(RULES), help="Whose decision counts where reviewers disagree.")
@json_option
def take_back(manifest: Path, ledger: Path | None, by: str | None, resolve: str, as_json: bool) -> int:
    """Append the App's decisions to the ledger, and apply it. Exit code 3 if something is left open.

    \b
    ferdata review pull manifests/merged.parquet
    """
    result = pull(manifest, ledger=ledger, by=by, resolve=resolve, ask=asking(resolve, as_json))
    if as_json:
        print_json(result)
    else:
        report_pull(result, manifest)
    return FINDINGS if result.strange or (result.applied and result.applied.open) else DONE


@command.command("apply")
@click.argument("manifest", type=FILE)
@option(
    apply,
    "--ledger",
    type=FILE,
    multiple=True,
    help="A ledger; repeat for more [default: decisions.jsonl beside the manifest].",
)
@option(apply, "-o", "--out", type=FILE, help="The manifest to write [default: MANIFEST itself].")
@option(apply, "--resolve", type=click.Choice(RULES), help="Whose decision counts where reviewers disagree.")
@option(apply, "--force", help="Replace an existing --out.")
@json_option
def put(manifest: Path, ledger: tuple[Path, ...], out: Path | None, resolve: str, force: bool, as_json: bool) -> int:
    """Apply ledgers to a manifest with the same pictures. Exit code 3 if reviewers still disagree.

    \b
    ferdata review apply rafdb.parquet --ledger anna.jsonl --ledger ben.jsonl --resolve majority
    """
    result = apply(
        manifest, ledger=ledger, out=out, resolve=resolve, ask=asking(resolve, as_json), force=force
    )  # fmt: skip
    if as_json:
        print_json(result)
    else:
        report(result)
    return FINDINGS if result.open else DONE


@command.command("export")
@click.argument("manifest", type=FILE)
@option(export, "-o", "--out", type=FILE, help="The CSV file to write.")
@option(
    export, "--only", type=click.Choice(ONLY), help="Only rows with this finding, or only those without a decision."
)
@option(export, "--force", help="Replace an existing file.")
@json_option
def write(manifest: Path, out: Path, only: str, force: bool, as_json: bool) -> None:
    """Write a CSV file to fill in, to review without FiftyOne.

    \b
    ferdata review export manifests/merged.parquet -o review.csv --only conflict
    """
    result = export(manifest, out=out, only=only, force=force)
    if as_json:
        print_json(result)
        return
    prose(
        f"{result.rows:,} rows in {result.out}: fill in `new` ({', '.join(WORDS.values())}; "
        f"or {UNDO[0]}, which takes back what you decided), and `note`."
    )
    echo(f"\nNext: ferdata review import {manifest} {result.out}", dim=True)


@command.command("import")
@click.argument("manifest", type=FILE)
@click.argument("sheet", type=FILE)
@option(import_sheet, "--ledger", type=FILE, help="The ledger [default: decisions.jsonl beside the manifest].")
@option(import_sheet, "--by", help="Who filled it in [default: FERDATA_REVIEWER, else your user name].")
@option(import_sheet, "--resolve", type=click.Choice(RULES), help="Whose decision counts where reviewers disagree.")
@json_option
def fill(manifest: Path, sheet: Path, ledger: Path | None, by: str | None, resolve: str, as_json: bool) -> int:
    """Add a filled-in CSV file to the ledger, and apply it.

    \b
    ferdata review import manifests/merged.parquet review.csv --by anna
    """
    result = import_sheet(manifest, sheet, ledger=ledger, by=by, resolve=resolve, ask=asking(resolve, as_json))
    if as_json:
        print_json(result)
    else:
        report_import(result, reviewer(by))
        if result.applied:
            report(result.applied)
    return FINDINGS if result.applied and result.applied.open else DONE


def report_import(result: Imported, who: str) -> None:
    """Print what a sheet held, and what of it was new."""
    same = result.filled - result.new
    facts(
        {
            "sheet": f"{result.lines:,} lines, {result.filled:,} filled in",
            "ledger": result.ledger,
            "new decisions": result.new,
            "nothing new": f"{same:,} lines: {printable(who)} has already decided so, or has nothing to take back there"
            if same
            else None,
        }
    )


def asking(resolve: str, as_json: bool) -> Ask | None:
    """Return what asks for each dispute, where somebody sits at a terminal; None where nobody does."""
    if resolve != "ask" or as_json or not sys.stdin.isatty():
        return None
    return ask


def ask(dispute: Dispute) -> Decision | None:
    """Ask who is right; an empty answer leaves it open."""
    first = dispute.decisions[0]
    echo(f"\n{printable(first.sample_id)}, picture {first.pixel_hash}")
    for decision in dispute.decisions:
        note = f": {printable(decision.note)}" if decision.note else ""
        echo(f"  {printable(decision.by)} ({decision.at[:10]}) says {word(decision.new)}{note}")
    while True:
        answer = click.prompt("What is it? (nothing: leave it open)", default="", show_default=False)
        try:
            new = canonical(answer)
        except UnknownLabel as error:
            echo(error, err=True)
            continue
        return end_dispute(dispute, new, reviewer()) if new else None


def word(label: str | None) -> str:
    """Return what a decision is called in front of people."""
    return WORDS.get(label, label) if label else "no label"


def report_pull(result: Pulled, manifest: Path) -> None:
    """Print what came back, and what is left in the App."""
    kinds = {"relabelled": result.relabelled, "confirmed": result.confirmed, "taken back": result.withdrawn}
    facts(
        {
            "new decisions": f"{result.new:,} ({by_reason({k: v for k, v in kinds.items() if v})})"
            if result.new
            else 0,
            "not in this manifest": f"{result.unknown:,} pictures, kept in the ledger" if result.unknown else None,
            "ledger": result.ledger,
        }
    )
    for strange in result.strange[:10]:
        prose(f"no decision: {printable(strange.sample_id)}: {strange.why}", err=True)
    if result.strange:
        prose(f"{len(result.strange):,} are left in the App: choose another label there, and pull again.", err=True)
    if result.applied:
        report(result.applied)
    if result.stale:
        echo(f"\nFiftyOne shows an older version of this manifest: ferdata review {manifest}")


def report(result: Applied) -> None:
    """Print what the ledgers did to a manifest."""
    without = {word(k): v for k, v in result.without.items()}
    facts(
        {
            "decisions": f"{result.decisions:,} on {result.pictures:,} pictures",
            "reviewed rows": f"{result.reviewed:,} of {result.rows:,}",
            "changed": f"{result.changed:,} rows have another target now",
            "without target": by_reason(without) if without else None,
            "other pictures": f"{result.elsewhere:,} that this manifest does not hold" if result.elsewhere else None,
            "reviewers": agreed(result.agreement),
            "disagreements": f"{result.disputed:,} pictures, {len(result.open):,} left open"
            if result.disputed
            else None,
            "manifest": f"{result.out}{'' if result.written else ', unchanged'}",
            "fingerprint": result.fingerprint,
        }
    )
    if result.open:
        prose(
            "\nLeft open, with the published label: ferdata review apply with --resolve latest, or ask at a terminal."
        )


def agreed(agreement: Agreement) -> str | None:
    """Return how far reviewers agree, in a line."""
    if not agreement.pictures or agreement.share is None:
        return None
    kappa = "not defined" if agreement.kappa is None else f"{agreement.kappa:.3f}"
    who = ", ".join(map(printable, agreement.reviewers))
    share = f"{100 * agreement.share:.1f} % agreement on {agreement.pictures:,} pictures"
    return f"{who}: {share}, {agreement.measure} {kappa}"
