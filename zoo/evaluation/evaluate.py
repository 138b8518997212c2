"""Score a run on a split of a manifest: the one path that training's test figure and every later one take."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ferdata.charts import style
from ferdata.charts.style import check_formats
from ferdata.errors import AlreadyExists, BadOption, FerdataWarning, choose_one
from ferdata.manifest import Manifest
from ferdata.running.whole_file import write_whole
from ferdata.schema import SPLITS
from zoo.data.rows import Rows, load, read_rows
from zoo.evaluation import adopted, calibration, elsewhere, inference, report
from zoo.evaluation import predictions as stored
from zoo.evaluation.predictions import Predictions
from zoo.evaluation.reading_check.check import check
from zoo.evaluation.reading_check.words import as_dict
from zoo.evaluation.rows_to_score import labelled, leak_against_training, rows_of
from zoo.models.load import load_model
from zoo.run import model_file
from zoo.run.device import resolve
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder


def evaluate(
    run: str | Path | None = None,
    manifest: str | Path | None = None,
    split: str = "test",
    dataset: str | None = None,
    tta: str | None = None,
    bootstrap: int = 2000,
    device: str = "auto",
    roots: Mapping[str, Path] | None = None,
    save: bool = False,
    save_predictions: str | Path | None = None,
    plots: Sequence[str] = (),
    force: bool = False,
    predictions: str | Path | None = None,
    shared: bool = False,
) -> dict[str, Any]:
    """Score the model of `run`, or a model trained elsewhere by its `predictions`; return the form of `report.json`.

    `manifest` is the one trained on unless another is named; `split` is train, val, test, or all for every labelled
    row; `dataset` keeps to one dataset; `tta` is none, flip or ten-crop, as the run did unless said otherwise;
    `bootstrap` the number of draws that intervals come from. `save` writes `evaluation-<split>.json` into the run,
    `save_predictions` a Parquet file of every row's probabilities, `plots` the charts into the run in these formats
    (png, pdf, svg); over an earlier file with `force`. Always float32, whatever training used, so that a figure does
    not hang on the device.

    `predictions` is a CSV or Parquet file with a line per image: a column path, pixel_hash or sample_id, and one of
    probabilities for each class. It needs a `manifest`, and what is written then lies beside it, named after it.
    `shared` judges those rows of the split that it has, where it lacks some. Raises FerdataError's kinds.
    """
    if split not in (*SPLITS, "all"):
        raise BadOption(f"There is no split {split!r}.", choose_one(split, (*SPLITS, "all")))
    if bootstrap < 1:
        raise BadOption(f"--bootstrap is {bootstrap}.", "Give a number of draws, such as 2000.")
    check_formats(plots)
    judged = _one_of(run, predictions)
    for path in (*([saved_as(judged, split)] if save else []), *chart_files(judged, split, plots)):
        report.check_free(path, force)
    if predictions is None:
        result, taxonomy, kept = _of_run(
            judged, manifest, split, dataset, tta, bootstrap, device, roots, save_predictions, force
        )
    else:
        result, taxonomy, kept = _of_table(
            judged, manifest, split, dataset, tta, bootstrap, shared, save_predictions, force
        )
    if save:
        write_whole(saved_as(judged, split), report.as_json(result))
    if save_predictions is not None:
        stored.save(Path(save_predictions), kept)
    _draw(judged, taxonomy, result, plots)
    return result


def _one_of(run: str | Path | None, predictions: str | Path | None) -> Path:
    """Return what is judged. Raises BadOption unless it is one of the two."""
    if run is not None and predictions is None:
        return Path(run)
    if predictions is not None and run is None:
        return Path(predictions)
    raise BadOption(
        "Nothing to judge was named." if run is None else "Both a run and --predictions were named.",
        "Name a run's folder, or --predictions FILE of a model trained elsewhere.",
    )


def _of_run(
    run: Path,
    manifest: str | Path | None,
    split: str,
    dataset: str | None,
    tta: str | None,
    draws: int,
    device: str,
    roots: Mapping[str, Path] | None,
    save_predictions: str | Path | None,
    force: bool,
) -> tuple[dict[str, Any], dict[str, Any], Predictions]:
    """Score a run's model; return the report, the taxonomy, and what it said of each row."""
    if tta is not None:
        inference.check_tta(tta)
    folder = Folder(run)
    folder.must_exist()
    device, _ = resolve(device, "32-true")
    net, meta = load_model(folder.model, device=device)
    source = Manifest(Path(manifest) if manifest else adopted.trained_on(folder, meta))
    if save_predictions is not None:
        _check_table(Path(save_predictions), (source.path, folder.predictions), force)
    if meta.foreign is not None:
        rows = labelled(read_rows(source, (dataset,) if dataset else None), split)
        result, taxonomy, kept = adopted.judge(run, net, meta, rows, split, roots, tta or meta.tta, draws)
        result["reading_check"] = _reading(run, net, meta, rows, roots, draws)
        return result, taxonomy, kept
    model_file.check_classes(meta, source.taxonomy, str(source.path))
    rows = labelled(rows_of(meta, source, dataset, own=manifest is None), split)
    images = load(rows, {split: rows.where(split)}, meta.size, meta.channels, roots)[split]
    tta = meta.tta if tta is None else tta
    raw = inference.score(net, images.pixels, meta.mean, meta.std, tta)
    result = report.build(meta, rows, images, raw, split=split, tta=tta, draws=draws)
    result["protocol"]["run_finished"] = folder.report.exists()
    result["protocol"]["same_manifest_as_training"] = source.fingerprint == meta.fingerprint
    result["protocol"]["leak_check"] = leak_against_training(meta, folder.absolute(meta.manifest), rows, images)
    scored = {split: (images.where, calibration.apply(raw, meta.temperature))}
    return result, meta.taxonomy, stored.gather(meta, rows, scored)


