"""A review as a CSV sheet: the faces of a manifest to fill in, and the decisions that a filled-in sheet holds."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferdata.duplicates.label_conflicts import PICTURE_BY, face_boxes
from ferdata.errors import BadOption, BrokenSource, UnknownLabel
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger as ledgers
from ferdata.reviewing.fiftyone.fields import truth
from ferdata.reviewing.fiftyone.findings import FINDING_COLUMNS, findings
from ferdata.reviewing.ledger import WORDS, Decision, canonical, identity
from ferdata.running.whole_file import write_whole

Line = Mapping[str, str]  # of a sheet: column -> cell

COLUMNS = ("new", "note", "label", "native_label", "votes", "findings", "label_quality", "file", "dataset", "sample_id",
           "pixel_hash", "face", "decided", "by", "at")  # fmt: skip
ONLY = ("all", "suspect", "conflict", "leak", "low-quality", "copy", "torn-vote", "unreviewed")
FINDING = {"suspect": "suspect label", "low-quality": "low quality", "torn-vote": "torn vote"}
SHOWN = 10  # lines named in an error


def write(opened: Manifest, out: Path, only: str) -> int:
    """Write the faces of a manifest that `only`, one of ONLY, leaves to `out`; return how many. Raises CannotWrite."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    rows = 0
    for rows, line in enumerate(_lines(opened, only), 1):  # noqa: B007  # how many there were
        writer.writerow({k: _safe(v) if k not in ("sample_id", "pixel_hash", "face") else v for k, v in line.items()})
    write_whole(out, "\ufeff" + text.getvalue())
    return rows


def _safe(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


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
        text = source.read_text(encoding="utf-8-sig")
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
        return [{k: (v or "").strip() for k, v in line.items() if k} for line in reader]
    except csv.Error as error:
        raise BrokenSource(f"{source} is no CSV: {error}.", "Save it as CSV in UTF-8.") from None


def decisions(lines: Sequence[Line], opened: Manifest, source: Path, who: str) -> list[Decision]:
    """Return what `who` decided in the lines of `source`, one for each that is filled in.

    A label that is none is refused with all others, so that a sheet is taken whole. Raises UnknownLabel, BadOption.
    """
    table = opened.table("sample_id", *PICTURE_BY, "label", "reviewed_label")
    rows = {r["sample_id"]: r for r in table.drop(["alignment", "face_box"]).to_pylist()}
    faces = dict(zip(table["sample_id"].to_pylist(), face_boxes(table).to_pylist(), strict=True))
    wrong, strangers, made = [], [], []
    for number, line in enumerate(lines, 2):
        try:
            new = canonical(line["new"])
        except UnknownLabel as error:
            wrong.append(f"line {number}: {error.message}")
            continue
        if new is None:
            continue
        sample = line["sample_id"]
        row = rows.get(sample)
        picture = line.get("pixel_hash") or (row or {}).get("pixel_hash")
        if not picture:
            strangers.append(f"line {number}: {sample}")
            continue
        old = (row["reviewed_label"] or row["label"]) if row else canonical(line.get("label"))
        at, note = ledgers.now(), line.get("note") or None
        made.append(
            Decision(
                id=identity("csv", who, picture, sample, new, note, at), pixel_hash=picture, sample_id=sample, old=old,
                new=new, by=who, at=at, status="confirmed" if new == old else "relabelled", note=note,
                face=line.get("face") or faces.get(sample, ""), evidence={"via": "csv", "sheet": source.name},
            )
        )  # fmt: skip
    if wrong:
        raise UnknownLabel(
            f"{source}: {len(wrong)} labels are none; nothing was taken.\n" + "\n".join(wrong[:SHOWN]),
            f"Use one of {', '.join(WORDS.values())}.",
        )
    if strangers:
        raise BadOption(
            f"{source}: {len(strangers)} lines name no face of {opened.path}.\n" + "\n".join(strangers[:SHOWN]),
            "Keep the column pixel_hash, or import into the manifest that the sheet was made of.",
        )
    return made


def append_new(ledger: Path, decided: Sequence[Decision], who: str) -> int:
    """Append to a ledger those decisions of `who` that it does not hold yet; return how many. Raises CannotWrite."""
    with ledgers.locked(ledger):
        before = {k: of[who] for k, of in ledgers.by_reviewer(ledgers.read(ledger)).items() if who in of}
        return len(ledgers.append(ledger, [d for d in decided if not _repeats(d, before.get(d.key))]))


def _repeats(now: Decision, before: Decision | None) -> bool:
    return before is not None and before.new == now.new and (now.note is None or before.note == now.note)
