"""Where a manifest is written: a file, or a folder of parts, hidden beside its name until it is all there."""

import contextlib
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ferdata.errors import AlreadyExists, CannotWrite
from ferdata.manifest.checksums import Sums
from ferdata.manifest.parts import NAME, PART, name_of
from ferdata.running.whole_file import put_in_place, recover, sync_folder, temporary_beside
from ferdata.running.whole_folder import remove
from ferdata.schema import OF_ITS_OWN

ROW_GROUP_BYTES = 16 << 20  # of image bytes: what a reader holds at once
ROW_GROUP_ROWS = 1 << 15
PART_BYTES = 256 << 20  # on disk: a part is closed once it has grown so far


def is_folder(out: Path) -> bool:
    """Return whether a manifest of this name is a folder of parts: a name without an ending, such as `merged/`."""
    return not out.suffix or out.is_dir()


def check_output(out: Path, force: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Raise AlreadyExists or CannotWrite now, before the work, if `out` could not be written at its end.

    What a killed writer has moved aside is there again then.
    """
    recover(out)
    for path in inputs:
        if out.resolve() == path.resolve() or path.resolve() in out.resolve().parents:
            raise AlreadyExists(f"{out} is an input, and inputs are never modified.", "Choose another --out.")
    if out.is_dir():
        others = sorted(p.name for p in out.iterdir() if not NAME.fullmatch(p.name))
        if others:
            raise CannotWrite(
                f"{out} is a folder that holds other files, such as {others[0]}.",
                "Give a file with --out, such as manifests/merged.parquet, or a new folder for parts.",
            )
    elif out.exists() and (not out.is_file() or is_folder(out)):
        what = "a file, but a name without an ending means a folder of parts" if out.is_file() else "not a regular file"
        raise CannotWrite(f"{out} is {what}.", "Give a file with --out, such as manifests/merged.parquet.")
    if out.exists() and not force and not _is_empty(out):
        raise AlreadyExists(f"{out} already exists.", "Add --force to replace it, or choose another --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        probe = temporary_beside(out)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotWrite(
            f"Cannot write in {out.parent}: {error.strerror}.",
            "Choose a folder that you may write in with --out.",
        ) from None


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


class Sink:
    """Rows on their way to `out`, in row groups of at most ROW_GROUP_BYTES of image bytes.

    `folder` says whether it is a folder of parts. `rows` are those on the disk, a row group whole or not at all;
    `closed` says that no more are taken.
    """

    def __init__(self, out: Path, schema: pa.Schema) -> None:
        self.out, self.schema = out, schema
        self.folder = is_folder(out)
        self.closed = False
        self.rows = 0
        self._temporary = temporary_beside(out)
        self._run = secrets.token_hex(8)
        self._written: list[_Writer] = []  # all but the first and the last are closed
        self._pending: list[pa.RecordBatch] = []
        self._bytes = self._count = 0
        try:
            if self.folder:
                self._temporary.mkdir()
            self._next()
        except BaseException:
            self.abandon()
            raise

    def add(self, batch: pa.RecordBatch) -> None:
        """Take a batch in, and write out what is full."""
        for piece in _pieces(batch):
            grown = piece.column("image").nbytes
            if self._bytes + grown > ROW_GROUP_BYTES or self._count + piece.num_rows > ROW_GROUP_ROWS:
                self.flush()
            self._pending.append(piece)
            self._bytes += grown
            self._count += piece.num_rows

    def close(self, metadata: Mapping[str, str]) -> None:
        """Write what is pending, and `metadata` into the first part: then the rows are safe."""
        self.flush()
        self.closed = True
        for i, writer in enumerate(self._written):
            writer.close(metadata if i == 0 else {})

    def close_short(self, metadata: Mapping[str, str]) -> int:
        """Close what is on the disk, giving up row groups for room where it is full; return how many rows are left.

        The footer still names those that were given up: `parts.whole_groups` tells them.
        """
        with contextlib.suppress(OSError, pa.ArrowException):
            self.flush()
        self.closed = True
        lost = [writer.close(metadata if i == 0 else {}, short=True) for i, writer in enumerate(self._written)]
        return self.rows - sum(lost)

    def publish(self, force: bool) -> None:
        """Give the rows their name. Raises AlreadyExists if another run has written it meanwhile."""
        if self.folder:
            for i, writer in enumerate(self._written):
                writer.path.rename(self._temporary / name_of(i, len(self._written)))
            sync_folder(self._temporary)
        try:
            put_in_place(self._temporary, self.out, replace=force)
        except FileExistsError:
            raise AlreadyExists(
                f"{self.out} was written by another run in the meantime.",
                "Add --force to replace it, or choose another --out.",
            ) from None

    def keep_as(self, path: Path) -> None:
        """Leave the closed rows at `path`, for another run to go on from."""
        if self.folder:
            sync_folder(self._temporary)
        put_in_place(self._temporary, path)

    def abandon(self) -> None:
        """Close and remove what has not been given its name."""
        for writer in self._written:
            with contextlib.suppress(OSError, pa.ArrowException):
                writer.close({})
        with contextlib.suppress(OSError):
            remove(self._temporary)

    def flush(self) -> None:
        """Write out what is pending: all of it, or, where the disk is full, nothing."""
        if self._pending:
            whole, self._pending, self._bytes, self._count = self._pending, [], 0, 0
            table = pa.Table.from_batches(whole, self.schema)
            if self.folder and self.rows and self._written[-1].size >= PART_BYTES:
                self._next()
            self._written[-1].write(table)
            self.rows += table.num_rows

    def _next(self) -> None:
        number = len(self._written)
        if number > 1:
            self._written[-1].close({})
        path = self._temporary / f"{number:05}.parquet" if self.folder else self._temporary
        part = {PART.decode(): json.dumps({"run": self._run, "part": number})} if self.folder else {}
        self._written.append(_Writer(path, self.schema, part))


class _Writer:
    """One Parquet file on its way."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self.path, self.metadata = path, dict(metadata)
        self._file = _RowGroups(path)
        self._groups: list[tuple[int, int]] = []  # where each ends, and its rows
        self._sums = Sums()
        repeating = [leaf for field in schema if field.name not in OF_ITS_OWN for leaf in _leaves(field)]
        sink = pa.PythonFile(self._file, mode="w")
        self._parquet = pq.ParquetWriter(
            sink, schema, compression="zstd", use_dictionary=repeating, write_page_checksum=True
        )

    @property
    def size(self) -> int:
        """The bytes written so far."""
        return self._file.tell()

    def write(self, table: pa.Table) -> None:
        """Write a row group, whole or not at all. Raises OSError."""
        self._parquet.write_table(table)
        self._sums.add(self._file.tell(), self._file.held)
        try:
            self._file.store()
        except OSError:
            self._file.drop()
            self._sums.drop()
            raise
        self._groups.append((self._file.stored, table.num_rows))

    def close(self, metadata: Mapping[str, str], short: bool = False) -> int:
        """Write the footer, and have the disk keep it; once. Raises OSError.

        If `short`, row groups are given up until the footer finds room; returns how many rows that were.
        """
        if self._file.closed:
            return 0
        lost = 0
        try:
            self._parquet.add_key_value_metadata({**self.metadata, **metadata})
            self._parquet.close()
            footer = b"".join(self._file.held)
            while True:
                self._file.held[:] = [self._sums.sealed(footer)]
                try:
                    self._file.store()
                    break
                except OSError:
                    if not short or not self._groups:
                        raise
                    lost += self._groups.pop()[1]
                    self._sums.drop()
                    self._file.cut(self._groups[-1][0] if self._groups else 0)
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
        return lost


class _RowGroups(io.RawIOBase):
    """A file whose writes are `held` until `store`, so that a disk that fills takes a row group whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self.held: list[bytes] = []
        self._end = self.stored = 0  # bytes

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes in."""
        self.held.append(bytes(data))
        self._end += len(self.held[-1])
        return len(self.held[-1])

    def tell(self) -> int:
        """Return how many bytes were taken in."""
        return self._end

    def store(self) -> None:
        """Write what is held. Raises OSError; then the file ends where it did before, and all is still held."""
        try:
            for data in self.held:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except OSError:
            self.cut(self.stored)
            raise
        self.stored += sum(map(len, self.held))
        self.held.clear()

    def drop(self) -> None:
        """Forget what is held."""
        self.held.clear()

    def cut(self, end: int) -> None:
        """Have the file end at so many bytes."""
        self.stored = end
        self._file.seek(end)
        self._file.truncate()

    def fileno(self) -> int:
        """Return the file's descriptor."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file; what is held is dropped."""
        self._file.close()
        super().close()


def _leaves(field: pa.Field, within: str = "") -> Iterator[str]:
    """Yield the names under which Parquet knows the columns of a field."""
    name = within + field.name
    if pa.types.is_struct(field.type):
        for inner in field.type:
            yield from _leaves(inner, f"{name}.")
    elif pa.types.is_list(field.type):
        yield from _leaves(field.type.value_field.with_name("element"), f"{name}.list.")
    else:
        yield name


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch so that no piece alone is larger than a row group, unless one image is."""
    if batch.num_rows <= 1 or batch.column("image").nbytes <= ROW_GROUP_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    # A slice still counts the whole buffer, so the halves are copied.
    for part in (batch.slice(0, half), batch.slice(half)):
        yield from _pieces(part.take(pa.array(range(part.num_rows))))
