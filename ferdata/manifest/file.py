"""The manifest file: write it whole or not at all, read it in streams, know what made it.

One Parquet file, or a folder of parts (`ferdata.manifest.parts`); one row per face image, columns as in
`ferdata.schema`. File metadata: `ferdata` (JSON: sources, policy, taxonomy, lineage, counts, fingerprint) and
`huggingface` (features, so that `datasets` decodes the images).
"""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from ferdata import __version__
from ferdata.errors import CannotWrite, FerdataError, InvalidManifest, NotAManifest, paths_like
from ferdata.labels import Taxonomy
from ferdata.manifest import roots
from ferdata.manifest.counts import Counts
from ferdata.manifest.fingerprint import Fingerprint
from ferdata.manifest.metadata import check as check_metadata
from ferdata.manifest.metadata import parse as parse_metadata
from ferdata.manifest.parts import Parts, find
from ferdata.manifest.resume import Partial
from ferdata.manifest.roots import read_image as read_image
from ferdata.manifest.writer import Sink
from ferdata.manifest.writer import check_output as check_output
from ferdata.running.whole_file import recover
from ferdata.running.whole_folder import remove_stale
from ferdata.schema import COLUMNS, SCHEMA_VERSION, arrow_schema, huggingface_features

KEY = b"ferdata"
GOES_ON = "The finished part is kept: run the same command with --resume to continue."


class Manifest:
    """An open manifest: its metadata now, its rows when asked for."""

    def __init__(self, path: Path | str) -> None:
        """Open `path`. Raises NotAManifest if it is none, or of another schema version, and DamagedManifest."""
        path = Path(path)
        # What is called `.` or `..` has no name that a neighbour's could be made of: a ledger's, a lock's.
        self.path = path.resolve() if path.name in ("", "..") else path
        again = "Make it with `ferdata ingest` or `ferdata merge`."
        if not path.exists():
            recover(path)
        try:
            self.file = Parts(find(path))
        except FileNotFoundError:
            raise NotAManifest(f"There is no file {path}.", paths_like(path) + again) from None
        except (OSError, pa.ArrowException) as error:
            raise NotAManifest(f"{path} is not a Parquet file ({str(error).splitlines()[0]}).", again) from None
        if self.file.is_one_of_several and not path.is_dir():
            raise NotAManifest(f"{path} is one part of a manifest.", f"Use the folder: {path.parent}/")
        names = self.file.schema_arrow.names
        if len({*names}) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise NotAManifest(f"{path} has the column {twice} twice, which no manifest has.", again)
        raw = self.file.key_values.get(KEY)
        if raw is None:
            raise NotAManifest(
                f"{path} is a Parquet file, but not a ferdata manifest.",
                f"{again} A manifest saved by another program, such as pandas, loses the metadata that ferdata needs.",
            )
        try:
            self.metadata = parse_metadata(raw)
            if (version := self.metadata.get("schema_version")) == SCHEMA_VERSION:
                check_metadata(self.metadata)
        except ValueError as error:
            raise NotAManifest(f"What {path} says of itself is damaged: {error}.", again) from None
        if version != SCHEMA_VERSION:
            raise NotAManifest(
                f"{path} has schema version {version}; this ferdata {__version__} reads version {SCHEMA_VERSION}.",
                "Ingest the dataset again, or install the ferdata that wrote it.",
            )

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.file.rows

    @property
    def fingerprint(self) -> str:
        """The hash of every column but `image`, in row order: equal content, equal fingerprint, on any machine."""
        return str(self.metadata["fingerprint"])

    @property
    def sources(self) -> dict[str, dict[str, Any]]:
        """The metadata of each dataset in the manifest, by name."""
        return dict(self.metadata["sources"])

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes under which `target` was derived."""
        return Taxonomy.from_dict(self.metadata["taxonomy"])

    @property
    def maps(self) -> dict[str, dict[str, str]]:
        """Each dataset's map from native label to emotion or reason."""
        return {name: dict(source["labels"]) for name, source in self.sources.items()}

    def table(self, *columns: str) -> pa.Table:
        """Read the named columns, or all but `image`, into memory; one that the file lacks is null."""
        names = columns or tuple(c.name for c in COLUMNS if c.name != "image")
        read, schema = self.file.read(names), arrow_schema(*names)
        lacking = {f.name for f in schema} - set(read.schema.names)  # written before the schema had the column
        arrays = [pa.nulls(self.rows, f.type) if f.name in lacking else _cast(read[f.name], f) for f in schema]
        return pa.table(arrays, schema=schema)

    def batches(self, columns: Sequence[str] | None = None, rows: int = 4096) -> Iterator[pa.RecordBatch]:
        """Stream the named columns (all of them by default) in batches of at most `rows`."""
        yield from self.file.iter_batches(rows, columns)

    def roots(self, given: Mapping[str, Path] | None = None) -> dict[str, Path | None]:
        """Return where each dataset's files should be: as given, by FERDATA_ROOT_<NAME>, or as recorded.

        A recorded root is relative to the manifest, so that a tree of both can be moved. None: embedded only.
        """
        return roots.of_sources(self.sources, self.path, given)

    def roots_there(self, given: Mapping[str, Path] | None = None) -> dict[str, Path | None]:
        """Return `roots` for who will read images. Raises ImagesMissing for a dataset whose images have moved."""
        found = self.roots(given)
        roots.must_be_there(self.file, found)
        return found

    def datasets_with_files(self) -> set[str]:
        """Return the datasets of which images are referred to, not embedded."""
        return roots.with_files(self.file)

    def read_image(self, row: Mapping[str, Any], places: Mapping[str, Path | None]) -> bytes:
        """Return the encoded bytes of `row`'s image: embedded, or read below its dataset's root.

        `row` has `dataset` and `image` as Python values. Raises ImagesMissing.
        """
        return read_image(row, places)


