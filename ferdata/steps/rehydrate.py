"""Rehydrate: rebuild the manifest of a shared file from one's own copy of the datasets."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import labels, manifest
from ferdata.errors import BadOption, did_you_mean
from ferdata.manifest import Manifest
from ferdata.manifest.metadata import LABELS
from ferdata.manifest.rewrite import rewritten_sources, with_columns, write_rewritten
from ferdata.shared_file import Part, SharedFile, read
from ferdata.steps.ingest import ingest

DECIDED = ("picture", "group", "split", "fold", "split_reason", "reviewed_label", "review")


@dataclass(frozen=True)
class Matched:
    """What became of one dataset's rows: `pixels` are the same picture, `names` the same id with other pixels.

    `missing` are in the shared file only (the first in `first_missing`), `extra` in this copy only, and are excluded;
    `relabelled` have a different label here.
    """

    pixels: int
    names: int
    missing: int
    first_missing: tuple[str, ...]
    extra: int
    relabelled: int


@dataclass(frozen=True)
class Rehydrated:
    """What `rehydrate` did; `same` says that every row is exactly that of the shared file's manifest."""

    out: Path
    rows: int
    datasets: Mapping[str, Matched]
    fingerprint: str
    same: bool


def rehydrate(
    shared: Path | str, *, out: Path | str, root: Sequence[str] = (), workers: int | None = None, force: bool = False
) -> Rehydrated:
    """Rebuild the manifest of a shared file on this machine's copy of its datasets, and report what matched.

    `root` are `NAME=DIR` for datasets that are not where `ingest` looks. Each dataset is ingested as the shared file
    says; rows are matched by their pixels, then by their id; group, split and decisions come from the shared file,
    labels from this copy's own annotations. Raises BrokenSource if it is not a shared file, BadOption, and what ingest
    raises.
    """
    found, target = read(Path(shared)), Path(out)
    manifest.check_output(target, force, [Path(shared)])
    roots = _roots(root, found.sources)
    with tempfile.TemporaryDirectory(prefix=".rehydrate-", dir=target.parent) as folder:
        # Numbered: no word of a shared file's becomes a path here.
        copies = [
            _copy(part, Path(folder) / f"{i}.parquet", roots.get(part.dataset), workers)
            for i, part in enumerate(found.parts)
        ]
        return _join(found, copies, target, force)


def _copy(part: Part, out: Path, root: str | None, workers: int | None) -> Manifest:
    """Ingest this machine's copy of one dataset of a shared file into `out`."""
    options: dict[str, Any] = dict(part.options)
    if part.labels is not None:
        options[LABELS] = str(_label_map(out.with_suffix(".toml"), part.labels))
    ingest(part.adapter, root=root, out=out, workers=workers, unknown_labels="keep", **options)
    return Manifest(out)


def _label_map(path: Path, labels: Mapping[str, str]) -> Path:
    """Write a label map as `--labels` reads it: TOML, whose quoted words are JSON's but for one character."""
    lines = (f"{json.dumps(word, ensure_ascii=False)} = {json.dumps(labels[word])}\n" for word in labels)
    path.write_text("[labels]\n" + "".join(lines).replace("\x7f", "\\u007f"), encoding="utf-8")
    return path


def _roots(given: Sequence[str], sources: Mapping[str, Any]) -> dict[str, str]:
    roots = dict(pair.partition("=")[::2] for pair in given)
    for name, place in roots.items():
        if name not in sources or not place:
            raise BadOption(
                f"--root {name}={place}: the shared file has no dataset {name}.",
                f"{did_you_mean(name, sources)}Use --root NAME=DIR with one of {', '.join(sources)}.",
            )
    return roots


