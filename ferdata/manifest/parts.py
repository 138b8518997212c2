"""The Parquet behind a manifest: one file, or a folder of parts that are read as one, in the order of their numbers.

A folder is whole when every `part-00000-of-000NN.parquet` is there and all are of one run. The first part carries
the manifest's metadata; each carries PART: the run that wrote it, and its number.
"""

import bisect
import contextlib
import itertools
import json
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ferdata.errors import DamagedManifest, NotAManifest, listed
from ferdata.manifest.checksums import Checks, Damaged
from ferdata.manifest.safe_paths import must_be_file

PART = b"ferdata.part"
NAME = re.compile(r"part-(\d{5})-of-(\d{5})\.parquet")
GROUPS_KEPT = 2  # in memory, since neighbours are read side by side
WHOLE = "Copy the whole folder again, or make the manifest again."
RESTORE = "Restore it from a copy, or make it again; other files on that disk may be damaged too."


def name_of(part: int, parts: int) -> str:
    """Return the file name of a part, numbered from 0."""
    return f"part-{part:05}-of-{parts:05}.parquet"


def find(path: Path) -> list[Path]:
    """Return the files of the manifest at `path`: itself, or its parts in order.

    Raises NotAManifest for a folder that is not whole, naming the parts that are missing.
    """
    if not path.is_dir():
        return [path]
    found = {p.name for p in path.iterdir() if NAME.fullmatch(p.name)}
    totals = {int(name[-13:-8]) for name in found}
    if not totals:
        raise NotAManifest(
            f"{path} is a folder that has no parts of a manifest (part-00000-of-00001.parquet).",
            "Give a manifest: a file, or the folder of its parts.",
        )
    if len(totals) > 1:
        sizes = ", ".join(f"{n:,}" for n in sorted(totals))
        raise NotAManifest(f"{path} holds parts of several manifests (of {sizes} parts each).", WHOLE)
    (total,) = totals
    names = [name_of(i, total) for i in range(total)]
    if missing := [name for name in names if name not in found]:
        raise NotAManifest(f"{path} is incomplete: {listed(missing, 3)} missing.", WHOLE)
    return [path / name for name in names]


