"""`ferdata evaluate RUN`, `ferdata evaluate --predictions FILE --manifest M`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ferdata.charts.lettering import key
from ferdata.charts.style import FORMATS
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option, refuse_idle
from ferdata.cli.output import facts, print_json, table
from ferdata.errors import listed
from ferdata.schema import SPLITS
from zoo.evaluation import ceilings
from zoo.evaluation.calibration import in_brackets
from zoo.evaluation.evaluate import chart_files, evaluate, saved_as
from zoo.evaluation.inference import TTA
from zoo.evaluation.metrics import CALLED, HEADLINES
from zoo.run.device import DEVICES

VIEWS = {"none": "one", "flip": "the face and its mirror image", "ten-crop": "ten crops"}


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@option(
    evaluate,
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="In place of a run: a model trained elsewhere, by a table (CSV or Parquet) with a column path, pixel_hash or "
    "sample_id, and one of probabilities for each class.",
)
@option(evaluate, "--manifest", type=click.Path(path_type=Path), help="Another manifest [default: the one trained on].")
@option(evaluate, "--split", type=click.Choice((*SPLITS, "all")), help="all: every labelled row.")
@option(evaluate, "--dataset", metavar="NAME", help="Keep to one dataset.")
@option(evaluate, "--shared", help="With --predictions: judge the rows of the split that FILE has.")
@option(evaluate, "--tta", type=click.Choice(TTA), help="Average several views of a face [default: as the run did].")
@option(evaluate, "--bootstrap", type=click.IntRange(1), help="Draws that the intervals come from.")
@option(evaluate, "--device", type=click.Choice(DEVICES), help="Where to compute.")
@option(evaluate, "--save", help="Write evaluation-SPLIT.json into the run, or beside FILE.")
@option(
    evaluate,
    "--save-predictions",
    type=click.Path(path_type=Path),
    metavar="F.parquet",
    help="Write every row's probabilities.",
)
@option(
    evaluate,
    "--plots",
    type=click.Choice(FORMATS),
    multiple=True,
    help="Write the charts into the run, or beside FILE, in this format; may be repeated.",
)
@option(evaluate, "--force", help="Replace earlier files of --save, --save-predictions and --plots.")
@json_option
def command(run: Path | None, as_json: bool, **given: Any) -> None:
    """Score a trained run on a split: by class, by dataset, by age and the like, with intervals.

    \b
    ferdata evaluate runs/first
    ferdata evaluate runs/first --manifest manifests/ckplus.parquet --split all
    ferdata evaluate runs/first --tta ten-crop --save-predictions first.parquet
    ferdata evaluate runs/first --plots pdf
    ferdata evaluate --predictions keras.csv --manifest manifests/merged.parquet
    """  # fmt: skip
    if not given["save"] and not given["save_predictions"] and not given["plots"]:
        refuse_idle(("force",), "nothing is written without --save, --save-predictions or --plots")
    if given["predictions"] is None:
        refuse_idle(("shared",), "a run is scored on every row; it goes with --predictions")
    else:
        refuse_idle(("tta", "device"), "nothing is computed from a table of predictions; leave it out")
    result = evaluate(run, **given)
    if as_json:
        print_json(result)
        return
    judged = run or given["predictions"]
    report(judged, result)
    saved = (saved_as(judged, given["split"]) if given["save"] else None, given["save_predictions"])
    drawn = chart_files(judged, given["split"], given["plots"])
    curves = [path for form in given["plots"] if (path := judged / f"curves.{form}").is_file()]
    for path in filter(None, (*saved, *drawn, *curves)):
        echo(path)
    if drawn and (numbers := key(result["classes"])):
        echo(numbers)


def report(judged: Path, r: dict[str, Any]) -> None:
    """Print an evaluation's figures, over all, by class, and by part."""
    protocol = r["protocol"]
    kind = _of_adopted if "adopted" in protocol else _of_table if "table" in protocol else _of_run
    what = kind(judged, r)
    where = f"{protocol['manifest']} ({protocol['fingerprint'][:8]}), split {protocol['split']}"
    first, *rest = what.items()
    facts(dict((first, ("manifest", f"{where} by {protocol['split_source']}"), *rest)))
    echo()
    by_class(r)
    if len(r["by_dataset"]) > 1:
        by_part("dataset", r["by_dataset"])
    for name, parts in r["by_person"].items():
        by_part(name, parts)
    confusion(r)
    headlines(r, f"{protocol['split'].capitalize()}, {r['n']:,} images")


