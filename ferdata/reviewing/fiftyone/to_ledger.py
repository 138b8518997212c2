"""From the App's records to the ledger: which of them it lacks, whose they are, and that it has them now."""

from collections.abc import Collection, Container
from dataclasses import replace
from typing import Any

from ferdata.reviewing.fiftyone.decide import records
from ferdata.reviewing.ledger import Decision


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


def _of_withdrawal(decision: str) -> str:
    """Return the id of what takes a decision back."""
    return f"{decision}-undone"


def _withdrawal(decision: Decision, at: str) -> Decision:
    evidence = {"withdraws": decision.id, "via": "undo"}
    return replace(
        decision, id=_of_withdrawal(decision.id), old=decision.new, new=decision.old, status="withdrawn", at=at,
        note=None, evidence=evidence,
    )  # fmt: skip


def attribute(dataset: Any, by: str) -> None:
    """Name who edited in the Annotate tab, in what of it was not pulled yet."""
    query = {"dataset": dataset._doc.id, "pulled": False, "evidence.via": "annotate"}
    records(dataset).update_many(query, {"$set": {"by": by}})


def pulled(dataset: Any, known: Collection[str]) -> None:
    """Mark the decisions, and what takes them back, that stand in a ledger, which has the ids `known`."""
    of = {"dataset": dataset._doc.id}
    for mark, among, id_of in (
        ("pulled", {"pulled": False}, str),
        ("withdrawn", {"undone": True, "withdrawn": {"$ne": True}}, _of_withdrawal),
    ):
        ids = [r["_id"] for r in records(dataset).find(of | among, {"_id": 1}) if id_of(r["_id"]) in known]
        records(dataset).update_many({"_id": {"$in": ids}}, {"$set": {mark: True}})
