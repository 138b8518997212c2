"""The files of a published folder: how each form writes rows, and what was written, with its checksum."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ferdata.errors import BadOption
from ferdata.publishing.columns import CHECKSUM, FILE_NAME, IMAGE, LABEL, Rows
from ferdata.schema import OF_ITS_OWN, is_dataset_name

FORMS = ("parquet", "csv", "imagefolder")
DATA, IMAGES, TABLE = "data", "images", "annotations.csv"
SHARD_BYTES = 400 << 20  # of images and columns, before compression: the Hub advises shards below 500 MB
GROUP_BYTES = 16 << 20
CHUNK = 1 << 20


@dataclass(frozen=True)
class File:
    """One file, by its path in the folder: whose split it holds (None: of several), its bytes and SHA-256."""

    path: str
    split: str | None
    size: int
    sha256: str


class Form(Protocol):
    """What writes the rows of all splits into a folder."""

    def add(self, rows: Rows) -> None:
        """Write some rows."""

    def close(self) -> list[File]:
        """Finish every file, and return those that hold rows; a form's image files are not among them."""


def described(root: Path, path: Path, split: str | None = None) -> File:
    """Return a finished file, read for its checksum."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return File(path.relative_to(root).as_posix(), split, path.stat().st_size, digest.hexdigest())


class Parquet:
    """Shards per split, `data/train-00000-of-00002.parquet`, that carry the features for `datasets`."""

    def __init__(self, root: Path, schema: pa.Schema, features: Mapping[str, Any]) -> None:
        self.root = root
        self.schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": dict(features)}})})
        self._open: dict[str, pq.ParquetWriter] = {}
        self._shards: dict[str, list[Path]] = {}
        self._pending: dict[str, list[pa.Table]] = {}
        self._bytes: dict[str, int] = {}
        (root / DATA).mkdir()

    def add(self, rows: Rows) -> None:
        """Write some rows, a row group at a time."""
        pending = self._pending.setdefault(rows.split, [])
        pending.append(rows.table)
        if sum(table.nbytes for table in pending) >= GROUP_BYTES:
            self._flush(rows.split)

    def _flush(self, split: str) -> None:
        table = pa.concat_tables(self._pending.pop(split)).combine_chunks()
        if split in self._open and self._bytes[split] + table.nbytes > SHARD_BYTES:
            self._open.pop(split).close()
        if split not in self._open:
            shards = self._shards.setdefault(split, [])
            shards.append(self.root / DATA / f"{split}-{len(shards):05}.parquet")
            repeating = [
                f.name for f in self.schema if f.name not in (*OF_ITS_OWN, IMAGE) and not pa.types.is_nested(f.type)
            ]
            self._open[split] = pq.ParquetWriter(
                shards[-1], self.schema, use_dictionary=repeating, write_page_index=True
            )
            self._bytes[split] = 0
        self._bytes[split] += table.nbytes
        self._open[split].write_table(table.cast(self.schema))

    def close(self) -> list[File]:
        """Finish the shards, and name each by how many there are."""
        for split in list(self._pending):
            self._flush(split)
        for writer in self._open.values():
            writer.close()
        done = []
        for split, shards in self._shards.items():
            for i, shard in enumerate(shards):
                path = shard.with_name(f"{split}-{i:05}-of-{len(shards):05}.parquet")
                shard.rename(path)
                done.append(described(self.root, path, split))
        return done


class _Tables:
    """Image files, and CSV files that describe them; the two forms below say where each lies."""

    def __init__(self, root: Path, schema: pa.Schema, classes: Sequence[str]) -> None:
        self.root, self.classes = root, pa.array(classes, pa.string())
        self._open: dict[str, pa_csv.CSVWriter] = {}
        self._split: dict[str, str | None] = {}
        self.pixels = IMAGE in schema.names

    def put(self, table_path: str, split: str | None, table: pa.Table) -> None:
        """Append rows to a CSV file; lists become JSON."""
        flat = pa.table({name: _flat(table[name]) for name in table.column_names})
        if table_path not in self._open:
            path = self.root / table_path
            path.parent.mkdir(exist_ok=True)
            self._open[table_path] = pa_csv.CSVWriter(path, flat.schema)
            self._split[table_path] = split
        self._open[table_path].write_table(flat)

    def named(self, rows: Rows) -> pa.Table:
        """Return rows with their labels' names in place of numbers."""
        at = rows.table.schema.get_field_index(LABEL)
        return rows.table.set_column(at, LABEL, self.classes.take(rows.table[LABEL].combine_chunks()))

    def with_files(self, table: pa.Table, paths: Sequence[str]) -> pa.Table:
        """Write the images of rows to `paths`, and return the rows with these and checksums in place of the images."""
        sums = []
        for path, image in zip(paths, table[IMAGE].to_pylist(), strict=True):
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(image["bytes"])
            sums.append(hashlib.sha256(image["bytes"]).hexdigest())
        bare = table.drop_columns([IMAGE])
        return bare.add_column(0, FILE_NAME, pa.array(paths, pa.string())).append_column(CHECKSUM, pa.array(sums))

    def close(self) -> list[File]:
        """Finish the tables."""
        for writer in self._open.values():
            writer.close()
        return [described(self.root, self.root / path, self._split[path]) for path in self._open]


class Csv(_Tables):
    """A table per split, `data/train.csv`; the images, where they are published, in `images/train/`."""

    def add(self, rows: Rows) -> None:
        """Write some rows."""
        table = self.named(rows)
        if self.pixels:
            names = (image["path"] for image in table[IMAGE].to_pylist())
            table = self.with_files(table, [f"{IMAGES}/{rows.split}/{name}" for name in names])
        self.put(f"{DATA}/{rows.split}.csv", rows.split, table)


class ImageFolder(_Tables):
    """A folder per split and class, `data/train/happiness/0000012.png`, and annotations.csv, a row for each image.

    Rows without a label have no class's folder, and are left out.
    """

    def add(self, rows: Rows) -> None:
        """Write some rows."""
        table = self.named(rows)
        table = table.filter(table[LABEL].is_valid())
        if not table.num_rows:
            return
        labels = table[LABEL].to_pylist()
        names = [image["path"] for image in table[IMAGE].to_pylist()]
        paths = [f"{DATA}/{rows.split}/{label}/{name}" for label, name in zip(labels, names, strict=True)]
        filled = self.with_files(table, paths)
        self.put(TABLE, None, filled.add_column(1, "split", pa.array([rows.split] * len(paths), pa.string())))


def make(form: str, root: Path, schema: pa.Schema, features: Mapping[str, Any], classes: Sequence[str]) -> Form:
    """Return the writer of a form. Raises BadOption where a class cannot be a folder's name."""
    if form == "parquet":
        return Parquet(root, schema, features)
    if form == "csv":
        return Csv(root, schema, classes)
    if strange := [name for name in classes if not is_dataset_name(name)]:
        raise BadOption(
            f"The class {strange[0]!r} cannot be the name of a folder.", "Use --form parquet, or another taxonomy."
        )
    return ImageFolder(root, schema, classes)


def _flat(column: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if not pa.types.is_nested(column.type):
        return column
    return pa.array([None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist()], pa.string())