def _of_run(run: Path, r: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a run that was scored."""
    protocol = r["protocol"]
    shared = protocol["leak_check"]["shared_with_train"]
    return {
        "run": run,
        "views": VIEWS[protocol["tta"]],
        "note": None if protocol["run_finished"] else "this run was interrupted before its end: not its final weights",
        "manifest now": None if protocol["same_manifest_as_training"] else "not the one trained on",
        "seen in training": "not known" if shared is None else f"{shared:,} of {r['n']:,} images",
    }


def _of_table(path: Path, r: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a model trained elsewhere: how its table was read, and what cannot be known."""
    t = r["protocol"]["table"]
    others, strange, lacking = t["lines_of_other_rows"], t["lines_of_no_row"], t["rows_lacking"]
    return {
        "predictions": path,
        "rows": f"{r['n']:,} of {r['n'] + lacking:,}, by the column {t['matched_by']}"
        + (f"; {lacking:,} have no prediction, and may be harder than those that do" if lacking else ""),
        "other lines": f"{others:,} about rows of other splits, or without a label" if others else None,
        "unknown": f"{strange:,} lines about no row of the manifest, such as {listed(t['of_no_row'])}"
        if strange
        else None,
        **_classes_read(r, "no column in the table"),
        "columns ignored": listed(t["columns_ignored"]) if t["columns_ignored"] else None,
        "trained on": "not known, so that a leak cannot be excluded",
        "temperature": "none: probabilities as the table has them",
    }


def _of_adopted(run: Path, r: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a model that was adopted: how its classes were read, and what cannot be known."""
    model = r["protocol"]["adopted"]
    return {
        "run": f"{run}, adopted from {model['file']}",
        "views": VIEWS[r["protocol"]["tta"]],
        **_classes_read(r, "no output of the model"),
        "trained on": "not known, so that a leak cannot be excluded",
        "terms": model["terms"],
        "reading": "\n".join(r["reading_check"]["in_words"]) if r["reading_check"] else None,
    }


def _classes_read(r: dict[str, Any], why: str) -> dict[str, Any]:
    """Return how the answers of a model trained elsewhere were brought to the manifest's classes.

    `why` says what a class lacks that it never answers.
    """
    t = r["protocol"]["table"]
    renamed = [f"{column} as {name}" for column, name in t["columns"].items() if column != name]
    unanswered = any(r["per_class"][name]["n"] for name in t["classes_lacking"])
    left = [f"{column} ({mean:.2%} of the probability)" for column, mean in t["left_out"].items()]
    return {
        "classes read": listed(renamed, 12) if renamed else None,
        "left out": f"{listed(left)}: no class here. It was the most probable in {t['left_out_most_probable']:,} "
        "rows; the others are divided by their sum"
        if left
        else None,
        "never answered": listed(f"{name} ({r['per_class'][name]['n']:,} images)" for name in t["classes_lacking"])
        + f": {why}"
        + (", so that each of these images counts as wrong" if unanswered else "")
        if t["classes_lacking"]
        else None,
    }


def folds_report(path: Path, r: dict[str, Any], plots: Sequence[str] = ()) -> None:
    """Print what cross-validation came to: each fold, the mean over them, and all rows pooled."""
    echo()
    rows = [(f["fold"], f["n"], *(share(f[name]) for name in HEADLINES)) for f in r["folds"]]
    table("By fold", ("fold", "images", *(CALLED[name] for name in HEADLINES)), rows)
    means = [(CALLED[name], share(m["mean"], 2), between(m["interval"], 2)) for name, m in r["mean"].items()]
    table(f"Mean over {len(r['folds'])} folds", ("figure", "mean", "95 % interval"), means, r["protocol"]["note"])
    headlines(r, f"All folds pooled, {r['n']:,} images")
    charts = [f"{name}.{form}" for form in ("png", *plots) for name in ("folds", "confusion", "classes")]
    for name in ("report.json", *charts):
        echo(path / name)
    if numbers := key(r["classes"]):
        echo(numbers)


def share(value: float | None, digits: int = 1) -> str | None:
    """Return a share in per cent; None stays None."""
    return None if value is None else f"{value:.{digits}%}"


def between(interval: Sequence[float] | None, digits: int = 1) -> str | None:
    """Return an interval of shares in words; None stays None."""
    return None if interval is None else f"{interval[0]:.{digits}%} to {interval[1]:.{digits}%}"


def by_class(r: dict[str, Any]) -> None:
    """Print each class's figures."""
    rows = [
        (
            *(name, c["n"], share(c["recall"]), between(c["intervals"]["recall"])),
            *(share(c["precision"]), share(c["f1"]), between(c["intervals"]["f1"]), c["auc"]),
        )
        for name, c in r["per_class"].items()
    ]
    names = ("class", "images", "recall", "95 % interval", "precision", "F1", "95 % interval", "AUC")
    why = "AUC: area below the ROC curve, one class against the rest"
    if any(c["auc"] is None for c in r["per_class"].values()):
        why += "; none (-) where no image is of the class, or all are"
    table("By class", names, rows, f"{why}.")


def by_part(column: str, parts: dict[str, dict[str, Any]]) -> None:
    """Print the figures of each word of a column; those with little support are marked."""
    rows = [
        (
            *(name, d["n"], d["units"], share(d["accuracy"]), between(d["intervals"]["accuracy"])),
            *(share(d["macro_f1"]), between(d["intervals"]["macro_f1"]), "few" if d["small"] else ""),
        )
        for name, d in parts.items()
    ]
    names = (column, "images", "groups", "accuracy", "95 % interval", "macro-F1", "95 % interval", "")
    few = any(d["small"] for d in parts.values())
    table(
        f"By {column}",
        names,
        rows,
        "few: below 30 images or 10 groups, too few to conclude anything from" if few else "",
    )


def confusion(r: dict[str, Any]) -> None:
    """Print the confusion matrix: true classes down, predicted ones across."""
    rows = [(name, *counts) for name, counts in zip(r["classes"], r["confusion"], strict=True)]
    table("Confusion matrix: true class down, predicted across", ("", *(name[:9] for name in r["classes"])), rows)


def headlines(r: dict[str, Any], title: str) -> None:
    """Print the headline figures of a report, with their intervals."""
    spread, calibration = r["confidence_intervals"], r["calibration"]
    rows = [(CALLED[name], share(r[name], 2), between(spread[name], 2)) for name in HEADLINES]
    rows.append((CALLED["top2_accuracy"], share(r["top2_accuracy"], 2), between(spread["top2_accuracy"], 2)))
    rows.append((CALLED["macro_auc"], r["macro_auc"], _plain(spread["macro_auc"])))
    rows.append((CALLED["majority_share"], share(r["baseline"]["majority_share"], 2), None))
    rows += [(words, share(figure, 2), between(spread, 2)) for words, figure, spread in ceilings.lines(r)]
    ece = f"{CALLED['ece']}{in_brackets(calibration, 2)}"
    rows.append((ece, share(r["ece"], 2), between(calibration["intervals"]["ece"], 2)))
    rows.append((CALLED["log_loss"], f"{r['log_loss']:.3f}", _plain(calibration["intervals"]["log_loss"])))
    if voters := r.get("voters"):
        rows += [
            (CALLED[name], f"{voters[name]:.3f}", _plain(voters["intervals"][name]))
            for name in ("total_variation", "kl")
        ]
    drawn = r["bootstrap"]
    table(
        title,
        ("figure", "value", "95 % interval"),
        rows,
        f"Intervals: {drawn['draws']:,} bootstrap draws of {drawn['units']:,} {drawn['unit']}. "
        f"ECE: expected calibration error, {calibration['bins']} bins of equal width.",
    )
    for warning in (r["caution"], r.get("above_ceiling")):
        if warning:
            prose(f"{warning}\n")


def _plain(interval: Sequence[float] | None) -> str | None:
    return None if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
