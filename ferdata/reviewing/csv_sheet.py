"""A review as a CSV sheet: the faces of a manifest to fill in, and the decisions that a filled-in sheet holds."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferdata.duplicates.label_conflicts import PICTURE_BY, box_word, face_boxes, published_boxes
from ferdata.errors import BadOption, BrokenSource, UnknownLabel
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger as ledgers
from ferdata.reviewing.fiftyone.fields import truth
from ferdata.reviewing.fiftyone.findings import FINDING_COLUMNS, findings
from ferdata.reviewing.ledger import WORDS, Decision, canonical, identity
from ferdata.running.plain_file import read_plain
from ferdata.running.spreadsheet import as_cell, from_cell
from ferdata.running.whole_file import write_whole

Line = Mapping[str, str]  # of a sheet: column -> cell

COLUMNS = ("new", "note", "label", "native_label", "votes", "findings", "label_quality", "file", "dataset", "sample_id",
           "pixel_hash", "face", "decided", "by", "at")  # fmt: skip
NAMES = ("sample_id", "face")  # columns that are compared with the manifest's
ONLY = ("all", "suspect", "conflict", "leak", "low-quality", "copy", "low-agreement", "unreviewed")
FINDING = {"suspect": "suspect label", "low-quality": "low quality", "low-agreement": "low-agreement votes"}
SHOWN = 10  # lines named in an error
UNDO = ("undo", "withdraw")  # in the column `new`: what this reviewer decided is taken back
PIXELS = re.compile("[0-9a-f]{32}")


def write(opened: Manifest, out: Path, only: str) -> int:
    """Write the faces of a manifest that `only`, one of ONLY, leaves to `out`; return how many. Raises CannotWrite."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    rows = 0
    for rows, line in enumerate(_lines(opened, only), 1):  # noqa: B007  # how many there were
        writer.writerow({name: as_cell(value) for name, value in line.items()})
    write_whole(out, "\ufeff" + text.getvalue())
    return rows


def _lines(opened: Manifest, only: str) -> Iterator[dict[str, Any]]:
    names = ("sample_id", "native_label", "label", "reviewed_label", "review", *FINDING_COLUMNS)
    table = opened.table(*dict.fromkeys(names))
    found = findings(table, {})
    words, faces = truth(table, opened.taxonomy.mapping), face_boxes(table).to_pylist()
    paths = [row["path"] for row in _images(opened)]
    rows = table.select(
        ["sample_id", "dataset", "pixel_hash", "native_label", "votes", "label_quality", "review"]
    ).to_pylist()
    for i, row in enumerate(rows):
        review = row["review"] or {}
        if (only == "unreviewed" and review) or (
            only not in ("all", "unreviewed") and FINDING.get(only, only) not in found[i]
        ):
            continue
        votes = dict(zip(WORDS.values(), row["votes"] or (), strict=False))
        yield {
            "new": "", "note": "", "label": words[i], "native_label": row["native_label"],
            "votes": " ".join(f"{w.replace(' ', '-')}:{n}" for w, n in votes.items() if n),
            "findings": "; ".join(found[i]), "label_quality": row["label_quality"], "file": paths[i],
            "dataset": row["dataset"], "sample_id": row["sample_id"], "pixel_hash": row["pixel_hash"],
            "face": faces[i], "decided": review.get("status"), "by": review.get("by"), "at": review.get("at"),
        }  # fmt: skip


def _images(opened: Manifest) -> Iterator[Mapping[str, Any]]:
    for batch in opened.batches(["image"]):
        yield from ({"path": path} for path in batch.column("image").field("path").to_pylist())


def read(source: Path) -> list[Line]:
    """Return the lines of a filled-in sheet. Raises BadOption, BrokenSource."""
    try:
        text = read_plain(source).decode("utf-8-sig")
    except FileNotFoundError:
        raise BadOption(f"There is no file {source}.", "Make one: ferdata review export M -o review.csv") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenSource(f"Cannot read {source}: {error}.", "Save it as CSV in UTF-8.") from None
    # Spreadsheets of half of Europe write semicolons.
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    lacking = {"new", "sample_id"} - set(reader.fieldnames or ())
    if lacking:
        raise BrokenSource(
            f"{source} has no column {', '.join(sorted(lacking))}.", "Fill in what `ferdata review export` wrote."
        )
    try:
        lines = [{k: (v or "").strip() for k, v in line.items() if k} for line in reader]
        return [line | {name: from_cell(line[name]) for name in NAMES if name in line} for line in lines]
    except csv.Error as error:
        raise BrokenSource(f"{source} is no CSV: {error}.", "Save it as CSV in UTF-8.") from None


