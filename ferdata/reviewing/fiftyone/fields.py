"""The manifest's columns as FiftyOne fields: their types, and the documents that FiftyOne's database holds.

Documents are written in FiftyOne's own form, so that 36,000 of them take seconds; what `Dataset.add_samples` does
per sample (a Sample object, validation, a schema grown one field at a time) is what costs it a minute.
"""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ferdata.duplicates.label_conflicts import face_boxes
from ferdata.labels import EMOTIONS, VOTE_COLUMNS
from ferdata.reviewing.ledger import WORDS

TRUTH, KNOWN, PREDICTION, SUGGESTION = "ground_truth", "known_label", "prediction", "suggestion"
DECIDED = ("decision", "decided_by", "decided_at", "note")
# column -> kind, in the order of the App's sidebar; those that hold nothing anywhere are left out
PLAIN: Mapping[str, str] = {
    "sample_id": "string", "dataset": "string", "split": "string", "official_split": "string", "split_reason": "string",
    "target": "string", "label": "string", "label_reason": "string", "native_label": "string",
    "compound_label": "string", "issues": "strings", "label_quality": "float", "group": "int", "picture": "int",
    "fold": "int", "subject": "string", "sequence": "string", "frame": "int", "age": "string", "gender": "string",
    "ethnicity": "string", "valence": "float", "arousal": "float", "brightness": "float", "contrast": "float",
    "sharpness": "float", "synthetic": "bool",
}  # fmt: skip
OWN: Mapping[str, str] = {
    "findings": "strings", "why": "strings", SUGGESTION: "string", "image_issues": "strings", "image_quality": "float",
    "decision": "string", "decided_by": "string", "decided_at": "time",
    "note": "string", KNOWN: "string", "pixel_hash": "string", "face_key": "string",
}  # fmt: skip
VOTED: Mapping[str, str] = {
    "votes": "votes", **{f"votes.{name}": "int" for name in VOTE_COLUMNS}, "vote_share": "float",
    "vote_entropy": "float",
}  # fmt: skip
FIELD_COLUMNS = (
    *PLAIN,
    "votes",
    "reviewed_label",
    "review",
    "pixel_hash",
    "width",
    "height",
    "mode",
    "face_box",
    "alignment",
)
MIME = {".png": "image/png", ".gif": "image/gif", ".bmp": "image/bmp", ".webp": "image/webp"}


def shown(table: pa.Table) -> list[str]:
    """Return the columns of `table` that have content, and are fields then."""
    return [name for name in PLAIN if name in table.column_names and table[name].null_count < table.num_rows]


def declare(fo: Any, dataset: Any, table: pa.Table, predicted: bool) -> None:
    """Declare every field before the first sample, and all at once: one by one costs a tenth of a second each."""
    kinds = {
        "string": fo.StringField,
        "strings": lambda: fo.ListField(fo.StringField()),
        "float": fo.FloatField,
        "int": fo.IntField,
        "bool": fo.BooleanField,
        "time": fo.DateTimeField,
        "label": lambda: fo.EmbeddedDocumentField(fo.Classification),
        "box": lambda: fo.EmbeddedDocumentField(fo.Detection),
        "votes": lambda: fo.EmbeddedDocumentField(fo.DynamicEmbeddedDocument),
    }
    wanted = {TRUTH: "label", **{name: PLAIN[name] for name in shown(table)}, **OWN}
    if predicted:
        wanted[PREDICTION] = "label"
    if table["face_box"].null_count < table.num_rows:
        wanted["face"] = "box"
    if table["votes"].null_count < table.num_rows:
        wanted |= VOTED
    have = dataset.get_field_schema(flat=True)
    for depth in (0, 1):  # a vote's field needs the votes' own first
        fresh = {n: kinds[kind]() for n, kind in wanted.items() if n not in have and n.count(".") == depth}
        if fresh:
            dataset._merge_sample_field_schema(fresh)


def truth(table: pa.Table, mapped: Mapping[str, str]) -> list[str | None]:
    """Return, for each row, the word that its ground truth shows: the emotion behind `target`, or a reviewer's word.

    Reviewers decide on emotions, whatever the classes are made of them, so a decision fits every taxonomy. An emotion
    that the taxonomy has no class for is no ground truth.
    """
    emotion = pc.coalesce(table["reviewed_label"], table["label"]).to_pylist()
    reviewed = table["reviewed_label"].is_valid().to_pylist()
    return [
        WORDS.get(e) if e is not None and (r or e in mapped) else None for e, r in zip(emotion, reviewed, strict=True)
    ]


