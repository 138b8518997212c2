"""What a run of the matrix says of every test: its own datasets' from training, the others' scored once and kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ferdata.errors import BrokenRun
from ferdata.manifest import Manifest
from zoo.data.rows import load, read_rows
from zoo.evaluation import calibration, predictions
from zoo.evaluation.inference import score
from zoo.evaluation.predictions import Predictions
from zoo.experiments.matrix_plan import Row
from zoo.models.load import load_model
from zoo.run import device
from zoo.run.run_folder import Folder

FOREIGN = "foreign.parquet"


def answers(
    run: Path, row: Row, tests: Sequence[str], manifest: Manifest, roots: Mapping[str, Path] | None, fresh: bool
) -> dict[str, Predictions]:
    """Return the predictions of a run on each of `tests`, in order of the rows' names.

    `fresh` says that the run was trained just now, so that what lies beside it of an earlier one is not its own.
    """
    foreign = [name for name in tests if name not in row.datasets]
    own = predictions.read(run / predictions.NAME)
    found = {name: _of(own, name) for name in tests if name in row.datasets}
    if foreign:
        others = (None if fresh else _kept(run / FOREIGN, foreign, manifest)) or _scored(run, foreign, manifest, roots)
        found |= {name: _of(others, name) for name in foreign}
    return found


def _of(rows: Predictions, dataset: str) -> Predictions:
    """Return the predictions on a dataset's test."""
    where = np.flatnonzero((rows.split == "test") & (rows.dataset == dataset))
    return rows.at(where[np.argsort(rows.sample_id[where], kind="stable")])


def _kept(file: Path, foreign: Sequence[str], manifest: Manifest) -> Predictions | None:
    """Return what an earlier call has scored; None where it has not, or not all of the datasets."""
    try:
        rows = predictions.read(file)
    except BrokenRun:
        return None
    same = rows.facts.get("fingerprint") == manifest.fingerprint
    return rows if same and set(foreign) <= set(np.unique(rows.dataset).tolist()) else None


def _scored(run: Path, foreign: Sequence[str], manifest: Manifest, roots: Mapping[str, Path] | None) -> Predictions:
    """Score the tests of the datasets that a run was not trained on, each row once, as `evaluate` does; keep it."""
    place, _ = device.resolve("auto", "32-true")
    net, meta = load_model(Folder(run).model, device=place)
    rows = read_rows(manifest, foreign, None, meta.config["targets"])
    test, dataset = rows.where("test"), np.asarray(rows.table["dataset"].to_pylist(), np.str_)
    # A dataset at a time, so that the cache has one pack of its test for the runs of all rows.
    images = load(rows, {name: test[dataset[test] == name] for name in foreign}, meta.size, meta.channels, roots)
    parts = {}
    for name, some in images.items():
        raw = score(net, some.pixels, meta.mean, meta.std, meta.tta, what=f"Testing on {name}")
        parts[name] = predictions.gather(meta, rows, {"test": (some.where, calibration.apply(raw, meta.temperature))})
    found = predictions.join(list(parts.values()))
    predictions.save(run / FOREIGN, found)
    return found
