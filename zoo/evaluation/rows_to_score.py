"""The rows that a run is scored on, and how many of them it has learnt from."""

from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, FerdataError
from ferdata.manifest import Manifest
from zoo.data.rows import Images, Rows, read_rows, shared
from zoo.run.model_file import Meta


def labelled(rows: Rows, split: str) -> Rows:
    """Return the rows. Raises BadOption if none of the split has a label."""
    if not len(rows.where(split)):
        raise BadOption(
            f"{rows.manifest.path} has no labelled row in {split} (column {rows.split_source}).",
            "Try --split all, which takes every labelled row.",
        )
    return rows


def rows_of(meta: Meta, source: Manifest, dataset: str | None, own: bool) -> Rows:
    """Read the rows to score: in the manifest trained on, the datasets and the fold of training."""
    chosen = (dataset,) if dataset else meta.config.get("datasets") if own else None
    return read_rows(source, chosen, meta.config.get("fold") if own else None, meta.config["targets"])


def leak_against_training(meta: Meta, trained_on: Path, rows: Rows, images: Images) -> dict[str, Any]:
    """Count the scored rows that the model saw in training, by group or by pixels, as far as that can be known.

    Groups are numbered per manifest, so across two manifests only pixels are compared.
    """
    if rows.manifest.fingerprint == meta.fingerprint:
        trained = rows_of(meta, rows.manifest, None, own=True)
        ours = trained.where("train", meta.config["targets"])
        return {"by": "group and pixels", "shared_with_train": shared(rows, ours, images.where)}
    try:
        before = Manifest(trained_on)
        if before.fingerprint != meta.fingerprint:
            return {"by": "nothing: the manifest trained on has changed", "shared_with_train": None}
        seen = rows_of(meta, before, None, own=True)
    except FerdataError:
        return {"by": "nothing: the manifest trained on is gone", "shared_with_train": None}
    where = seen.where("train", meta.config["targets"])
    known = set(seen.table["pixel_hash"].take(where).to_pylist())
    scored = rows.table["pixel_hash"].take(images.where).to_pylist()
    return {"by": "pixels", "shared_with_train": sum(h in known for h in scored)}
