"""What a run says of itself: the figures of `report.json`, its charts, and the files that both go to."""

import csv
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ferdata.charts import style
from ferdata.charts.style import Chart
from ferdata.errors import AlreadyExists, BrokenRun
from ferdata.running.plain_file import read_plain
from ferdata.running.whole_file import write_whole
from zoo.data.rows import Images, Rows
from zoo.evaluation import calibration, ceilings, charts, confidence, metrics, roc, subgroups
from zoo.evaluation.caution import caution
from zoo.evaluation.metrics import prior
from zoo.evaluation.model_card import card
from zoo.run import model_file
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder

SPLITTING = ("merge", "split")  # the steps that decide in which split a row is
JUDGED = ("confusion", "classes", "reliability", "roc")  # the charts of a report


def build(
    meta: Meta,
    rows: Rows,
    images: Images,
    probabilities: NDArray[np.float32],
    split: str = "test",
    tta: str | None = None,
    draws: int = confidence.DRAWS,
) -> dict[str, Any]:
    """Return the figures on a split, what knowing the class frequencies alone would give, and how they came about.

    `probabilities` (n, classes) are as `score` gives them at temperature 1; the temperature of `meta` is applied here,
    so that calibration is reported before and after. `tta` is what they were scored with, the run's own unless said.
    Intervals are of `draws` bootstrap draws over groups of images that belong together.
    """
    result = figures(rows, images.where, probabilities, split, meta.temperature, draws)
    result["protocol"] |= {
        "taxonomy": meta.taxonomy["name"],
        "fold": meta.config.get("fold"),
        "selection": _selection(meta.config["select"]),
        "chosen": meta.chosen,
        "tta": meta.tta if tta is None else tta,
        "precision": "32-true",
    }
    result["backbone"] = meta.backbone
    return result


def figures(
    rows: Rows,
    where: NDArray[np.intp],
    probabilities: NDArray[np.float32],
    split: str,
    temperature: float,
    draws: int,
) -> dict[str, Any]:
    """Return what a report says of any answers to the rows at `where`, whoever gave them; the rest as for `build`."""
    hard, classes = rows.hard[where], rows.taxonomy.classes
    known = subgroups.facts(rows.manifest, rows.taxonomy, where)
    calibrated = calibration.apply(probabilities, temperature)
    result = metrics.score(calibrated, hard, classes, known.clusters, draws)
    result["roc"] = roc.curves(calibrated, hard, classes)
    result["calibration"] = {
        **calibration.before_and_after(probabilities, hard, temperature),
        "intervals": result.pop("calibration_intervals"),
        "reliability": metrics.bins(calibrated, hard).tolist(),
    }
    result["voters"] = subgroups.distance(calibrated, known.voters, known.clusters, draws)
    result["baseline"] = prior(torch.from_numpy(hard), len(classes))
    voted = rows.manifest.table("votes", "pixel_hash")
    result["ceilings"] = ceilings.ceilings(voted, where, rows.taxonomy, hard, known.clusters, draws)
    tables = {name: subgroups.by(words, calibrated, hard, known.clusters, draws) for name, words in known.parts.items()}
    result["by_dataset"] = tables.pop("dataset")
    result["by_person"] = {name: table for name, table in tables.items() if table}
    result["protocol"] = {
        "manifest": str(rows.manifest.path),
        "fingerprint": rows.manifest.fingerprint,
        "split": split,
        "split_source": rows.split_source,
        "split_by": _split_by(rows),
        "taxonomy": rows.taxonomy.name,
    }
    result["sources"] = _sources(rows, known.parts["dataset"])
    result["caution"] = caution(result)
    result["above_ceiling"] = ceilings.above(result)
    return result


def _selection(select: str) -> str:
    """Return in words what the checkpoint was chosen by."""
    chosen = "the last epoch, whatever val said" if select == "last" else f"the epoch with the best val {select}"
    return f"{chosen}; test took no part and is scored once, at the end"


