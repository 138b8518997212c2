"""The runs that are compared: their stored predictions, brought to the same rows in the same order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ferdata.errors import BadOption, BrokenRun
from ferdata.manifest import Manifest
from zoo.data.rows import read_rows
from zoo.evaluation import elsewhere, prediction_table, predictions
from zoo.evaluation.predictions import Predictions
from zoo.evaluation.report import read as report_of
from zoo.run import model_file
from zoo.run.run_folder import Folder


@dataclass(frozen=True)
class Scored:
    """A run's predictions on the rows compared, its report where it has one, and what makes it no fair figure."""

    name: str
    rows: Predictions
    report: dict[str, Any]
    marks: tuple[str, ...]


def read_all(runs: Sequence[Path], split: str) -> list[Scored]:
    """Read every run's predictions of a split; a table of a model trained elsewhere is read beside the first run.

    Raises BadOption where there is no run that says which manifest such a table is of.
    """
    ours = {run: _read(run, split) for run in runs if not prediction_table.is_foreign(run)}
    beside = next((run for run in ours if (run / "model.safetensors").is_file()), None)
    return [ours[run] if run in ours else _foreign(run, beside, ours, split) for run in runs]


def _foreign(path: Path, beside: Path | None, ours: Mapping[Path, Scored], split: str) -> Scored:
    """Read what a table says of the rows that the run `beside` was scored on, in the manifest that it was trained on.

    Rows that it lacks are left to `aligned` to refuse.
    """
    if beside is None:
        raise BadOption(
            f"{path} is a table of a model trained elsewhere, and no run beside it says of which manifest.",
            f"Judge it first: ferdata evaluate --predictions {path} --manifest M --save-predictions "
            f"{path.stem}-judged.parquet; and compare the file that this writes.",
        )
    folder = Folder(beside)
    rows = read_rows(Manifest(folder.absolute(model_file.read_meta(folder.model).manifest)))
    at = pc.index_in(pa.array(ours[beside].rows.sample_id), rows.table["sample_id"].combine_chunks())
    where = at.drop_null().to_numpy().astype(np.intp)
    found = elsewhere.answers(path, rows, where, None, shared=True)
    return Scored(str(path), elsewhere.as_predictions(path, rows, split, found), {}, ())


def _read(run: Path, split: str) -> Scored:
    """Read a run's predictions of a split, and its report if there is one."""
    folder = run.is_dir() or not run.suffix
    if Folder(run).adopted.is_file() and not Folder(run).predictions.is_file():
        raise BrokenRun(
            f"{run} was adopted, and has predicted nothing yet.",
            f"Judge all of them on one manifest with --on M; or compare files: ferdata evaluate {run} --manifest M "
            f"--save-predictions {run.name}.parquet.",
        )
    rows = predictions.read(run / predictions.NAME if folder else run)
    keep = rows.at(np.flatnonzero((rows.split == split) | (split == "all")))
    if not len(keep):
        there = ", ".join(np.unique(rows.split).tolist())
        raise BadOption(f"{run} has no predictions of {split}; it has {there}.", f"Name another --split: {there}.")
    file = run / "report.json"
    report = report_of(Folder(run)) if folder and file.is_file() else {}
    return Scored(str(run), keep, report, ())


def aligned(scored: Sequence[Scored], shared: bool) -> list[Scored]:
    """Return the runs with their rows in the same order. Raises BadOption where they were scored on different ones."""
    first = scored[0]
    for other in scored[1:]:
        if other.rows.classes != first.rows.classes:
            raise BadOption(
                f"The classes of {first.name} are {', '.join(first.rows.classes)}; "
                f"those of {other.name} are {', '.join(other.rows.classes)}.",
                "Only runs with the same classes, in the same order, can be compared: train them under one taxonomy.",
            )
    common = set(first.rows.sample_id.tolist()).intersection(*(one.rows.sample_id.tolist() for one in scored[1:]))
    for other in scored:
        if not shared and (len(other.rows) != len(common) or len(first.rows) != len(common)):
            raise BadOption(_strangers(scored, common), "Add --shared to compare on the rows that all of them have.")
    if not common:
        raise BadOption("The runs have no row in common.", "Evaluate them on the same manifest and split.")
    kept = []
    for one in scored:
        where = np.flatnonzero(np.isin(one.rows.sample_id, list(common)))
        rows = one.rows.at(where[np.argsort(one.rows.sample_id[where], kind="stable")])
        kept.append(Scored(one.name, rows, one.report, one.marks))
    for other in kept[1:]:
        if moved := int((other.rows.true != kept[0].rows.true).sum()):
            raise BadOption(
                f"{moved:,} of the {len(common):,} rows have another target in {other.name} than in {kept[0].name}.",
                "Their labels were reviewed or derived anew in between: evaluate both runs on one manifest with "
                "`ferdata evaluate RUN --manifest M --save-predictions F.parquet`, and compare those files.",
            )
    return kept


def _strangers(scored: Sequence[Scored], common: set[str]) -> str:
    """Return in words which rows not all of the runs were scored on."""
    counts = ", ".join(f"{one.name} on {len(one.rows):,}" for one in scored)
    lonely, owner = next((row, one.name) for one in scored for row in one.rows.sample_id.tolist() if row not in common)
    return (
        f"The runs were scored on different rows: {counts}; {len(common):,} are the same. "
        f"{lonely}, for one, is in {owner} but not in every run."
    )
