"""Score a run on a split of a manifest: the one path that training's test figure and every later one take."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ferdata.charts import style
from ferdata.charts.style import check_formats
from ferdata.errors import AlreadyExists, BadOption, FerdataError, choose_one
from ferdata.manifest import Manifest
from ferdata.running.whole_file import write_whole
from ferdata.schema import SPLITS
from zoo.data.rows import Images, Rows, load, read_rows, shared
from zoo.evaluation import calibration, inference, predictions, report
from zoo.models.load import load_model
from zoo.run import model_file
from zoo.run.device import resolve
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder


def evaluate(
    run: str | Path,
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
) -> dict[str, Any]:
    """Score the model of `run` and return the report, in the form of `report.json`.

    `manifest` is the one trained on unless another is named; `split` is train, val, test, or all for every labelled
    row; `dataset` keeps to one dataset; `tta` is none, flip or ten-crop, as the run did unless said otherwise;
    `bootstrap` the number of draws that intervals come from. `save` writes `evaluation-<split>.json` into the run,
    `save_predictions` a Parquet file of every row's probabilities, `plots` the charts into the run in these formats
    (png, pdf, svg); over an earlier file with `force`. Always float32, whatever training used, so that a figure does
    not hang on the device. Raises FerdataError's kinds.
    """
    if split not in (*SPLITS, "all"):
        raise BadOption(f"There is no split {split!r}.", choose_one(split, (*SPLITS, "all")))
    if tta is not None:
        inference.check_tta(tta)
    if bootstrap < 1:
        raise BadOption(f"--bootstrap is {bootstrap}.", "Give a number of draws, such as 2000.")
    folder = Folder(Path(run))
    folder.must_exist()
    out = folder.path / f"evaluation-{split}.json"
    check_formats(plots)
    for path in (*([out] if save else []), *chart_files(folder.path, split, plots)):
        report.check_free(path, force)
    device, _ = resolve(device, "32-true")
    net, meta = load_model(folder.model, device=device)
    trained_on = folder.absolute(meta.manifest)
    source = Manifest(Path(manifest or trained_on))
    if save_predictions is not None:
        _check_table(Path(save_predictions), source, force)
    model_file.check_classes(meta, source.taxonomy, str(source.path))
    rows = _rows(meta, source, dataset, own=manifest is None)
    where = rows.where(split)
    if not len(where):
        raise BadOption(
            f"{source.path} has no labelled row in {split} (column {rows.split_source}).",
            "Try --split all, which takes every labelled row.",
        )
    images = load(rows, {split: where}, meta.size, meta.channels, roots)[split]
    tta = meta.tta if tta is None else tta
    raw = inference.score(net, images.pixels, meta.mean, meta.std, tta)
    result = report.build(meta, rows, images, raw, split=split, tta=tta, draws=bootstrap)
    result["protocol"]["run_finished"] = folder.report.exists()
    result["protocol"]["same_manifest_as_training"] = source.fingerprint == meta.fingerprint
    result["protocol"]["leak_check"] = leak_against_training(meta, trained_on, rows, images)
    if save:
        write_whole(out, report.as_json(result))
    if save_predictions is not None:
        scored = {split: (images.where, calibration.apply(raw, meta.temperature))}
        predictions.save(Path(save_predictions), predictions.gather(meta, rows, scored))
    _draw(folder, meta, result, plots)
    return result


def chart_files(run: Path, split: str, forms: Sequence[str]) -> list[Path]:
    """Return the files of the charts of an evaluation."""
    return [run / f"{_begin(split)}{name}.{form}" for name in report.JUDGED for form in forms]


def _begin(split: str) -> str:
    """Return what the names of an evaluation's charts begin with: not to be taken for those of the training."""
    return f"evaluation-{split}-"


def _draw(folder: Folder, meta: Meta, result: dict[str, Any], forms: Sequence[str]) -> None:
    """Draw the charts of an evaluation, and the learning curves of a finished run where they have no such file yet."""
    before = _begin(result["protocol"]["split"])
    style.write(folder.path, report.of_report(folder.path, meta.taxonomy, result, before), forms)
    lacking = [form for form in forms if folder.report.is_file() and not (folder.path / f"curves.{form}").exists()]
    if lacking:
        style.write(folder.path, report.of_training(folder, meta, report.read(folder)["training"]), lacking)


def _check_table(path: Path, source: Manifest, force: bool) -> None:
    """Raise BadOption or AlreadyExists, before the work, if predictions could not be written to `path`."""
    if path.suffix != ".parquet":
        raise BadOption(f"--save-predictions cannot be {path}.", "Name a .parquet file.")
    if path.resolve() == source.path.resolve():
        raise AlreadyExists(f"{path} is the manifest, and inputs are never modified.", "Choose another file.")
    report.check_free(path, force)


def _rows(meta: Meta, source: Manifest, dataset: str | None, own: bool) -> Rows:
    """Read the rows to score: in the manifest trained on, the datasets and the fold of training."""
    chosen = (dataset,) if dataset else meta.config.get("datasets") if own else None
    return read_rows(source, chosen, meta.config.get("fold") if own else None, meta.config["targets"])


def leak_against_training(meta: Meta, trained_on: Path, rows: Rows, images: Images) -> dict[str, Any]:
    """Count the scored rows that the model saw in training, by group or by pixels, as far as that can be known.

    Groups are numbered per manifest, so across two manifests only pixels are compared.
    """
    if rows.manifest.fingerprint == meta.fingerprint:
        trained = _rows(meta, rows.manifest, None, own=True)
        ours = trained.where("train", meta.config["targets"])
        return {"by": "group and pixels", "shared_with_train": shared(rows, ours, images.where)}
    try:
        before = Manifest(trained_on)
        if before.fingerprint != meta.fingerprint:
            return {"by": "nothing: the manifest trained on has changed", "shared_with_train": None}
        seen = _rows(meta, before, None, own=True)
    except FerdataError:
        return {"by": "nothing: the manifest trained on is gone", "shared_with_train": None}
    where = seen.where("train", meta.config["targets"])
    known = set(seen.table["pixel_hash"].take(where).to_pylist())
    scored = rows.table["pixel_hash"].take(images.where).to_pylist()
    return {"by": "pixels", "shared_with_train": sum(h in known for h in scored)}
