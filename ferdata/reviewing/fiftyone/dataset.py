"""A manifest as a FiftyOne dataset: made, brought up to date, listed and deleted."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from ferdata.errors import BadOption, did_you_mean
from ferdata.manifest import Manifest
from ferdata.reviewing.fiftyone import decide, fields, findings, looks, media
from ferdata.reviewing.fiftyone.decide import INFO
from ferdata.reviewing.fiftyone.fields import DECIDED, KNOWN, SUGGESTION, TRUTH
from ferdata.running import cache, progress

BATCH = 2000  # documents per message
INDEXES = ("sample_id", "pixel_hash", f"{TRUTH}.label", "decision", "label_quality")
LAYOUT = 3  # of the documents: another one is written anew


@dataclass(frozen=True)
class Pushed:
    """What became of a manifest's rows: those without a picture are not shown; `waiting` pictures have decisions that
    were not pulled.

    `not_applied` rows lack what the ledger beside the manifest decides on them.
    """

    name: str
    rows: int
    shown: int
    added: int
    updated: int
    removed: int
    without_picture: int
    views: tuple[str, ...]
    findings: Mapping[str, int]
    waiting: int
    held: cache.Held | None = field(default=None, repr=False)  # keeps the pictures in the cache
    not_applied: int = 0


@dataclass(frozen=True)
class Listed:
    """One dataset of ours in FiftyOne's database; `there` says whether its manifest, file or folder, still is."""

    name: str
    manifest: str
    there: bool
    samples: int
    decided: int
    waiting: int


@dataclass(frozen=True)
class Deleted:
    """A dataset that was deleted: how many samples it had, and on how many pictures decisions are `lost`: no ledger
    has them.
    """

    name: str
    samples: int
    lost: int


def of(fo: Any, manifest: Path) -> Any:
    """Return the dataset of a manifest, or None if it was never opened."""
    name = fields.name_of(manifest)
    return fo.load_dataset(name) if fo.dataset_exists(name) else None


def push(
    fo: Any, opened: Manifest, reviewer: str, predictions: Mapping[str, tuple[str, float | None]], inputs: Sequence[str]
) -> tuple[Any, Pushed]:
    """Make or bring up to date the dataset of a manifest; decisions that were not pulled are kept.

    `predictions` maps sample ids to (class, confidence); `inputs` names what else the dataset is made of, so that one
    that is up to date is left alone. Raises ImagesMissing, CannotWrite.
    """
    name = fields.name_of(opened.path)
    state = {"fingerprint": opened.fingerprint, "inputs": list(inputs), "layout": LAYOUT}
    dataset = of(fo, opened.path)
    if dataset is not None and _current(dataset, state):
        _note(dataset, opened, reviewer, state)
        return dataset, _unchanged(dataset, opened)
    table = findings.with_pictures(opened.table(*dict.fromkeys((*fields.FIELD_COLUMNS, *findings.FINDING_COLUMNS))))
    files, held = media.files(opened)
    if dataset is None:
        dataset = fo.Dataset(name, persistent=True)
        dataset.media_type = "image"
    else:
        decide.harvest(dataset)
    mapped = opened.taxonomy.mapping
    words = fields.truth(table, mapped)
    found = findings.findings(table, predictions)
    choices = fields.choices(mapped)
    fields.declare(fo, dataset, table, bool(predictions))
    remarks = _remarks(table, words, found, choices, predictions)
    documents = fields.documents(table, files, words, remarks, predictions)
    added, updated, removed = _write(dataset, documents, sum(map(bool, files)))
    for path in INDEXES:
        if path.partition(".")[0] in dataset.get_field_schema():
            dataset.create_index(path, wait=False)
    present = sorted({finding for row in found for finding in row})
    datasets = sorted(table["dataset"].unique().to_pylist())
    views = looks.views(dataset, present, choices, datasets)
    looks.dress(fo, dataset, choices)
    _note(dataset, opened, reviewer, state, choices=choices)
    counts = {f: sum(f in row for row in found) for f in present}
    shown = added + updated
    return dataset, Pushed(
        name, opened.rows, shown, added, updated, removed, opened.rows - shown, tuple(views), counts,
        decide.waiting(dataset), held,
    )  # fmt: skip


def _remarks(
    table: pa.Table, words: Sequence[str | None], found: Sequence[Sequence[str]], choices: Sequence[str],
    predictions: Mapping[str, tuple[str, float | None]],
) -> dict[str, Sequence[Any]]:  # fmt: skip
    """Return what is said of each row beside its own columns, by field."""
    issues, quality = findings.image_issues(table, found)
    return {
        "findings": found,
        "why": findings.why(table, found, predictions),
        SUGGESTION: findings.suggestions(table, words, choices, predictions),
        "image_issues": issues,
        "image_quality": quality,
    }


