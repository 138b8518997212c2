"""Cross-validation: every fold of a manifest is tested once, by a net that has not seen it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ferdata.charts import style
from ferdata.charts.style import check_formats
from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.running.whole_file import write_whole
from zoo.evaluation import calibration, charts, confidence, metrics, predictions
from zoo.evaluation.caution import caution
from zoo.evaluation.predictions import Predictions
from zoo.evaluation.report import as_json
from zoo.experiments import run_or_reuse
from zoo.training.train import default_out, train

NOTE = (
    "The trainings share most of their images, so that Student's interval over folds is a little too narrow "
    "(Bengio and Grandvalet 2004); the pooled one holds the choice of images, not that of the training."
)


@dataclass(frozen=True)
class Folds:
    """A finished cross-validation: its folder, and what its `report.json` says."""

    path: Path
    report: dict[str, Any]


def cross_validate(
    manifest: str | Path,
    out: str | Path | None = None,
    recipe: str = "default",
    options: run_or_reuse.Options = (),
    dry_run: bool = False,
    force: bool = False,
    plots: Sequence[str] = (),
    roots: Mapping[str, Path] | None = None,
    say: Callable[[str], None] | None = None,
    **named: Any,
) -> Folds:
    """Train once for each fold of `manifest` (column `fold`, of `ferdata split --folds 10` or loso) and pool the tests.

    Takes what `zoo.training.train.train` takes but `fold` and `resume`: a time limit is each fold's. Each has a run of
    its own, `out`/fold-03; the same call goes on where it was stopped, and keeps the folds that are finished. Writes
    `report.json` (each fold, mean with Student's interval, and the figures of all rows pooled, with a bootstrap by
    subject), `predictions.parquet`, and the charts `folds`, `confusion` and `classes`, as PNG and in the formats
    `plots`, pdf or svg. `dry_run` is that of the first
    fold. Raises BadOption for a manifest without folds, AlreadyExists for folds of other options, unless `force`.
    """
    check_formats(plots)
    path = Path(manifest)
    known = folds_of(Manifest(path))
    folder = Path(out or f"{default_out(manifest, recipe, named)}-folds")
    tell = say or (lambda _: None)
    if dry_run:  # beside the folder, so that finished folds are no hindrance; nothing is written
        beside = folder.with_name(f"{folder.name}-{_name(known[0], known)}")
        first = train(path, beside, recipe, options, fold=known[0], dry_run=True, roots=roots, say=say, **named)
        return Folds(folder, first.report)
    reports: dict[int, dict[str, Any]] = {}
    for number, fold in enumerate(known, 1):
        place = folder / _name(fold, known)
        try:
            run, kept = run_or_reuse.once(path, place, recipe, options, {**named, "fold": fold}, force, roots, say)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{len(reports)} of {len(known)} folds are finished; the same command goes on."
            ) from None
        reports[fold] = run.report
        figures = f"accuracy {run.report['accuracy']:.2%}, macro-F1 {run.report['macro_f1']:.2%}"
        tell(f"fold {fold} ({number} of {len(known)}){', kept' if kept else ''}: {figures}")
    return _pool(folder, Manifest(path), known, reports, plots)


def folds_of(manifest: Manifest) -> list[int]:
    """Return the numbers of the folds. Raises BadOption for fewer than three: one to test on, one to choose on."""
    found = sorted(pc.unique(manifest.table("fold")["fold"].drop_null()).to_pylist())
    if len(found) < 3:
        raise BadOption(
            f"{manifest.path} has {len(found)} folds, where cross-validation needs 3 or more: one to test on, one to "
            "choose on, and others to learn from.",
            f"Make folds: ferdata split {manifest.path} --folds 10 -o folds.parquet",
        )
    return found


def _name(fold: int, known: list[int]) -> str:
    return f"fold-{fold:0{max(2, len(str(known[-1])))}}"


def _pool(
    folder: Path, manifest: Manifest, known: list[int], reports: Mapping[int, dict[str, Any]], plots: Sequence[str]
) -> Folds:
    """Join the tests of all folds, and write what they come to."""
    each = [predictions.read(folder / _name(fold, known) / predictions.NAME) for fold in known]
    pooled = predictions.join([part.at(np.flatnonzero(part.split == "test")) for part in each])
    report = summary(manifest, pooled, known, reports)
    predictions.save(folder / predictions.NAME, pooled)
    taxonomy = manifest.taxonomy.as_dict()
    drawn = {
        "folds": partial(_means, report, folder),
        "confusion": partial(charts.confusion, report, folder),
        "classes": partial(charts.per_class, report, taxonomy, folder),
    }
    style.write(folder, drawn, ("png", *plots))
    write_whole(folder / "report.json", as_json(report))
    return Folds(folder, report)


def summary(
    manifest: Manifest, pooled: Predictions, known: list[int], reports: Mapping[int, dict[str, Any]]
) -> dict[str, Any]:
    """Return the report of folds: the pooled figures in the form of a run's, each fold, and the mean over folds."""
    report = metrics.score(pooled.probabilities, pooled.true, pooled.classes, pooled.clusters)
    # Each fold's temperature has been applied; there is no other to tell of.
    report["calibration"] = {
        **calibration.before_and_after(pooled.probabilities, pooled.true, 1.0),
        "intervals": report.pop("calibration_intervals"),
    }
    report["baseline"] = {"majority_share": float(np.bincount(pooled.true).max() / len(pooled))}
    report["folds"] = [
        {"fold": fold, "n": reports[fold]["n"], **{name: reports[fold][name] for name in metrics.HEADLINES}}
        for fold in known
    ]
    report["mean"] = {}
    for name in metrics.HEADLINES:
        mean, interval = confidence.student([row[name] for row in report["folds"]])
        report["mean"][name] = {"mean": mean, "interval": interval}
    first = reports[known[0]]
    leaks = [one["protocol"].get("leak_check") or {} for one in reports.values()]
    report["protocol"] = {
        **{key: first["protocol"][key] for key in ("taxonomy", "selection", "tta", "precision")},
        "manifest": str(manifest.path),
        "fingerprint": manifest.fingerprint,
        "split": "test",
        "split_source": "fold",
        "folds": len(known),
        "leak_check": {
            key: sum(leak.get(key) or 0 for leak in leaks) for key in ("val_in_train", "test_in_train", "test_in_val")
        },
        "note": NOTE,
    }
    report["caution"] = caution(report)
    report["backbone"] = first["backbone"]
    report["parameters"] = first.get("parameters")
    return report


def _means(report: dict[str, Any], folder: Path, form: str) -> bytes:
    names = [metrics.CALLED[name] for name in metrics.HEADLINES]
    single = [[row[name] for row in report["folds"]] for name in metrics.HEADLINES]
    means = [report["mean"][name] for name in metrics.HEADLINES]
    head = f"{charts.name_of(folder)}: test, n = {report['n']:,}, {len(report['folds'])} folds"
    label = "a dot: one fold; a diamond: their mean, with its 95 % interval"
    return charts.spread(names, single, [m["mean"] for m in means], [m["interval"] for m in means], head, label, form)
