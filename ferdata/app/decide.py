"""What reviewers decide in the App, kept in a collection of FiftyOne's database until it is pulled.

The operators of our plugin and the Annotate tab both change `ground_truth`. An operator's decision is recorded as it
is made; one of the Annotate tab is told by its label differing from `known_label`, and recorded by `harvest`. A record
is never changed into another one, so a pull that is killed finds it again, under the same id.
"""

import uuid
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ferdata.app.fields import DECIDED, KNOWN, PREDICTION, TRUTH, classification
from ferdata.errors import UnknownLabel
from ferdata.ledger import WORDS, Decision, canonical, identity

COLLECTION = "ferdata.decisions"
INFO = "ferdata"  # the key of `dataset.info` that says which manifest it shows
EVIDENCE = ("native_label", "label", "target", "label_quality", "issues", "findings", "vote_share", "dataset")


@dataclass(frozen=True)
class Strange:
    """A ground truth that is no decision: another word, or none; it waits in the App."""

    sample_id: str
    label: str | None
    why: str


def records(dataset: Any) -> Any:
    """Return the collection of decisions, in the database of `dataset`."""
    return dataset._sample_collection.database[COLLECTION]


def reviewer(dataset: Any) -> str:
    """Return who reviews: the name that `ferdata review` was given."""
    return str((dataset.info.get(INFO) or {}).get("reviewer") or "somebody")


def waiting(dataset: Any) -> int:
    """Return how many decisions wait to be pulled, those of the Annotate tab included."""
    made = records(dataset).count_documents({"dataset": dataset._doc.id, "pulled": False, "undone": False})
    return int(made + dataset._sample_collection.count_documents(_edited()))


def left(dataset: Any, view: Any = None) -> tuple[int, int]:
    """Return how many samples, of the dataset or of a view of it, nobody has decided on, and how many there are."""
    undecided = [{"$match": {"decision": None, "$nor": [_edited()]}}, {"$count": "n"}]
    if view is None:
        found = list(dataset._sample_collection.aggregate(undecided))
        return (found[0]["n"] if found else 0), int(dataset._sample_collection.estimated_document_count())
    found = list(view._aggregate(post_pipeline=undecided))
    return (found[0]["n"] if found else 0), len(view)


def _edited() -> dict[str, Any]:
    """Return the query for samples whose ground truth is not what we last knew: edited in the Annotate tab."""
    return {"$expr": {"$ne": [{"$ifNull": [f"${TRUTH}.label", None]}, {"$ifNull": [f"${KNOWN}", None]}]}}


def decide(
    dataset: Any, ids: Iterable[Any], new: str | None, by: str | None = None, note: str | None = None
) -> tuple[int, int]:
    """Record a decision on each sample of `ids`: `new`, one of DECISIONS, or None to confirm what it says.

    Returns how many were decided, and how many there was nothing to confirm on.
    """
    wanted = list(ids)
    harvest(dataset, by, wanted)
    made, updates, at = [], [], datetime.now(UTC)
    for sample in dataset._sample_collection.find({"_id": {"$in": wanted}}):
        old = _said(sample)
        word = WORDS[new] if new else (sample.get(TRUTH) or {}).get("label")
        if new is None and old is None:
            continue
        status = "confirmed" if new is None or new == old else "relabelled"
        record = _record(dataset, sample, old, new or old, status, by, at, note, "operator")
        made.append(record | {"_id": uuid.uuid4().hex})
        updates.append(_update(sample, word, status, record["by"], at, note))
    _write(dataset, made, updates)
    return len(made), len(wanted) - len(made)


def undo(dataset: Any, ids: Iterable[Any], by: str | None = None) -> int:
    """Take back the last decision on each sample of `ids`; return on how many there was one.

    One that was pulled already stands in the ledger for good: a withdrawal follows it there.
    """
    wanted = list(ids)
    harvest(dataset, by, wanted)
    last: dict[Any, dict[str, Any]] = {}
    query = {"dataset": dataset._doc.id, "sample": {"$in": wanted}, "undone": False, "status": {"$ne": "withdrawn"}}
    for record in records(dataset).find(query).sort([("at", 1), ("_id", 1)]):
        last[record["sample"]] = record
    samples = {s["_id"]: s for s in dataset._sample_collection.find({"_id": {"$in": list(last)}})}
    updates, at = [], datetime.now(UTC)
    for key, sample in samples.items():
        before = last[key]["before"]
        updates.append(_update(sample, before["word"], *(before[name] for name in DECIDED)))
    records(dataset).update_many(
        {"_id": {"$in": [r["_id"] for r in last.values()]}}, {"$set": {"undone": True, "undone_at": at.isoformat()}}
    )
    _write(dataset, [], updates)
    return len(samples)


