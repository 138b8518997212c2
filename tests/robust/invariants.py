"""What holds whatever is thrown at a command: each function returns what is wrong, in words."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.parquet as pq

from ferdata.manifest import Manifest
from ferdata.manifest.file import conform
from ferdata.manifest.fingerprint import Fingerprint
from ferdata.sources.left_out import as_text
from tests.robust.child import DONE, Ended
from tests.robust.mutate_tree import Touched
from tests.robust.snapshot import Entry, changed

KEPT = (  # columns of a row that nothing but its own file and its own lines may change
    *("native_label", "votes", "target", "label_reason", "official_split", "subject", "sequence", "frame"),
    "pixel_hash",
)
MOST_MEGABYTES = 2000
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Taken:
    """What an ingest has written: rows by sample id, rejects, and how many other files it counted by ending."""

    rows: Mapping[str, Row]
    rejects: list[Row]
    record: Mapping[str, Any]

    @property
    def named(self) -> set[str]:
        """The paths and keys by which something is accounted for."""
        paths = {row["path"] for row in self.rows.values() if row["path"]}
        keys = {reject["sample_id"].partition(":")[2] for reject in self.rejects}
        return paths | keys | {reject["path"] for reject in self.rejects if reject["path"]}


def taken(out: Path) -> Taken:
    """Read what an ingest has written to `out`."""
    table = pq.read_table(out, columns=["sample_id", "image", *KEPT]).to_pylist()
    rows = {row["sample_id"]: {**{c: row[c] for c in KEPT}, "path": row["image"]["path"]} for row in table}
    rejects = out.with_name(f"{out.stem}.rejects.parquet")
    metadata = json.loads(pq.read_metadata(out).metadata[b"ferdata"])
    return Taken(rows, pq.read_table(rejects).to_pylist() if rejects.exists() else [], metadata["lineage"][-1])


def only_our_errors(ended: Ended) -> list[str]:
    """No traceback, no hang, no killed process; an error has a message and a hint, and fits on a screen."""
    return [ended.fault] if ended.fault else []


def within_memory(ended: Ended) -> list[str]:
    """No input makes a command take memory without end."""
    return [f"{ended.megabytes:,} MB of memory"] if ended.megabytes > MOST_MEGABYTES else []


def inputs_unchanged(before: dict[str, Entry], after: dict[str, Entry]) -> list[str]:
    """Nothing but the output's own folder changes: no input, and nothing beside it."""
    names = changed(before, after)
    return [f"changed outside of out: {names[:4]}"] if names else []


def nothing_half_written(out: Path, ended: Ended, whole: Iterable[str]) -> list[str]:
    """After an error there is no output; after success there is what belongs to it, and nothing hidden."""
    there = {path.name for path in out.iterdir()}
    stray = there - (set(whole) if ended.how == DONE else set())
    return [f"after {ended.how} there is {sorted(stray)[:4]}"] if stray else []


def the_record_adds_up(found: Taken) -> list[str]:
    """Rows in are rows out and rejects, each of which is in the file of rejects."""
    dropped = sum(found.record["dropped"].values())
    problems = []
    if found.record["rows_in"] != found.record["rows_out"] + dropped or found.record["rows_out"] != len(found.rows):
        problems.append(f"the lineage counts {found.record['rows_in']} in, {found.record['rows_out']} out, {dropped}")
    if dropped != len(found.rejects):
        problems.append(f"{len(found.rejects)} rejects in the file, {dropped} in the lineage")
    return problems


def every_file_is_accounted_for(base: Path, found: Taken) -> list[str]:
    """Every file below the layout's base is a row, a reject by name, or counted by its ending."""
    left: Counter[str] = Counter()
    first: dict[str, str] = {}
    named = found.named
    # Frames of videos and rows of shards have no path of their own, but the file's name in their key.
    parts = {part for key, row in found.rows.items() if not row["path"] for part in key.partition(":")[2].split("/")}
    for parent, folders, names in os.walk(base):
        within = Path(parent).relative_to(base)
        # A folder that may not be read is a reject itself.
        folders[:] = [
            n for n in folders if not n.startswith((".", "__")) and as_text((within / n).as_posix()) not in named
        ]
        for name in names:
            path = (within / name).as_posix()
            known = as_text(path) in named or path in named or PurePosixPath(name).stem in parts
            if not name.startswith(".") and not known:
                ending = PurePosixPath(as_text(name)).suffix.lower()
                left[ending] += 1
                first.setdefault(ending, as_text(path))
    counted = Counter(found.record["other_files"])
    without = sum((left - counted).values()) - counted["without an ending"]
    return [f"{without} files are neither rows nor rejects nor counted: {list(first.values())[:3]}"] * (without > 0)


def untouched_rows_are_the_same(before: Taken, after: Taken, touched: Touched) -> list[str]:
    """Rows that nothing touched are there, with their label, split and person; those that are gone are named."""
    by_path: dict[str, list[Row]] = {}
    for row in after.rows.values():
        by_path.setdefault(row["path"] or "", []).append(row)
    rejected = " ".join(f"{reject['sample_id']} {reject['path'] or ''}" for reject in after.rejects)
    lost, wrong = [], []
    for key, row in before.rows.items():
        if _is_touched(key, row, touched):
            continue
        found = after.rows.get(key)
        same = by_path.get(row["path"] or "", []) if row["path"] else []
        if found is None or found["path"] != row["path"]:  # its key may hold what tells it from another
            found = same[0] if len(same) == 1 else None
        if found is None:
            if not same and not any(word in rejected for word in _words(key, row)):
                lost.append(key)
        elif differs := {c: (row[c], found[c]) for c in KEPT if row[c] != found[c]}:
            wrong.append(f"{key} {differs}")
    problems = [f"{len(lost)} rows are gone without a word: {lost[:3]}"] if lost else []
    return problems + ([f"{len(wrong)} rows that nothing touched are others: {wrong[:2]}"] if wrong else [])


def _words(key: str, row: Row) -> set[str]:
    """Return by what a row may be named in a table, or in the name of a file of its own."""
    words = {key.partition(":")[2], key.partition(":")[2].rpartition("/")[0]}
    for value in filter(None, (row["path"], row["sequence"], row["subject"])):
        path = PurePosixPath(value)
        words |= {value, path.stem, path.name, path.parent.name}
    return {word for word in words if len(word) > 1}


def _is_touched(key: str, row: Row, touched: Touched) -> bool:
    if row["path"] is None and "/" not in key and touched.paths:  # pixels in a table, whose order may be the key
        return True
    paths = " ".join(touched.paths)
    own = row["path"] or ""
    if any(own == path or own.startswith(f"{path}/") for path in touched.paths):
        return True
    return any(word in touched.text or word in paths for word in _words(key, row))


def is_whole(manifest: Path) -> list[str]:
    """What stands under a manifest's name can be read to the end, and is what it says it is."""
    opened, found = Manifest(manifest), Fingerprint()
    for batch in opened.batches():
        found.update(conform(batch))
    return [] if found.hexdigest() == opened.fingerprint else [f"{manifest.name} holds other rows than it says"]
