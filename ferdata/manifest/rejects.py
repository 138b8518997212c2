"""The rows that are not in a manifest, and why: `NAME.rejects.parquet` beside it, carried along by every step."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ferdata.manifest.safe_paths import must_be_file
from ferdata.running.whole_file import whole_file

# What a row was to be called, its file (null where a dataset's own rules leave the row out), and why it is not there.
COLUMNS = pa.schema([(name, pa.string()) for name in ("sample_id", "path", "reason", "detail")])


def beside(manifest: Path) -> Path:
    """Return where the rejects of a manifest are, a file or a folder of parts."""
    return manifest.with_name(manifest.name.removesuffix(".parquet") + ".rejects.parquet")


def read(manifest: Path) -> pa.Table:
    """Return the rejects of a manifest; none where there is no such file beside it."""
    try:
        must_be_file(beside(manifest))
        found = pq.read_table(beside(manifest))
    except (OSError, pa.ArrowException):
        return COLUMNS.empty_table()
    there = [found[n] if n in found.column_names else pa.nulls(len(found), pa.string()) for n in COLUMNS.names]
    return pa.table(there, names=COLUMNS.names).cast(COLUMNS)


def unreadable(manifest: Path) -> dict[str, int]:
    """Count the rejects that name a file, by reason: what could not be read, not what a dataset's rules leave out."""
    found = read(manifest)
    counts = found.filter(found["path"].is_valid())["reason"].value_counts().to_pylist()
    return {str(c["values"]): int(c["counts"]) for c in counts}


@contextlib.contextmanager
def carried(inputs: Sequence[Path], out: Path) -> Iterator[None]:
    """Have the manifest that the block writes to `out` keep the rejects of the manifests that it is made of."""
    rows = pa.concat_tables([COLUMNS.empty_table(), *map(read, inputs)])
    if not rows.num_rows:
        yield
        beside(out).unlink(missing_ok=True)  # of a manifest that was replaced
        return
    with whole_file(beside(out)) as temporary:
        pq.write_table(rows, temporary)
        yield