def documents(
    table: pa.Table,
    files: Sequence[str],
    words: Sequence[str | None],
    remarks: Mapping[str, Sequence[Any]],
    predictions: Mapping[str, tuple[str, float | None]],
) -> Iterator[dict[str, Any]]:
    """Yield the fields of each row whose file is there, as FiftyOne's database holds them, without ids and dates.

    `files`, `words` and each of `remarks`, further fields by name, go with the rows of `table`, which has
    FIELD_COLUMNS.
    """
    from bson import ObjectId

    plain = shown(table)
    columns = {name: table[name].to_pylist() for name in plain}
    votes = _votes(table)
    faces = face_boxes(table).to_pylist()
    rest = table.select(["sample_id", "pixel_hash", "width", "height", "mode", "face_box", "review"]).to_pylist()
    for i, (row, file) in enumerate(zip(rest, files, strict=True)):
        if not file:
            continue
        document: dict[str, Any] = {name: columns[name][i] for name in plain}
        document |= {
            "filepath": file,
            "pixel_hash": row["pixel_hash"],
            "face_key": faces[i] or None,
            "metadata": _metadata(row, file),
            **{name: values[i] for name, values in remarks.items()},
            TRUTH: classification(words[i], ObjectId),
            KNOWN: words[i],
            **decided(words[i], row["review"]),
            **(votes[i] if votes else {}),
        }
        if row["face_box"] and row["width"] and row["height"]:
            document["face"] = _detection(row, ObjectId)
        if row["sample_id"] in predictions:
            label, confidence = predictions[row["sample_id"]]
            document[PREDICTION] = classification(label, ObjectId, confidence)
        yield document


def classification(label: str | None, new_id: Any, confidence: float | None = None) -> dict[str, Any] | None:
    """Return a `Classification` as the database holds it; None for no label."""
    if label is None:
        return None
    document = {"_id": new_id(), "_cls": "Classification", "tags": [], "label": label}
    return document if confidence is None else document | {"confidence": confidence}


def decided(word: str | None, review: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the fields of a decision that the manifest already has; all None where there is none."""
    if not review or word is None:
        return dict.fromkeys(DECIDED)
    at = review["at"] and datetime.fromisoformat(review["at"])
    naive = at.astimezone(UTC).replace(tzinfo=None) if at and at.tzinfo else at
    return {"decision": review["status"], "decided_by": review["by"], "decided_at": naive, "note": review["note"]}


def added(document: dict[str, Any], dataset_id: Any) -> dict[str, Any]:
    """Return a document with what FiftyOne itself adds to a new sample."""
    now = datetime.now(UTC).replace(tzinfo=None)
    kept = {name: value for name, value in document.items() if value is not None}  # missing and None are the same
    return kept | {
        "tags": [],
        "_media_type": "image",
        "_rand": random.random(),
        "created_at": now,
        "last_modified_at": now,
        "_dataset_id": dataset_id,
    }


def _metadata(row: Mapping[str, Any], file: str) -> dict[str, Any]:
    mode = row["mode"] or ""
    return {
        "_cls": "ImageMetadata",
        "mime_type": MIME.get(os.path.splitext(file)[1].lower(), "image/jpeg"),  # noqa: PTH122  # once per row
        "width": row["width"],
        "height": row["height"],
        "num_channels": 3 if mode.startswith("RGB") else 1,
    }


def _detection(row: Mapping[str, Any], new_id: Any) -> dict[str, Any]:
    x, y, width, height = row["face_box"]
    w, h = row["width"], row["height"]
    box = [x / w, y / h, width / w, height / h]
    return {"_id": new_id(), "_cls": "Detection", "tags": [], "attributes": {}, "label": "face", "bounding_box": box}


def _votes(table: pa.Table) -> list[dict[str, Any]]:
    """Return the votes of each row, the share of the largest, and their entropy in bits; {} where nobody voted."""
    if table["votes"].null_count == table.num_rows:
        return []
    given = table["votes"].to_pylist()
    counts = np.array([v or [0] * len(VOTE_COLUMNS) for v in given], np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    entropy = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=1)
    return [
        {
            "votes": {"_cls": "DynamicEmbeddedDocument", **dict(zip(VOTE_COLUMNS, v, strict=True))},
            "vote_share": float(share),
            "vote_entropy": abs(float(bits)),
        }
        if v
        else {}
        for v, share, bits in zip(given, shares.max(axis=1), entropy, strict=True)
    ]


def choices(mapped: Mapping[str, str]) -> list[str]:
    """Return what a reviewer may say, in canonical order: the emotions of the taxonomy, can't tell, not a face."""
    return [WORDS[e] for e in EMOTIONS if e in mapped] + [w for e, w in WORDS.items() if e not in EMOTIONS]


def name_of(path: Path) -> str:
    """Return the name of a manifest's dataset in FiftyOne: its stem, and what tells its place from others."""
    from ferdata.reviewing.ledger import identity

    return f"{path.stem}-{identity(path.resolve())[:6]}"