class Parts:
    """Parquet files with the same columns, read one after the other as if they were one file."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Look at every footer; no row is read.

        Raises OSError, ArrowException, DamagedManifest, and NotAManifest if they disagree.
        """
        self.paths = tuple(paths)
        self.row_groups: list[int] = []  # rows of each, across the parts
        self._places: list[tuple[int, int]] = []  # (part, number in it) of each
        self.protected = True  # whether all have checksums
        self._latest: tuple[int, pq.ParquetFile, Checks] | None = None
        self._kept: dict[tuple[int, tuple[str, ...] | None], pa.RecordBatch] = {}
        self._lock = threading.Lock()
        run = None
        for i, path in enumerate(self.paths):
            try:
                file, checks = self._open(i)
            except pa.ArrowException:
                if len(self.paths) == 1:
                    raise
                raise NotAManifest(f"{path} is incomplete, or not a Parquet file.", WHOLE) from None
            self.protected &= checks.protected
            if i == 0:
                self.schema_arrow: pa.Schema = file.schema_arrow
                self.key_values: dict[bytes, bytes] = dict(file.metadata.metadata or {})
                run = self._part(file).get("run")
            elif not file.schema_arrow.equals(self.schema_arrow):
                raise NotAManifest(f"{path} has different columns from {self.paths[0].name}.", WHOLE)
            if len(self.paths) > 1 and (run is None or self._part(file) != {"run": run, "part": i}):
                raise NotAManifest(f"{path} was not written by the same run as {self.paths[0].name}.", WHOLE)
            for g in range(file.metadata.num_row_groups):
                self.row_groups.append(file.metadata.row_group(g).num_rows)
                self._places.append((i, g))
        self._ends = list(itertools.accumulate(self.row_groups))

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self.row_groups)

    @property
    def whole_groups(self) -> list[int]:
        """The rows of each row group, up to the first that the footer names and a full disk has not taken."""
        whole = []
        for number, rows in enumerate(self.row_groups):
            part, group = self._places[number]
            opened, checks = self._open(part)
            if checks.protected:
                if group >= checks.groups:
                    break
                whole.append(rows)
                continue
            file = opened.metadata
            columns = [file.row_group(group).column(c) for c in range(file.num_columns)]
            end = max((c.dictionary_page_offset or c.data_page_offset) + c.total_compressed_size for c in columns)
            if end > self.paths[part].stat().st_size - file.serialized_size:
                break
            whole.append(rows)
        return whole

    @property
    def size(self) -> int:
        """The bytes on disk."""
        return sum(path.stat().st_size for path in self.paths)

    @property
    def is_one_of_several(self) -> bool:
        """Whether this is a part that was named without its folder."""
        return PART in self.key_values and NAME.fullmatch(self.paths[0].name) is not None

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read the named columns into memory; those that the files lack are passed over. Raises DamagedManifest."""
        wanted, tables = list(columns), []
        for i in range(len(self.paths)):
            file, _ = self._open(i)
            for group in range(file.num_row_groups):
                self._check(i, group, columns)
            with self._reading(i):
                tables.append(file.read(columns=wanted))
        return pa.concat_tables(tables)

    def iter_batches(self, batch_size: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the named columns, all by default, in batches of at most `batch_size` rows. Raises DamagedManifest."""
        wanted = list(columns) if columns else None
        for i in range(len(self.paths)):
            file, _ = self._open(i)
            batches = file.iter_batches(batch_size=batch_size, columns=wanted)
            read = checked = group = 0  # rows, and row groups
            while True:
                while checked < read + batch_size and group < file.num_row_groups:  # what the next batch is made of
                    self._check(i, group, columns)
                    checked, group = checked + file.metadata.row_group(group).num_rows, group + 1
                with self._reading(i):
                    batch = next(batches, None)
                if batch is None:
                    break
                read += batch.num_rows
                yield batch

    def read_row_group(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a row group, numbered across the parts. Raises DamagedManifest."""
        part, group = self._places[number]
        file, _ = self._open(part)
        self._check(part, group, columns)
        with self._reading(part, group):
            return file.read_row_group(group, columns=list(columns) if columns else None)

    def check(self) -> None:
        """Compare every byte with its checksum, where there are any. Raises DamagedManifest."""
        for i in range(len(self.paths)):
            _, checks = self._open(i)
            with self._reading(i):
                checks.check_all()

    def nulls(self, number: int, column: str) -> int:
        """Return how many rows of a row group, numbered across the parts, lack a column, named as Parquet does."""
        part, group = self._places[number]
        found = self._open(part)[0].metadata.row_group(group)
        named = next(c for c in map(found.column, range(found.num_columns)) if c.path_in_schema == column)
        return int(named.statistics.null_count)

    def pieces(self, most: int, skip: int = 0) -> Iterator[tuple[int, int]]:
        """Yield (first row, number of rows) of pieces of at most `most` rows, none across two row groups.

        Together they are all rows but the first `skip`.
        """
        end = 0
        for rows in self.row_groups:
            first, end = max(end, skip), end + rows
            for at in range(first, end, most):
                yield at, min(most, end - at)

    def slice(self, first: int, rows: int, columns: tuple[str, ...] | None = None) -> pa.RecordBatch:
        """Return rows of one row group, as `pieces` cuts them: the named columns, or all.

        The latest groups are kept, for slices that follow each other.
        """
        number = bisect.bisect_right(self._ends, first)
        start, key = self._ends[number] - self.row_groups[number], (number, columns)
        with self._lock:  # several threads take slices, and a Parquet file is for one reader
            if key not in self._kept:
                if len(self._kept) >= GROUPS_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = self.read_row_group(number, columns).combine_chunks().to_batches()[0]
            group = self._kept[key]
        # Copied: a view would take its whole row group along to another process.
        return group.take(pa.array(range(first - start, first - start + rows)))

    def _open(self, part: int) -> tuple[pq.ParquetFile, Checks]:
        # Thousands of parts must not be open at once; the latest stays, since reads come in order.
        latest = self._latest
        if latest is None or latest[0] != part:
            path = self.paths[part]
            must_be_file(path)
            try:
                checks = Checks(path)
            except Damaged as error:
                raise DamagedManifest(f"{path} is damaged: {error}.", RESTORE) from None
            latest = self._latest = (part, pq.ParquetFile(path, memory_map=True), checks)
        return latest[1:]

    def _check(self, part: int, group: int, columns: Sequence[str] | None) -> None:
        """Compare what is to be read of a part's row group, all columns or the named ones, with its checksums."""
        file, checks = self._open(part)
        if not checks.protected:
            return
        ranges = _ranges(file.metadata.row_group(group), file.metadata.num_columns, columns) if columns else None
        with self._reading(part, group):
            checks.check(group, ranges)

    @contextlib.contextmanager
    def _reading(self, part: int, group: int | None = None) -> Iterator[None]:
        """Turn what a damaged part raises into DamagedManifest."""
        try:
            yield
        except Damaged as error:
            raise DamagedManifest(f"{self.paths[part]} is damaged: {error}.", RESTORE) from None
        except (OSError, pa.ArrowException) as error:
            if isinstance(error, MemoryError) and self.protected:
                raise  # there is too little of it: what is read is as it was written
            where = "" if group is None else f"row group {group + 1}: "
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DamagedManifest(f"{self.paths[part]} is damaged: {where}{why}.", RESTORE) from None

    @staticmethod
    def _part(file: pq.ParquetFile) -> dict[str, object]:
        try:
            return dict(json.loads((file.metadata.metadata or {}).get(PART, b"{}")))
        except (ValueError, TypeError):
            return {}


def _ranges(group: pq.RowGroupMetaData, leaves: int, columns: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return where in the file the bytes of the named columns are, as Parquet or the schema names them."""
    found = {}
    for column in map(group.column, range(leaves)):
        path = column.path_in_schema
        if any(path == name or path.startswith(f"{name}.") for name in columns):
            starts = [column.data_page_offset]
            if column.dictionary_page_offset:  # 0 and None are none
                starts.append(column.dictionary_page_offset)
            found[path] = (min(starts), min(starts) + column.total_compressed_size)
    return found
