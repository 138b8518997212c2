"""A ledger's decisions on a manifest's rows: which row each is about, and the columns that follow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ferdata import manifest as manifests
from ferdata.duplicates.label_conflicts import box_word, face_boxes, published_boxes
from ferdata.labels import Taxonomy, derive
from ferdata.manifest import Manifest
from ferdata.manifest.rewrite import rewritten_metadata, with_columns, write_rewritten
from ferdata.reviewing import ledger as ledgers
from ferdata.reviewing.ledger import Decision, Dispute, Key, Standing
from ferdata.schema import BY_NAME, arrow_type

DECISION_COLUMNS = ("sample_id", "dataset", "pixel_hash", "face_box", "alignment", "native_label", "votes", "ratings",
        "reviewed_label", "proposed_label", "review", "label", "target")  # fmt: skip


Ask = Callable[[Dispute], Decision | None]


@dataclass(frozen=True)
class Verdict:
    """The columns that a ledger gives a manifest: `columns` by name, and what became of its decisions.

    `rows` carry a decision, `changed` of them another `target` than before; `without` counts those without a target
    by what was decided; `elsewhere` are pictures of the ledger that the manifest does not hold.
    """

    columns: Mapping[str, pa.Array]
    rows: int
    changed: int
    without: Mapping[str, int]
    elsewhere: int
    same: bool


def resolved(paths: Sequence[Path], rule: str, ask: Ask | None) -> tuple[list[Decision], Standing]:
    """Return the decisions of ledgers and those that stand; what `ask` answers is appended to the first ledger.

    Raises BadOption, BrokenSource, CannotWrite.
    """
    answers: list[Decision] = []
    decisions = [d for path in paths for d in ledgers.read(path)]
    standing = ledgers.resolve(decisions, rule, _kept(ask, answers) if ask else None)
    if answers:
        with ledgers.locked(paths[0]):
            decisions += ledgers.append(paths[0], answers)
    return decisions, standing


def _kept(ask: Ask, answers: list[Decision]) -> Ask:
    def keep(dispute: Dispute) -> Decision | None:
        answer = ask(dispute)
        if answer is not None:
            answers.append(answer)
        return answer

    return keep


def not_applied(opened: Manifest, ledger: Path) -> int:
    """Return how many rows of a manifest lack what a ledger decides, disputes aside. Raises BrokenSource."""
    decided = {key: d for key, d in ledgers.resolve(ledgers.read(ledger), "ask").decided.items() if d}
    if not decided:
        return 0
    table = opened.table("dataset", "pixel_hash", "face_box", "alignment", "reviewed_label")
    pick = _pick(table, {key: i for i, key in enumerate(decided)})
    rows = np.flatnonzero(pick >= 0)
    labels = [d.new for d in decided.values()]
    held = table["reviewed_label"].take(pa.array(rows)).to_pylist()
    return sum(label != labels[at] for label, at in zip(held, pick[rows].tolist(), strict=True))


def verdict(
    table: pa.Table, standing: Standing, maps: Mapping[str, Mapping[str, str]], policy: str, classes: Taxonomy
) -> Verdict:
    """Return what `standing` decides for the rows of `table`, which has DECISION_COLUMNS; other rows stay.

    A decision is about pixels: a mirrored copy has others, and a frown mirrored is still to be looked at. Where a
    photograph holds several faces, the box must be the same too.
    """
    keys: list[Key] = list(standing.decided)
    where = {key: i for i, key in enumerate(keys)}
    pick = _pick(table, where)
    decisions = list(standing.decided.values())
    labels = [d.new if d else None for d in decisions]
    reviews: list[dict[str, Any] | None] = [
        {"by": d.by, "at": d.at, "note": d.note, "status": d.status} if d else None for d in decisions
    ]
    spoken = pa.array(pick >= 0)
    index = pa.array(np.where(pick >= 0, pick, 0))
    fresh: dict[str, pa.Array] = {}
    for name, values in (("reviewed_label", labels), ("review", reviews)):
        kind = arrow_type(BY_NAME[name])
        given = pa.array(values or [None], kind).take(index)
        old = table[name].combine_chunks()
        fresh[name] = _merge(spoken, given, old, kind)
    at = table.schema.get_field_index("reviewed_label")
    derived = derive(table.set_column(at, "reviewed_label", fresh["reviewed_label"]), maps, policy, classes)
    columns = {"reviewed_label": fresh["reviewed_label"], "review": fresh["review"], "target": derived["target"]}
    before = table["target"].combine_chunks()
    differ = ~_equal(before, columns["target"])
    silent = pc.and_(columns["reviewed_label"].is_valid(), columns["target"].is_null())
    without = columns["reviewed_label"].filter(silent).value_counts().to_pylist()
    found = {keys[i] for i in np.unique(pick[pick >= 0])}
    return Verdict(
        columns,
        rows=int(pc.sum(columns["reviewed_label"].is_valid()).as_py() or 0),
        changed=int(differ.sum()),
        without={str(w["values"]): int(w["counts"]) for w in without},
        elsewhere=sum(key not in found for key in keys),
        same=all(columns[n].equals(table[n].combine_chunks()) for n in columns),
    )


def _pick(table: pa.Table, where: Mapping[Key, int]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return, for each row, the position of the decision about it, or -1.

    A decision with a box is about the face in that box, also where this table holds no other of the photograph; one
    without is about the only face there is.
    """
    pick = np.full(table.num_rows, -1, np.int64)
    rows = np.flatnonzero(pc.is_in(table["pixel_hash"], pa.array([h for h, _ in where], pa.string())).to_numpy())
    columns = (table["pixel_hash"], published_boxes(table), face_boxes(table))
    hashes, boxes, faces = (column.take(pa.array(rows)).to_pylist() for column in columns)
    for row, picture, box, face in zip(rows, hashes, boxes, faces, strict=True):
        pick[row] = where.get((picture, box_word(box)), -1 if face else where.get((picture, ""), -1))
    return pick


def _merge(spoken: pa.Array, given: pa.Array, old: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return `given` where a decision speaks, else `old`; Arrow's `if_else` knows no structs with nulls in them."""
    n = len(old)
    both = pa.concat_arrays([old.cast(kind), given])
    index = pc.if_else(spoken, pa.array(np.arange(n, 2 * n)), pa.array(np.arange(n)))
    return both.take(index)


def _equal(one: pa.Array, other: pa.Array) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    same = pc.fill_null(pc.equal(one, other), False)
    return np.asarray(pc.or_(same, pc.and_(one.is_null(), other.is_null())).to_numpy(zero_copy_only=False))


def write_verdict(
    opened: Manifest,
    found: Verdict,
    out: Path,
    paths: Sequence[Path],
    decisions: Sequence[Decision],
    rule: str,
) -> str:
    """Write the manifest with the columns of a verdict to `out`; return its fingerprint. Raises CannotWrite."""
    options = {"ledger": [p.name for p in paths], "resolve": rule}
    counted = {"decisions": len({d.id for d in decisions}), "reviewed": found.rows, "without_target": found.without}
    record = manifests.step_record("review", options, [opened], rows_in=opened.rows, rows_out=opened.rows, **counted)
    lineage = opened.metadata["lineage"]
    if len(lineage) == 1 and lineage[0]["step"] == "review":
        record["inputs"] = lineage[0]["inputs"]  # a ledger that grows is one review, not one on top of another
    metadata = rewritten_metadata([opened], out, [record])
    batches = with_columns([opened], found.columns, "writing")
    return str(write_rewritten([opened], out, batches, metadata, force=True)["fingerprint"])
