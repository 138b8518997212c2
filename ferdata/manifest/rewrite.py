"""Rewrite: the rows of manifests with some columns replaced, and the metadata that such a manifest keeps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata.manifest import rejects
from ferdata.manifest.file import Manifest, write
from ferdata.manifest.resume import Partial
from ferdata.manifest.safe_paths import seen_from
from ferdata.running import progress
from ferdata.schema import arrow_schema


def with_columns(
    manifests: Sequence[Manifest],
    columns: Mapping[str, pa.Array],
    what: str,
    rows: NDArray[np.intp] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Stream the rows of manifests, one after the other, with `columns` in place of their own.

    `rows`, rising, are the positions of those to keep, counted over all manifests; None keeps all. Each of `columns`
    has one value per row kept. `what` names the work on the progress bar.
    """
    read = kept = 0  # rows before this batch: in the manifests, and among those kept
    with progress.bar(what, sum(m.rows for m in manifests)) as advance:
        for m in manifests:
            for batch in m.batches():
                end = read + batch.num_rows
                chosen = batch
                if rows is not None:
                    low, high = np.searchsorted(rows, (read, end))
                    chosen = batch.take(pa.array(rows[low:high] - read))
                yield _replaced(chosen, {n: column.slice(kept, chosen.num_rows) for n, column in columns.items()})
                read, kept = end, kept + chosen.num_rows
                advance(batch.num_rows)


def _replaced(batch: pa.RecordBatch, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    held = dict(zip(batch.schema.names, batch.columns, strict=True)) | dict(columns)
    return pa.RecordBatch.from_pydict({name: held[name] for name in arrow_schema().names if name in held})


def write_rewritten(
    manifests: Sequence[Manifest],
    out: Path,
    batches: Iterable[pa.RecordBatch],
    metadata: Mapping[str, Any],
    force: bool = False,
    partial: Partial | None = None,
) -> dict[str, Any]:
    """Write a manifest that is made of others, as `manifest.write` does, and carry their rejects along."""
    with rejects.carried([m.path for m in manifests], out):
        return write(out, batches, metadata, force, partial)


def rewritten_metadata(manifests: Sequence[Manifest], out: Path, lineage: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the metadata of manifests' rows written to `out`; vote policy and taxonomy are the first manifest's."""
    first = manifests[0].metadata
    return {
        "sources": rewritten_sources(manifests, out),
        "vote_policy": first["vote_policy"],
        "taxonomy": first["taxonomy"],
        "lineage": lineage,
    }


def rewritten_sources(manifests: Sequence[Manifest], out: Path) -> dict[str, dict[str, Any]]:
    """Return the sources of manifests as a manifest at `out` records them: roots are relative to it."""
    return {
        name: source | {"root": _moved(source.get("root"), m.path.parent, out.parent)}
        for m in manifests
        for name, source in m.sources.items()
    }


def _moved(root: str | None, old: Path, new: Path) -> str | None:
    """Return a root that is relative to the folder `old`, relative to `new`; None where all is embedded."""
    if root is None:
        return None
    return seen_from(new.resolve(), (old / root).resolve())