def _split_by(rows: Rows) -> dict[str, Any] | None:
    """Return the step that decided on the splits: its name, options and inputs; None for splits as published."""
    lineage = [] if rows.split_source == "official_split" else rows.manifest.metadata["lineage"]
    while lineage:
        made = lineage[-1]
        if made["step"] in SPLITTING:
            inputs = [{key: source[key] for key in ("name", "rows", "fingerprint")} for source in made["inputs"]]
            return {"step": made["step"], "options": made["options"], "inputs": inputs}
        lineage = made["inputs"][0]["lineage"] if made["inputs"] else []  # any other step has one input
    return None


def _sources(rows: Rows, scored: NDArray[np.str_]) -> dict[str, dict[str, Any]]:
    """Return title, terms and citation of each dataset that was trained on or scored."""
    names = rows.table["dataset"].take(np.flatnonzero(rows.hard >= 0))
    used = {*np.unique(scored).tolist(), *names.unique().to_pylist()}
    wanted = ("title", "homepage", "licence", "redistribution", "commercial", "citation", "release")
    return {
        name: {key: source.get(key) for key in wanted} for name, source in rows.manifest.sources.items() if name in used
    }


def write(folder: Folder, meta: Meta, report: dict[str, Any]) -> None:
    """Write `report.json`, its charts and `card.md` of a finished run into its folder."""
    write_whole(folder.report, as_json(report))
    style.write(folder.path, _charts(folder, meta, report), ("png",))
    write_whole(folder.card, card(meta, report))


def draw(run: Path, forms: Sequence[str]) -> list[Path]:
    """Draw the charts of a finished run again, as files of these formats; return where they are."""
    folder = Folder(run)
    return style.write(run, _charts(folder, model_file.read_meta(folder.model), read(folder)), forms) if forms else []


def _charts(folder: Folder, meta: Meta, report: dict[str, Any]) -> dict[str, Chart]:
    return of_training(folder, meta, report["training"]) | of_report(folder.path, meta.taxonomy, report)


def of_training(folder: Folder, meta: Meta, images: Mapping[str, Any]) -> dict[str, Chart]:
    """Return the chart of how a run went, by its name; none where its `history.csv` is gone."""
    if not folder.history.is_file():
        return {}
    with folder.history.open(encoding="utf-8", newline="") as file:
        # A cell is empty where there is nothing to say: precision of a class that was never predicted.
        history = [{name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(file)]
    head = f"{charts.name_of(folder.path)}: train n = {images['n_train']:,}, val n = {images['n_val']:,}"
    return {"curves": partial(charts.curves, history, meta.chosen["epoch"], head)}


def of_report(run: Path, taxonomy: dict[str, Any], report: dict[str, Any], before: str = "") -> dict[str, Chart]:
    """Return the charts of a report on `run`, by their names, which begin with `before`.

    A report of an earlier ferdata has no ROC curves, and no chart of them.
    """
    drawn: tuple[Chart, ...] = (
        partial(charts.confusion, report, run),
        partial(charts.per_class, report, taxonomy, run),
        partial(charts.reliability, report, run),
        partial(charts.roc, report, taxonomy, run),
    )
    known = {f"{before}{name}": chart for name, chart in zip(JUDGED, drawn, strict=True)}
    if "roc" not in report:
        del known[f"{before}roc"]
    return known


def read(folder: Folder) -> dict[str, Any]:
    """Return a run's `report.json`. Raises BrokenRun if it is damaged, or not there."""
    try:
        report: dict[str, Any] = json.loads(read_plain(folder.report))
    except (OSError, ValueError) as error:
        raise BrokenRun(f"{folder.report} cannot be read: {error}.", "Train it anew with --force.") from None
    return report


def as_json(report: dict[str, Any]) -> str:
    """Return the report as the text of a JSON file."""
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def check_free(path: Path, force: bool) -> None:
    """Raise AlreadyExists if `path` is there and may not be replaced."""
    if path.exists() and not force:
        raise AlreadyExists(f"{path} is there already.", "Add --force to replace it.")