def _reading(
    run: Path, net: nn.Module, meta: Meta, rows: Rows, roots: Mapping[str, Path] | None, draws: int
) -> dict[str, Any] | None:
    """Return whether another reading of an adopted model fits much better, and warn of it.

    None where the manifest has no labelled face of its classes.
    """
    if not any((rows.hard == i).any() for i in adopted.read_as(meta, rows.taxonomy) if i >= 0):
        return None
    done = as_dict(check(net, meta, rows, roots, draws=draws))
    for words in done["findings_in_words"]:
        warnings.warn(FerdataWarning(f"{run} may be read wrongly. {words}"), stacklevel=4)
    return done


def _of_table(
    table: Path,
    manifest: str | Path | None,
    split: str,
    dataset: str | None,
    tta: str | None,
    draws: int,
    shared: bool,
    save_predictions: str | Path | None,
    force: bool,
) -> tuple[dict[str, Any], dict[str, Any], Predictions]:
    """Judge a model trained elsewhere by its table; return as `_of_run` does."""
    if manifest is None:
        raise BadOption(f"{table} does not say which images it is about.", "Name their manifest with --manifest.")
    if tta is not None:
        raise BadOption(f"--tta {tta} cannot be had of a table of predictions.", "Leave it out.")
    source = Manifest(Path(manifest))
    if save_predictions is not None:
        _check_table(Path(save_predictions), (source.path, table), force)
    rows = labelled(read_rows(source, (dataset,) if dataset else None), split)
    result, kept = elsewhere.judge(table, rows, split, dataset, shared, draws)
    return result, rows.taxonomy.as_dict(), kept


def chart_files(judged: Path, split: str, forms: Sequence[str]) -> list[Path]:
    """Return the files of the charts of an evaluation of a run, or of a table of predictions."""
    folder, begin = _place(judged, split)
    return [folder / f"{begin}-{name}.{form}" for name in report.JUDGED for form in forms]


def saved_as(judged: Path, split: str) -> Path:
    """Return the file of the figures of an evaluation."""
    folder, begin = _place(judged, split)
    return folder / f"{begin}.json"


def _place(judged: Path, split: str) -> tuple[Path, str]:
    """Return where the files of an evaluation lie, and what their names begin with.

    In a run's folder, where they are not to be taken for those of the training; or beside a table, named after it.
    """
    if judged.is_file():
        return judged.parent, f"{judged.stem}-evaluation-{split}"
    return judged, f"evaluation-{split}"


def _draw(judged: Path, taxonomy: dict[str, Any], result: dict[str, Any], forms: Sequence[str]) -> None:
    """Draw the charts of an evaluation, and the learning curves of a finished run where they have no such file yet."""
    place, begin = _place(judged, result["protocol"]["split"])
    style.write(place, report.of_report(judged, taxonomy, result, f"{begin}-"), forms)
    folder = Folder(judged)
    lacking = [form for form in forms if folder.report.is_file() and not (judged / f"curves.{form}").exists()]
    if lacking:
        training = report.read(folder)["training"]
        style.write(judged, report.of_training(folder, model_file.read_meta(folder.model), training), lacking)


def _check_table(path: Path, inputs: Sequence[Path], force: bool) -> None:
    """Raise BadOption or AlreadyExists, before the work, if predictions could not be written to `path`."""
    if path.suffix != ".parquet":
        raise BadOption(f"--save-predictions cannot be {path}.", "Name a .parquet file.")
    if path.resolve() in [source.resolve() for source in inputs]:
        raise AlreadyExists(f"{path} is a part of what is judged, which is never modified.", "Choose another file.")
    report.check_free(path, force)
