"""Score a run on a split of a manifest: the one path that training's test figure and every later one take."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, FerdataError
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS
from zoo import checkpoint, report
from zoo.checkpoint import Meta
from zoo.data import Images, Rows, load, read_rows, shared
from zoo.device import resolve
from zoo.folder import Folder, write_whole
from zoo.predict import predict_all


def evaluate(
    run: str | Path,
    manifest: str | Path | None = None,
    split: str = "test",
    dataset: str | None = None,
    tta: bool | None = None,
    device: str = "auto",
    roots: Mapping[str, Path] | None = None,
    save: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Score the model of `run` and return the report, in the form of `report.json`.

    `manifest` is the one trained on unless another is named; `split` is train, val, test, or all for every labelled
    row; `dataset` keeps to one dataset; `tta` averages each image with its mirror image, as the run did unless said
    otherwise. `save` writes `evaluation-<split>.json` into the run, over an earlier one with `force`. Always float32,
    whatever training used, so that a figure does not hang on the device. Raises FerdataError's kinds.
    """
    if split not in (*SPLITS, "all"):
        raise BadOption(f"There is no split {split!r}.", f"Choose one of {', '.join(SPLITS)} or all.")
    folder = Folder(Path(run))
    folder.must_exist()
    out = folder.path / f"evaluation-{split}.json"
    if save:
        report.check_free(out, force)
    device, _ = resolve(device, "32-true")
    net, meta = checkpoint.load(folder.model)
    trained_on = folder.absolute(meta.manifest)
    source = Manifest(Path(manifest or trained_on))
    checkpoint.check_classes(meta, source.taxonomy, str(source.path))
    chosen = (dataset,) if dataset else meta.config.get("datasets") if manifest is None else None
    rows = read_rows(source, chosen)
    where = rows.where(split)
    if not len(where):
        raise BadOption(
            f"{source.path} has no labelled row in {split} (column {rows.split_source}).",
            "Try --split all, which takes every labelled row.",
        )
    images = load(rows, {split: where}, meta.size, meta.channels, roots)[split]
    tta = meta.tta if tta is None else tta
    probabilities = predict_all(net.to(device), images.pixels, meta.mean, meta.std, tta)
    result = report.build(meta, rows, images, probabilities, split=split, tta=tta)
    result["protocol"]["run_finished"] = folder.report.exists()
    result["protocol"]["same_manifest_as_training"] = source.fingerprint == meta.fingerprint
    result["protocol"]["leak_check"] = leak_against_training(meta, trained_on, rows, images)
    if save:
        write_whole(out, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return result


def leak_against_training(meta: Meta, trained_on: Path, rows: Rows, images: Images) -> dict[str, Any]:
    """Count the scored rows that the model saw in training, by group or by pixels, as far as that can be known.

    Groups are numbered per manifest, so across two manifests only pixels are compared.
    """
    if rows.manifest.fingerprint == meta.fingerprint:
        trained = read_rows(rows.manifest, meta.config.get("datasets"))
        ours = trained.where("train", meta.config["targets"])
        return {"by": "group and pixels", "shared_with_train": shared(rows, ours, images.where)}
    try:
        before = Manifest(trained_on)
        if before.fingerprint != meta.fingerprint:
            return {"by": "nothing: the manifest trained on has changed", "shared_with_train": None}
        seen = read_rows(before, meta.config.get("datasets"))
    except FerdataError:
        return {"by": "nothing: the manifest trained on is gone", "shared_with_train": None}
    where = seen.where("train", meta.config["targets"])
    known = set(seen.table["pixel_hash"].take(where).to_pylist())
    scored = rows.table["pixel_hash"].take(images.where).to_pylist()
    return {"by": "pixels", "shared_with_train": sum(h in known for h in scored)}
