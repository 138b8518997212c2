"""`ferdata audit M [-o OUT]`."""

import inspect
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import click

from ferdata.auditing.catalogue import CATALOGUE
from ferdata.cli import DONE, FINDINGS
from ferdata.cli.groups import GroupedCommand, under
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import by_reason, facts, print_json, table
from ferdata.cli.pipes import say
from ferdata.errors import listed
from ferdata.steps.audit import DETECT, Audited, Outcome, audit, check

FILE = click.Path(path_type=Path)
SHOWN = 3  # parts by name


def names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:  # noqa: ARG001
    """Return the words between the commas."""
    return tuple(word.strip() for word in (value or "").split(",") if word.strip())


EPILOG = "\b\nFindings, and the usual threshold of each:\n" + "\n".join(
    f"  {f.name:<18} {f.holds(f.threshold)}" for f in CATALOGUE
)


@click.command("audit", cls=GroupedCommand, epilog=EPILOG)
@click.argument("manifest", type=FILE)
@under(
    "Output",
    option(audit, "-o", "--out", type=FILE, help="Write the manifest with `issues` and `label_quality`."),
    option(
        audit,
        "--report",
        type=FILE,
        help="An HTML page of the findings, with pictures [default: beside --out, as .html].",
    ),
    option(audit, "--thumbnails", type=click.IntRange(0), help="Pictures of each finding on the page, at most."),
    click.option(
        "--fail-on", callback=names, metavar="NAMES", help="Exit with 3 if one of these is found: leak,unreadable."
    ),
    option(audit, "--force", help="Replace existing files."),
)
@under(
    "Checks",
    option(
        audit,
        "--threshold",
        multiple=True,
        metavar="NAME=VALUE",
        help="Threshold of a finding: blurred=0.2. May be repeated.",
    ),
    option(
        audit, "--detect", type=click.Choice(DETECT), help="Face detector, for no_face, several_faces and small_face."
    ),
    option(
        audit,
        "--model",
        type=FILE,
        help="YuNet's model file [default: FERDATA_YUNET, else the cached one, downloaded once: 230 KB].",
    ),
    option(
        audit, "--pixels/--no-pixels", help="Read every image again; without it, only what ingest measured is used."
    ),
    option(audit, "--workers", type=click.IntRange(1), help="Worker processes [default: one per core]."),
)
@under(
    "Suspect labels",
    option(
        audit,
        "--predictions",
        type=FILE,
        help="Out-of-fold predictions, made by models that were not trained on the rows (Parquet).",
    ),
    click.option("--fit", is_flag=True, help="Train models for it, one per fold, each on the other folds."),
    click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="Number of folds."),
    click.option("--recipe", default="default", show_default=True, help="Recipe, as in ferdata train."),
    click.option("--backbone", help="Backbone [default: the recipe's]."),
    click.option("--epochs", type=click.IntRange(1), help="Epochs of each model [default: the recipe's, else 8]."),
    click.option(
        "--set", "options", multiple=True, metavar="KEY=VALUE", help="Any option of the recipe. May be repeated."
    ),
    click.option("--device", help="Device [default: the best there is]."),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of folds, weights and augmentation."),
    click.option("--save-predictions", type=FILE, help="Save their predictions, for --predictions."),
)
@json_option
def command(manifest: Path, as_json: bool, fail_on: tuple[str, ...], **given: Any) -> int:
    """Find problems in images, labels and splits.

    \b
    ferdata audit manifests/merged.parquet --fail-on leak,unreadable
    ferdata audit manifests/merged.parquet -o manifests/audited.parquet --detect yunet
    ferdata audit manifests/merged.parquet -o manifests/audited.parquet --fit --save-predictions said.parquet
    """  # fmt: skip
    fit = {k: given.pop(k) for k in ("folds", "recipe", "backbone", "epochs", "options", "device", "seed")}
    wanted, kept = given.pop("fit"), given.pop("save_predictions")
    if wanted and given["predictions"]:
        raise click.UsageError("--predictions and --fit are both predictions: give one of them.")
    if kept and not wanted:
        raise click.UsageError("--save-predictions saves those of --fit: add --fit.")
    if not wanted:
        refuse_idle(fit, "for the models of --fit alone; add --fit")
    if not given["out"] and not given["report"]:
        refuse_idle(("thumbnails", "force"), "for what is written; add --out or --report")
    if not given["pixels"]:
        refuse_idle(("workers",), "with --no-pixels there is nothing to share out")
    with tempfile.TemporaryDirectory(prefix="ferdata-") as folder:
        if wanted:
            early = inspect.signature(check).parameters.keys() & given.keys()
            check(manifest, fail_on=fail_on, **{name: given[name] for name in early})
            given["predictions"] = fitted(manifest, kept or Path(folder) / "predictions.parquet", fit, as_json)
        result = audit(manifest, fail_on=fail_on, **given)
    if as_json:
        print_json(result)
    else:
        report(result, bool(given["predictions"]))
    return FINDINGS if result.failed else DONE


def fitted(manifest: Path, to: Path, options: dict[str, Any], quiet: bool) -> Path:
    """Train the models, and return the file of their predictions."""
    from zoo.experiments.out_of_fold import out_of_fold

    out_of_fold(manifest, save=to, say=partial(say, err=quiet), **options)
    return to


def report(result: Audited, predicted: bool) -> None:
    """Print every finding, what was not checked, and where it is written."""
    for about, title in (("image", "Images"), ("label", "Labels"), ("set", "Splits and set")):
        looked = [o for o in result.findings if o.about == about and o.of]
        rows = [(o.name, o.rule, o.count, o.of, number(o.worst), _where(o)) for o in looked]
        table(title, ("finding", "rule", "found", "of", "worst", "where"), rows, text=2)
    unseen = [o.name for o in result.findings if not o.of]
    facts(
        {
            "rows": result.rows,
            "not checked": ", ".join(unseen) or None,
            "wrong labels": f"about {result.noise:.1%} (confident learning)" if result.noise is not None else None,
            "unreadable at ingest": by_reason(result.rejected) or None,
            "failed on": ", ".join(result.failed) or None,
            "manifest": result.out,
            "report": result.report,
            "fingerprint": result.fingerprint,
        }
    )
    if not predicted:
        prose("\nSuspect labels need predictions: add --fit (it trains models), or --predictions FILE.")
    if result.report:
        # An address, since macOS opens no plain path that way.
        address = result.report.resolve().as_uri()
        echo(
            f"\nNext: look at {result.report}\n  python -m webbrowser {address}",
            dim=True,
        )


def number(value: float | None) -> str:
    """Return a score as it stands in a table."""
    return "-" if value is None else f"{value:.3g}"


def _where(outcome: Outcome) -> str:
    above = next(f.above for f in CATALOGUE if f.name == outcome.name)
    hits = {n: v for n, v in outcome.parts.items() if (v > outcome.threshold if above else v < outcome.threshold)}
    worst = sorted(hits.items(), key=lambda item: -item[1] if above else item[1])
    return listed((f"{name} ({number(value)})" for name, value in worst), SHOWN)