def harvest(dataset: Any, by: str | None = None, ids: Sequence[Any] | None = None) -> list[Strange]:
    """Record what was edited in the Annotate tab; return what is no decision, and stays as it is.

    An edit has the same id however often it is harvested, since the time of the sample's last change is part of it.
    """
    query = _edited() if ids is None else {**_edited(), "_id": {"$in": list(ids)}}
    made, updates, strange = [], [], []
    for sample in dataset._sample_collection.find(query):
        word = (sample.get(TRUTH) or {}).get("label")
        try:
            new = canonical(word)
        except UnknownLabel as error:
            strange.append(Strange(sample["sample_id"], word, error.message))
            continue
        if new is None:
            strange.append(Strange(sample["sample_id"], None, "its label was removed, and no other one chosen"))
            continue
        at = sample["last_modified_at"].replace(tzinfo=UTC)
        old = _canonical_or_none(sample.get(KNOWN))
        status = "confirmed" if new == old else "relabelled"
        record = _record(dataset, sample, old, new, status, by, at, None, "annotate")
        parts = (dataset._doc.id, sample["_id"], sample.get(KNOWN), word, at.isoformat())
        made.append(record | {"_id": identity(*parts)})
        updates.append(_update(sample, WORDS[new], status, record["by"], at, None))
    _write(dataset, made, updates)
    return strange


def _said(sample: Mapping[str, Any]) -> str | None:
    return _canonical_or_none((sample.get(TRUTH) or {}).get("label"))


def _canonical_or_none(word: str | None) -> str | None:
    try:
        return canonical(word)
    except UnknownLabel:
        return None


def _record(
    dataset: Any, sample: Mapping[str, Any], old: str | None, new: str | None, status: str, by: str | None,
    at: datetime, note: str | None, via: str,
) -> dict[str, Any]:  # fmt: skip
    evidence = {name: sample[name] for name in EVIDENCE if sample.get(name) not in (None, [])}
    if sample.get("votes"):
        evidence["votes"] = {k: v for k, v in sample["votes"].items() if k != "_cls" and v}
    if sample.get(PREDICTION):
        evidence["prediction"] = {k: sample[PREDICTION].get(k) for k in ("label", "confidence")}
    return {
        "dataset": dataset._doc.id,
        "sample": sample["_id"],
        "sample_id": sample["sample_id"],
        "pixel_hash": sample["pixel_hash"],
        "face": sample.get("face_key") or "",
        "old": old,
        "new": new,
        "status": status,
        "by": by or reviewer(dataset),
        "at": at.isoformat(timespec="milliseconds"),
        "note": note or None,
        "evidence": evidence | {"via": via},
        "before": {"word": sample.get(KNOWN)} | {name: sample.get(name) for name in DECIDED},
        "pulled": False,
        "undone": False,
    }


def _update(
    sample: Mapping[str, Any], word: str | None, decision: str | None, by: str | None, at: datetime | None,
    note: str | None,
) -> Any:  # fmt: skip
    from bson import ObjectId
    from pymongo import UpdateOne

    truth = {**sample[TRUTH], "label": word} if word and sample.get(TRUTH) else classification(word, ObjectId)
    naive = at.astimezone(UTC).replace(tzinfo=None) if at and at.tzinfo else at
    values = {TRUTH: truth, KNOWN: word, "decision": decision, "decided_by": by, "decided_at": naive, "note": note}
    values["last_modified_at"] = datetime.now(UTC).replace(tzinfo=None)
    return UpdateOne({"_id": sample["_id"]}, {"$set": values})


def _write(dataset: Any, made: Sequence[Mapping[str, Any]], updates: Sequence[Any]) -> None:
    """Record first, show then: a server that dies in between has lost nothing."""
    from pymongo import ReplaceOne

    if made:
        # A record that is there already keeps its marks; it is the same decision.
        have = {r["_id"] for r in records(dataset).find({"_id": {"$in": [m["_id"] for m in made]}}, {"_id": 1})}
        fresh = [ReplaceOne({"_id": m["_id"]}, dict(m), upsert=True) for m in made if m["_id"] not in have]
        if fresh:
            records(dataset).bulk_write(fresh, ordered=False)
    if updates:
        dataset._sample_collection.bulk_write(list(updates), ordered=False)


def pending(dataset: Any, known: Container[str]) -> list[Decision]:
    """Return every decision of a dataset that a ledger, which has the ids `known`, lacks, in the order of their time.

    What was undone before it was ever pulled is nothing; what was undone after comes as its withdrawal.
    """
    found = []
    for r in records(dataset).find({"dataset": dataset._doc.id}).sort([("at", 1), ("_id", 1)]):
        names = ("pixel_hash", "sample_id", "old", "new", "by", "at", "status", "note", "face", "evidence")
        decision = Decision(id=r["_id"], **{name: r[name] for name in names})
        if r["undone"]:
            if decision.id in known:
                found.append(_withdrawal(decision, r["undone_at"]))
        elif decision.id not in known:
            found.append(decision)
    return [d for d in found if d.id not in known]


def _withdrawal(decision: Decision, at: str) -> Decision:
    from dataclasses import replace

    evidence = {"withdraws": decision.id, "via": "undo"}
    return replace(
        decision, id=f"{decision.id}-undone", old=decision.new, new=decision.old, status="withdrawn", at=at,
        note=None, evidence=evidence,
    )  # fmt: skip


def pulled(dataset: Any, known: Collection[str]) -> None:
    """Mark the decisions that stand in a ledger, which has the ids `known`."""
    waits = records(dataset).find({"dataset": dataset._doc.id, "pulled": False}, {"_id": 1})
    ids = [r["_id"] for r in waits if r["_id"] in known]
    records(dataset).update_many({"_id": {"$in": ids}}, {"$set": {"pulled": True}})