def _join(shared: SharedFile, copies: Sequence[Manifest], target: Path, force: bool) -> Rehydrated:
    """Write the copies' rows that the shared file has, with the shared file's decisions, in the copies' order."""
    wanted = shared.rows
    found = pa.concat_tables([m.table("sample_id", "dataset", "pixel_hash") for m in copies])
    at = _positions(wanted, found)
    kept = np.flatnonzero(at >= 0)
    decided = {name: wanted[name].combine_chunks().take(pa.array(at[kept])) for name in DECIDED}
    reading = pa.concat_tables([m.table(*labels.DERIVED_FROM) for m in copies]).take(pa.array(kept))
    column = reading.schema.get_field_index("reviewed_label")
    reading = reading.set_column(column, "reviewed_label", decided["reviewed_label"])
    maps = {name: known for m in copies for name, known in m.maps.items()}
    columns = decided | labels.derive(reading, maps, shared.vote_policy, shared.taxonomy)
    matched = _report(wanted, found, at, columns["label"])
    here = rewritten_sources(copies, target)
    # These maps derived the labels, and this ferdata has measured the pictures.
    own = {name: {key: here[name][key] for key in ("root", LABELS, "measured")} for name in maps}
    metadata = {
        "sources": {name: source | own[name] for name, source in shared.sources.items()},
        "vote_policy": shared.vote_policy,
        "taxonomy": shared.taxonomy.as_dict(),
        "lineage": shared.lineage,
    }
    written = write_rewritten(copies, target, with_columns(copies, columns, "write", kept), metadata, force)
    same = written["fingerprint"] == shared.fingerprint
    return Rehydrated(target, len(kept), matched, written["fingerprint"], same)


def _positions(wanted: pa.Table, found: pa.Table) -> NDArray[np.int64]:
    """Return, for each found row, the row of the shared file that it is, or -1: by id and pixels, by id, by pixels."""
    ids = pc.index_in(found["sample_id"], wanted["sample_id"].combine_chunks())
    at: NDArray[np.int64] = pc.fill_null(ids, -1).to_numpy().astype(np.int64)
    taken = np.zeros(wanted.num_rows, bool)
    taken[at[at >= 0]] = True
    # Renamed pictures: each goes to a row of the shared file with its pixels that nobody has claimed.
    free: dict[str, list[int]] = {}
    for row in np.flatnonzero(~taken)[::-1]:
        free.setdefault(wanted["pixel_hash"][int(row)].as_py(), []).append(int(row))
    for row in np.flatnonzero(at < 0) if free else ():
        if waiting := free.get(found["pixel_hash"][int(row)].as_py()):
            at[row] = waiting.pop()
    return at


def _report(wanted: pa.Table, found: pa.Table, at: NDArray[np.int64], fresh: pa.Array) -> dict[str, Matched]:
    """Count, per dataset, what matched and how."""
    kept = np.flatnonzero(at >= 0)
    same_pixels = np.zeros(len(at), bool)
    theirs = wanted["pixel_hash"].take(pa.array(at[kept]))
    same_pixels[kept] = pc.equal(found["pixel_hash"].take(pa.array(kept)), theirs).to_numpy()
    before = wanted["label"].take(pa.array(at[kept])).combine_chunks()
    relabelled = np.zeros(len(at), bool)
    relabelled[kept] = pc.not_equal(pc.fill_null(before, ""), pc.fill_null(fresh, "")).to_numpy(zero_copy_only=False)
    owner = np.array([str(i).partition(":")[0] for i in wanted["sample_id"].to_pylist()])
    lost = np.ones(wanted.num_rows, bool)
    lost[at[kept]] = False
    here = np.array(found["dataset"].to_pylist())
    matched = {}
    for name in dict.fromkeys([*owner.tolist(), *here.tolist()]):
        mine, missing = here == name, np.flatnonzero(lost & (owner == name))
        matched[name] = Matched(
            pixels=int((mine & same_pixels).sum()),
            names=int((mine & (at >= 0) & ~same_pixels).sum()),
            missing=len(missing),
            first_missing=tuple(wanted["sample_id"].take(pa.array(missing[:5])).to_pylist()),
            extra=int((mine & (at < 0)).sum()),
            relabelled=int((mine & relabelled).sum()),
        )
    return matched