def decisions(lines: Sequence[Line], opened: Manifest, source: Path, who: str) -> list[Decision]:
    """Return what `who` decided in the lines of `source`, one for each that is filled in.

    A sheet is taken whole or not at all. Raises UnknownLabel, BrokenSource, BadOption.
    """
    faces = _faces(opened)
    wrong, apart, strangers, made = [], [], [], []
    for number, line in enumerate(lines, 2):
        withdrawn = line["new"].lower() in UNDO
        try:
            new = None if withdrawn else canonical(line["new"])
        except UnknownLabel as error:
            wrong.append(f"line {number}: {error.message}")
            continue
        if new is None and not withdrawn:
            continue
        face = faces.get(line["sample_id"])
        if _is_of_two(line, face):
            apart.append(f"line {number}: {line['sample_id']}")
        elif face is None and not line.get("pixel_hash"):
            strangers.append(f"line {number}: {line['sample_id']}")
        else:
            made.append(_decision(line, face, new, source, who))
    if wrong:
        raise UnknownLabel(
            f"{source}: {len(wrong)} labels are none; nothing was taken.\n" + "\n".join(wrong[:SHOWN]),
            f"Use one of {', '.join(WORDS.values())}, or {UNDO[0]}.",
        )
    if apart:
        raise BrokenSource(
            f"{source}: {len(apart)} lines are about two faces, one by sample_id and another by pixel_hash or face; "
            "nothing was taken.\n" + "\n".join(apart[:SHOWN]),
            "Sort whole lines, never a column alone, and leave these columns as they were exported. If the manifest "
            "has been made anew since, export a new sheet.",
        )
    if strangers:
        raise BadOption(
            f"{source}: {len(strangers)} lines name no face of {opened.path}.\n" + "\n".join(strangers[:SHOWN]),
            "Keep the column pixel_hash, or import into the manifest that the sheet was made of.",
        )
    return made


def _faces(opened: Manifest) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of each face, by sample_id: its pixels, labels, box and key."""
    table = opened.table("sample_id", *PICTURE_BY, "label", "reviewed_label")
    boxes, keys = published_boxes(table).to_pylist(), face_boxes(table).to_pylist()
    rows = table.select(["sample_id", "pixel_hash", "label", "reviewed_label"]).to_pylist()
    return {
        row["sample_id"]: row | {"box": box_word(box), "key": key}
        for row, box, key in zip(rows, boxes, keys, strict=True)
    }


def _is_of_two(line: Line, face: Mapping[str, Any] | None) -> bool:
    """Return whether a line's sample_id is one face, and its pixels or its box are another one's, or nobody's."""
    pixels, box = line.get("pixel_hash"), line.get("face")
    if pixels and not PIXELS.fullmatch(pixels):
        return True  # a spreadsheet took it for a number
    return face is not None and bool((pixels and pixels != face["pixel_hash"]) or (box and box != face["box"]))


def _decision(line: Line, face: Mapping[str, Any] | None, new: str | None, source: Path, who: str) -> Decision:
    """Return the decision of a line; without `new` it takes back what `who` decided on that face."""
    at, note, sample = ledgers.now(), line.get("note") or None, line["sample_id"]
    picture = face["pixel_hash"] if face else line["pixel_hash"]
    published = face["label"] if face else None
    old = (face["reviewed_label"] or published) if face else canonical(line.get("label"))
    status = "withdrawn" if new is None else "confirmed" if new == old else "relabelled"
    return Decision(
        id=identity("csv", who, picture, sample, new or status, note, at), pixel_hash=picture, sample_id=sample,
        old=old, new=published if new is None else new, by=who, at=at, status=status, note=note,
        face=line.get("face") or (face["key"] if face else ""), evidence={"via": "csv", "sheet": source.name},
    )  # fmt: skip


def append_new(ledger: Path, decided: Sequence[Decision], who: str) -> int:
    """Append to a ledger those decisions of `who` that it does not hold yet; return how many. Raises CannotWrite."""
    with ledgers.locked(ledger):
        before = {k: of[who] for k, of in ledgers.by_reviewer(ledgers.read(ledger)).items() if who in of}
        return len(ledgers.append(ledger, [d for d in decided if not _repeats(d, before.get(d.key))]))


def _repeats(now: Decision, before: Decision | None) -> bool:
    if now.status == "withdrawn":
        return before is None
    return before is not None and before.new == now.new and (now.note is None or before.note == now.note)
