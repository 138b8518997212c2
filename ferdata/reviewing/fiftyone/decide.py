"""What reviewers decide in the App, kept in a collection of FiftyOne's database until it is pulled.

The operators of our plugin and the Annotate tab both change `ground_truth`. An operator's decision is recorded as it
is made; one of the Annotate tab is told by its label differing from `known_label`, and recorded by `harvest`. A record
is never changed into another one, so a pull that is killed finds it again, under the same id.

A decision is about a picture, as in the ledger: every sample with the same pixels (and, in a photograph of several, the
same face) shows it at once, and counts once.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ferdata.errors import UnknownLabel
from ferdata.reviewing.fiftyone.fields import DECIDED, KNOWN, PREDICTION, SUGGESTION, TRUTH, classification
from ferdata.reviewing.ledger import WORDS, canonical, identity

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


Picture = tuple[str, str]  # pixel_hash and face, as in `ledger.Key`
Edit = tuple[Mapping[str, Any], str, str, str, datetime]  # the sample, its word, status, by whom, when


def _picture(sample: Mapping[str, Any]) -> Picture:
    return sample["pixel_hash"], sample.get("face_key") or ""


def _copies(dataset: Any, asked: Sequence[Mapping[str, Any]]) -> dict[Picture, list[dict[str, Any]]]:
    """Return every sample that shows one of the pictures of `asked`, by picture."""
    of: dict[Picture, list[dict[str, Any]]] = {_picture(sample): [] for sample in asked}
    for sample in dataset._sample_collection.find({"pixel_hash": {"$in": sorted({h for h, _ in of})}}):
        if _picture(sample) in of:
            of[_picture(sample)].append(sample)
    return of


def _pictures(dataset: Any, ids: Iterable[Any], by: str | None) -> dict[Picture, list[dict[str, Any]]]:
    """Return `_copies` of the samples `ids`, after what was edited on any of them is recorded."""
    asked = list(dataset._sample_collection.find({"_id": {"$in": list(ids)}}))
    harvest(dataset, by, [sample["_id"] for copies in _copies(dataset, asked).values() for sample in copies])
    return _copies(dataset, asked)


def waiting(dataset: Any) -> int:
    """Return of how many pictures a ledger lacks something: a decision, or that it was taken back since.

    What the Annotate tab changed counts at once, before it is recorded.
    """
    recorded = records(dataset).find(unpulled(dataset), {"pixel_hash": 1, "face": 1})
    changed = dataset._sample_collection.find(_edited(), {"pixel_hash": 1, "face_key": 1})
    return len({(r["pixel_hash"], r["face"]) for r in recorded} | {_picture(sample) for sample in changed})


def unpulled(dataset: Any) -> dict[str, Any]:
    """Return the query for records of which a ledger lacks something: a decision, or that it was taken back since."""
    made = {"pulled": False, "undone": False}
    taken_back = {"pulled": True, "undone": True, "withdrawn": {"$ne": True}}
    return {"dataset": dataset._doc.id, "$or": [made, taken_back]}


def edited(dataset: Any) -> int:
    """Return how many samples were edited in the Annotate tab, and not harvested yet."""
    return int(dataset._sample_collection.count_documents(_edited()))


def left(dataset: Any, view: Any = None) -> tuple[int, int]:
    """Return how many samples, of the dataset or of a view of it, nobody has decided on, and how many there are."""
    decided = {"$or": [{"$ne": [{"$ifNull": ["$decision", None]}, None]}, _edited()["$expr"]]}
    stages = [{"$group": {"_id": None, "left": {"$sum": {"$cond": [decided, 0, 1]}}, "n": {"$sum": 1}}}]
    if view is None:
        found = list(dataset._sample_collection.aggregate(stages))
    else:
        found = list(view._aggregate(post_pipeline=stages))
    return (found[0]["left"], found[0]["n"]) if found else (0, 0)


def undecided(dataset: Any) -> int:
    """Return how many samples nobody has decided on."""
    return int(dataset._sample_collection.count_documents({"decision": None, "$nor": [_edited()]}))


def _edited() -> dict[str, Any]:
    """Return the query for samples whose ground truth is not what we last knew: edited in the Annotate tab."""
    return {"$expr": {"$ne": [{"$ifNull": [f"${TRUTH}.label", None]}, {"$ifNull": [f"${KNOWN}", None]}]}}


def decide(
    dataset: Any,
    ids: Iterable[Any],
    new: str | None,
    by: str | None = None,
    note: str | None = None,
    at: datetime | None = None,
) -> tuple[int, int]:
    """Record a decision on each picture of the samples `ids`: `new`, one of DECISIONS, or None to confirm its label.

    Returns how many pictures were decided, and on how many there was nothing to confirm: no label, or several. `at`
    is when, if not now.
    """
    wanted = set(ids)
    pictures = _pictures(dataset, wanted, by)
    made, updates, at = [], [], at or datetime.now(UTC)
    for copies in pictures.values():
        chosen = [sample for sample in copies if sample["_id"] in wanted]
        labels = {_label(sample) for sample in chosen}
        if new is None and (None in labels or len(labels) > 1):
            continue
        old = _label(chosen[0])
        word = WORDS[new] if new else (chosen[0].get(TRUTH) or {}).get("label")
        status = "confirmed" if new is None or labels == {new} else "relabelled"
        record = _record(dataset, chosen[0], old, new or old, status, by, at, note, "operator")
        made.append(record | {"_id": uuid.uuid4().hex, "copies": _before(copies, chosen[0])})
        updates += [_update(sample, word, status, record["by"], at, note) for sample in copies]
    _write(dataset, made, updates)
    return len(made), len(pictures) - len(made)


def accept(dataset: Any, ids: Iterable[Any], by: str | None = None, note: str | None = None) -> tuple[int, int]:
    """Record, on each picture of the samples `ids`, the decision that was suggested for it; counts as `decide` does."""
    suggested: dict[str | None, list[Any]] = {}
    for sample in dataset._sample_collection.find({"_id": {"$in": list(ids)}}):
        suggested.setdefault(_canonical_or_none(sample.get(SUGGESTION)), []).append(sample["_id"])
    without = len(suggested.pop(None, ()))
    at = datetime.now(UTC)  # one press of a key, so one step for whoever takes it back
    return sum(decide(dataset, some, word, by, note, at)[0] for word, some in suggested.items()), without


def last_decided(dataset: Any, by: str | None = None) -> list[Any]:
    """Return the samples of the last decision that a reviewer made, wherever they are; all that one key decided on."""
    harvest(dataset, by)
    mine = {"dataset": dataset._doc.id, "by": by or reviewer(dataset), "undone": False}
    for record in records(dataset).find(mine).sort([("at", -1), ("_id", -1)]):
        at_once = records(dataset).distinct("sample", {**mine, "at": record["at"]})
        there = [s["_id"] for s in dataset._sample_collection.find({"_id": {"$in": at_once}}, {"_id": 1})]
        if there:
            return there
    return []


def undo(dataset: Any, ids: Iterable[Any], by: str | None = None) -> int:
    """Take back the last decision on each picture of the samples `ids`; return on how many there was one.

    One that was pulled already stands in the ledger for good: a withdrawal follows it there.
    """
    pictures = _pictures(dataset, ids, by)
    last: dict[Picture, dict[str, Any]] = {}
    query = {
        "dataset": dataset._doc.id, "pixel_hash": {"$in": sorted({h for h, _ in pictures})}, "undone": False,
        "status": {"$ne": "withdrawn"},
    }  # fmt: skip
    for record in records(dataset).find(query).sort([("at", 1), ("_id", 1)]):
        last[record["pixel_hash"], record["face"]] = record
    last = {picture: record for picture, record in last.items() if picture in pictures}
    updates, at = [], datetime.now(UTC)
    for picture, record in last.items():
        before = {copy["sample"]: copy for copy in record.get("copies", ())}
        for sample in pictures[picture]:  # a copy that came later becomes what the picture was
            held = before.get(sample["_id"], record["before"])
            updates.append(_update(sample, held["word"], *(held[name] for name in DECIDED)))
    records(dataset).update_many(
        {"_id": {"$in": [r["_id"] for r in last.values()]}}, {"$set": {"undone": True, "undone_at": at.isoformat()}}
    )
    _write(dataset, [], updates)
    return len(last)


def harvest(
    dataset: Any, by: str | None = None, ids: Sequence[Any] | None = None, settled: float = 0.0
) -> list[Strange]:
    """Record what was edited in the Annotate tab; return what is no decision, and stays as it is.

    An edit has the same id however often it is harvested, since the time of the sample's last change is part of it.
    With `settled`, edits of the last so many seconds are left alone: another one of the same hand may be under way.
    """
    query = _edited() if ids is None else {**_edited(), "_id": {"$in": list(ids)}}
    if settled:
        query["last_modified_at"] = {"$lt": (datetime.now(UTC) - timedelta(seconds=settled)).replace(tzinfo=None)}
    made, strange = [], []
    seen: dict[Any, Edit] = {}
    for sample in dataset._sample_collection.find(query).sort("last_modified_at", 1):
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
        seen[sample["_id"]] = (sample, WORDS[new], status, record["by"], at)
    _write(dataset, *_with_copies(dataset, made, seen))
    return strange


def _with_copies(
    dataset: Any, made: Sequence[dict[str, Any]], seen: Mapping[Any, Edit]
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return the records of edits with their copies, and the updates: a copy not edited itself takes the last edit."""
    if not made:
        return [], []
    pictures = _copies(dataset, [sample for sample, *_ in seen.values()])
    last = {_picture(sample): (word, status, by, at) for sample, word, status, by, at in seen.values()}
    updates = []
    for picture, copies in pictures.items():
        for sample in copies:
            own = (sample.get(TRUTH) or {}).get("label") != sample.get(KNOWN)
            if own and sample["_id"] not in seen:
                continue  # no decision, or not settled: it stays as it is
            updates.append(_update(sample, *last[picture], None))
    full = [
        record | {"copies": _before(pictures[record["pixel_hash"], record["face"]], seen[record["sample"]][0])}
        for record in made
    ]
    return full, updates


def _before(copies: Sequence[Mapping[str, Any]], but: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the copies of a decided sample labels before, so that it can be taken back."""
    return [{"sample": c["_id"]} | _held(c) for c in copies if c["_id"] != but["_id"]]


def _held(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {"word": sample.get(KNOWN)} | {name: sample.get(name) for name in DECIDED}


def _label(sample: Mapping[str, Any]) -> str | None:
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
        "before": _held(sample),
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