def _current(dataset: Any, state: Mapping[str, Any]) -> bool:
    info = dataset.info.get(INFO) or {}
    if any(info.get(name) != value for name, value in state.items()):
        return False
    return all(map(os.path.isfile, dataset.distinct("filepath"))) if len(dataset) else False


def _unchanged(dataset: Any, opened: Manifest) -> Pushed:
    counts = dataset.count_values("findings")
    n = len(dataset)
    views = tuple(dataset.list_saved_views())
    counts = {k: v for k, v in sorted(counts.items()) if k}
    return Pushed(dataset.name, opened.rows, n, 0, 0, 0, opened.rows - n, views, counts, decide.waiting(dataset))


def _note(dataset: Any, opened: Manifest, reviewer: str, state: Mapping[str, Any], **more: Any) -> None:
    known = dict(dataset.info.get(INFO) or {})
    known |= {"manifest": str(opened.path.resolve()), "reviewer": reviewer, **state, **more}
    dataset.info[INFO] = known
    dataset.save()


def _write(dataset: Any, documents: Iterator[dict[str, Any]], total: int) -> tuple[int, int, int]:
    """Insert or update the documents; samples of rows that are gone are deleted. Returns how many of each."""
    collection = dataset._sample_collection
    held = {d["sample_id"]: d["_id"] for d in collection.find({}, {"sample_id": 1}) if d.get("sample_id")}
    unpulled = decide.records(dataset).find(decide.unpulled(dataset), {"sample": 1, "copies.sample": 1})
    kept = {s for r in unpulled for s in (r["sample"], *(c["sample"] for c in r.get("copies", ())))}
    added = updated = 0
    seen: set[str] = set()
    with progress.bar("to FiftyOne", total) as advance:
        for batch in _batches(documents):
            seen.update(d["sample_id"] for d in batch)
            fresh = [fields.added(d, dataset._doc.id) for d in batch if d["sample_id"] not in held]
            if fresh:
                collection.insert_many(fresh, ordered=False)
            old = [_update(held[d["sample_id"]], d, kept) for d in batch if d["sample_id"] in held]
            if old:
                collection.bulk_write(old, ordered=False)
            added, updated = added + len(fresh), updated + len(old)
            advance(len(batch))
    gone = [held[s] for s in held.keys() - seen]
    if gone:
        dataset.delete_samples([str(g) for g in gone])
    dataset.reload()
    return added, updated, len(gone)


def _batches(documents: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(documents, BATCH)):
        yield batch


def _update(key: Any, document: dict[str, Any], kept: set[Any]) -> Any:
    """Return the update of one sample; what was decided and not pulled yet stays as it is."""
    from pymongo import UpdateOne

    if key in kept:
        document = {k: v for k, v in document.items() if k not in (TRUTH, KNOWN, *DECIDED)}
    given = {k: v for k, v in document.items() if v is not None}
    given["last_modified_at"] = datetime.now(UTC).replace(tzinfo=None)
    nothing = {k: "" for k, v in document.items() if v is None}
    return UpdateOne({"_id": key}, {"$set": given} | ({"$unset": nothing} if nothing else {}))


def ours(fo: Any) -> list[Listed]:
    """Return every dataset that `ferdata review` made, by name."""
    found = []
    for name in fo.list_datasets():
        dataset = fo.load_dataset(name)
        info = dataset.info.get(INFO)
        if info:
            decided = len(dataset) - decide.undecided(dataset)
            path = info["manifest"]
            found.append(Listed(name, path, Path(path).exists(), len(dataset), decided, decide.waiting(dataset)))
    return found


def delete(fo: Any, name: str, force: bool) -> Deleted:
    """Delete a dataset of ours. Raises BadOption; unpulled decisions need `force`."""
    known = {listed.name: listed for listed in ours(fo)}
    if name not in known:
        hint = did_you_mean(name, known)
        raise BadOption(f"ferdata has no dataset {name!r} in FiftyOne.", f"{hint}See `ferdata review --list`.")
    listed = known[name]
    if listed.waiting and not force:
        raise BadOption(
            f"{name} holds decisions that were not pulled, on {listed.waiting:,} of its pictures.",
            f"Pull them first: ferdata review pull {listed.manifest}\nOr add --force, and they are lost.",
        )
    dataset = fo.load_dataset(name)
    decide.records(dataset).delete_many({"dataset": dataset._doc.id})
    fo.delete_dataset(name)
    return Deleted(name, listed.samples, listed.waiting)