@lru_cache(maxsize=2)
def opened_here(path: Path, fingerprint: str) -> Manifest:
    """Return the manifest at `path`, opened once in each process that works on it, wherever that runs.

    Raises InvalidManifest where this machine sees another manifest there, and NotAManifest.
    """
    opened = Manifest(path)
    if opened.fingerprint != fingerprint:
        raise InvalidManifest(
            f"The file at {path} on {platform.node()} is another manifest.",
            "Every worker reads the manifest: it must be at the same path on all machines.",
        )
    return opened


# A process forked from this one shares what is open here, and opens its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=opened_here.cache_clear)


def stored_hash(row: Mapping[str, Any]) -> str:
    """Return the hash that the pixels of `row`'s image must have: the crop's own where it was aligned."""
    aligned = row.get("alignment")
    return str(aligned["pixel_hash"] if aligned else row["pixel_hash"])


def write(
    out: Path,
    batches: Iterable[pa.RecordBatch],
    metadata: Mapping[str, Any],
    force: bool = False,
    partial: Partial | None = None,
) -> dict[str, Any]:
    """Write a manifest: all of it under its final name, or nothing.

    `out` is a file, or, where its name has no ending (`merged/`), a folder of parts of about PART_BYTES each.
    `batches` have the columns of the schema (missing ones become null, order is free). `metadata` needs `sources`,
    `vote_policy`, `taxonomy` and `lineage`; rows, counts and the fingerprint are added here. `metadata` is read
    after the last batch, so that a step may still be counting. With `partial`, a write that is stopped, by whatever
    error, leaves its finished rows there. Returns the metadata as written.
    """
    check_output(out, force)
    remove_stale(out)
    try:
        features = {"info": {"features": huggingface_features()}}
        sink = Sink(out, arrow_schema().with_metadata({"huggingface": json.dumps(features)}))
    except OSError as error:
        raise _failed(out, error) from None
    try:
        written = _write_rows(sink, batches, metadata, partial)
        sink.publish(force)
    except BaseException as error:
        kept = partial is not None and partial.keep(sink)
        raise _with_remedy(error, out, kept) from (None if isinstance(error, OSError) else error.__cause__)
    finally:
        sink.abandon()
    if partial:
        partial.discard()
    return written


def _failed(out: Path, error: OSError) -> CannotWrite:
    why = error.strerror or error
    return CannotWrite(f"Writing {out} failed: {why}.", "Free some space, or choose another --out.")


def _with_remedy(error: BaseException, out: Path, kept: bool) -> BaseException:
    """Return what a write raises for `error`: one of ours where it has a remedy, which may be to go on."""
    if isinstance(error, OSError):
        error = _failed(out, error)
    if not kept:
        return error
    if isinstance(error, FerdataError):
        return type(error)(error.message, f"{error.hint}\n{GOES_ON}").with_traceback(error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        return KeyboardInterrupt(GOES_ON)
    error.add_note(GOES_ON)
    return error


def _write_rows(
    sink: Sink, batches: Iterable[pa.RecordBatch], metadata: Mapping[str, Any], partial: Partial | None
) -> dict[str, Any]:
    fingerprint, counts = Fingerprint(), Counts()
    for batch in batches:
        whole = conform(batch)
        fingerprint.update(whole)
        counts.update(whole)
        sink.add(whole)
        if partial:
            partial.mark(counts.rows)
    written = {
        "schema_version": SCHEMA_VERSION,
        "ferdata": __version__,
        "rows": counts.rows,
        "fingerprint": fingerprint.hexdigest(),
        "counts": counts.as_dict(),
        **metadata,
    }
    sink.close({KEY.decode(): json.dumps(written, ensure_ascii=False)})
    return written


def conform(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return `batch` with exactly the schema's columns, in order; columns that it lacks are null.

    Raises InvalidManifest for a column of a type that is not the schema's.
    """
    schema = arrow_schema()
    columns = [
        _cast(batch.column(f.name), f) if f.name in batch.schema.names else pa.nulls(batch.num_rows, f.type)
        for f in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: Any, field: pa.Field) -> Any:
    """Return a column as the schema's type. Raises InvalidManifest where another program has put another there."""
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise InvalidManifest(
            f"The column {field.name} holds {column.type}, which is not {field.type}: {str(error).splitlines()[0]}.",
            "Another program has written this manifest: make it again with ferdata. `ferdata validate` lists all that "
            "is wrong with it.",
        ) from None


def step_record(
    step: str,
    options: Mapping[str, Any],
    inputs: Iterable[Manifest] = (),
    *,
    rows_in: int,
    rows_out: int,
    **counted: Any,
) -> dict[str, Any]:
    """Return a lineage entry: the step, its options, the inputs with their own lineage, what was counted."""
    return {
        "step": step,
        "ferdata": __version__,
        "options": dict(options),
        "inputs": [
            {
                "name": m.path.name,
                "rows": m.rows,
                "fingerprint": m.fingerprint,
                "lineage": m.metadata["lineage"],
            }
            for m in inputs
        ],
        "rows_in": rows_in,
        "rows_out": rows_out,
        **counted,
    }
