"""Parquet shards: pictures as struct<bytes, path> or binary, labels as ClassLabel or text; read row by row."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferdata.errors import BadOption, BrokenSource, NotThisDataset, listed
from ferdata.running.plain_file import open_plain
from ferdata.sources import Sample, Skipped, leads_out
from ferdata.sources import column_names as usual
from ferdata.sources.recognise import below
from ferdata.sources.split_names import split_of_file

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 512  # rows read at once
IMAGE = ("image", "img", "img_bytes", "image_bytes", "bytes", "png", "jpg", "jpeg", "pixel_values", *usual.IMAGE)
NO_LABEL = -1  # of a ClassLabel: a row without one, as the Hub's test splits have


@dataclass(frozen=True)
class Shard:
    """A file of rows: where, which split, and which columns are pictures and labels; `classes` are a ClassLabel's."""

    path: Path
    name: str  # relative to the base
    split: str | None
    image: str
    label: str | None
    classes: tuple[str, ...] | None
    schema: "pa.Schema"

    def native(self, value: Any, row: int) -> str | None:
        """Return a label as text. Raises BrokenSource for a code that no class has."""
        if value is None or (self.classes is not None and value == NO_LABEL):
            return None
        if self.classes is None:
            return str(value).strip() or None
        if not 0 <= value < len(self.classes):
            raise BrokenSource(
                f"{self.path}, row {row}: label {value} is not one of the {len(self.classes)} classes of its schema "
                f"({listed(self.classes)}).",
                "Is the file complete? Download it again, or give another --label-column.",
            )
        return self.classes[int(value)]

    def rows(self, *columns: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield each row's number, and its cells in the named columns. Raises BrokenSource for a damaged file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        row = 0
        try:
            with open_plain(self.path) as opened, pq.ParquetFile(opened) as file:
                for batch in file.iter_batches(BATCH, columns=list(dict.fromkeys(columns))):
                    for cells in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
                        yield row, cells
                        row += 1
        except (OSError, pa.ArrowException) as error:
            raise BrokenSource(
                f"{self.path} is damaged after row {row}: {str(error).splitlines()[0].rstrip('.')}.",
                "Download it again.",
            ) from None


@dataclass(frozen=True)
class Shards:
    """All shards of a dataset, of one schema."""

    base: Path
    shards: tuple[Shard, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The shards, relative to the base."""
        return tuple(shard.name for shard in self.shards)

    def labels(self) -> Iterator[str]:
        """Yield every row's label, of those that have one."""
        for shard in self.shards:
            if shard.label:
                for row, (value,) in shard.rows(shard.label):
                    if (native := shard.native(value, row)) is not None:
                        yield native

    def samples(self) -> Iterator[Sample | Skipped]:
        """Yield each row; its key is the shard's name and the number of the row."""
        for shard in self.shards:
            for row, (image, *label) in shard.rows(shard.image, *([shard.label] if shard.label else [])):
                key = f"{shard.name.removesuffix('.parquet')}/{row:06}"
                picture = self._picture(shard, image)
                if picture is None:
                    yield Skipped(key, "no picture in the row")
                else:
                    native = shard.native(label[0], row) if label else None
                    yield Sample(key, picture, native_label=native, official_split=shard.split)

    def _picture(self, shard: Shard, cell: Any) -> bytes | str | None:
        """Return a cell's bytes, else the file beside the shard that it names, None where it holds neither."""
        data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
        if data:
            return bytes(data)
        if not path or leads_out(path):
            return None
        beside = shard.path.parent / path
        return beside.relative_to(self.base).as_posix() if beside.is_file() else None


def look(base: Path, options: Mapping[str, str | None]) -> tuple[Shards, list[str]]:
    """Return the shards below `base`, and sentences on what was read as what.

    Raises NotThisDataset for Parquet without pictures, BrokenSource for shards that do not go together, BadOption.
    """
    paths = sorted(path for path in below(base, "*.parquet") if path.is_file() and not path.name.startswith("_"))
    found = [_shard(path, path.relative_to(base).as_posix(), options) for path in paths]
    first = found[0]
    for other in found[1:]:
        if _reads(other) != _reads(first):
            raise BrokenSource(
                f"{other.path} and {first.path} have different schemas: {_told(other)}; {_told(first)}.",
                "Are they two configurations of one dataset? Give the folder of one of them as --root.",
            )
    told = [f"{len(found):,} shard{'s' * (len(found) > 1)}: {_told(first)}."]
    unused = [name for name in first.schema.names if name not in (first.image, first.label)]
    told += [f"Not used: {listed(unused, 12)}."] if unused else []
    without = [shard.name for shard in found if shard.split is None]
    told += [f"Without a split, by name: {listed(without, 4)}."] if without else []
    return Shards(base, tuple(found)), told


def _reads(shard: Shard) -> tuple[Any, ...]:
    kind = shard.schema.field(shard.label).type if shard.label else None
    return shard.image, shard.schema.field(shard.image).type, shard.label, kind, shard.classes


def _told(shard: Shard) -> str:
    if shard.label is None:
        return f"pictures in {shard.image!r}, no labels"
    classes = f" ({', '.join(shard.classes)})" if shard.classes is not None else ""
    return f"pictures in {shard.image!r}, labels in {shard.label!r}{classes}"


def _shard(path: Path, name: str, options: Mapping[str, str | None]) -> Shard:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_plain(path) as opened:
            found = pq.read_metadata(opened)
    except (OSError, pa.ArrowException) as error:
        raise BrokenSource(
            f"{path} is not a Parquet file: {str(error).splitlines()[0].rstrip('.')}.",
            "Is it complete? Download it again.",
        ) from None
    schema, metadata = found.schema.to_arrow_schema(), found.metadata or {}
    if b"ferdata" in metadata:
        raise NotThisDataset(f"{path} is already a ferdata manifest.", f"It need not be ingested: ferdata show {path}")
    features = _features(metadata)
    image = _image(path, schema, features, options.get("image_column"))
    label = _label(path, schema, features, options.get("label_column"), image)
    names = features.get(label or "", {}).get("names")
    classes = tuple(map(str, names)) if names and pa.types.is_integer(schema.field(label).type) else None
    return Shard(path, name, split_of_file(name), image, label, classes, schema)


def _features(metadata: Mapping[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """Return what `datasets` wrote of each column, by its name; nothing where that is not there, or is not JSON."""
    try:
        found = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {str(name): feature for name, feature in found.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _image(path: Path, schema: "pa.Schema", features: Mapping[str, Any], asked: str | None) -> str:
    """Return the column of pictures. Raises NotThisDataset where there is none, BadOption for one that is none."""
    holds = [field.name for field in schema if _is_picture(field.type)]
    columns = f"It has {listed((f'{field.name} ({field.type})' for field in schema), 12)}."
    if asked:
        if asked not in holds:
            raise BadOption(f"{path} has no pictures in a column {asked!r}.", columns)
        return asked
    declared = [name for name in holds if features.get(name, {}).get("_type") == "Image"]
    if not holds:
        raise NotThisDataset(
            f"{path} holds no pictures: no column is binary, or struct<bytes, path>. {columns}",
            "If a column holds the names of image files, save the table as csv: ferdata ingest csv",
        )
    return (declared or _by_name(holds, IMAGE) or holds)[0]


def _is_picture(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_picture(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _label(path: Path, schema: "pa.Schema", features: Mapping[str, Any], asked: str | None, image: str) -> str | None:
    """Return the column of labels, None where nothing looks like one. Raises BadOption for a column that is none."""
    import pyarrow as pa

    fits = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
    holds = [field.name for field in schema if field.name != image and any(fit(field.type) for fit in fits)]
    if asked:
        if asked not in holds:
            raise BadOption(
                f"{path} has no labels, as text or as codes, in a column {asked!r}.",
                f"It has {listed((f'{field.name} ({field.type})' for field in schema), 12)}.",
            )
        return asked
    declared = [name for name in holds if features.get(name, {}).get("_type") == "ClassLabel"]
    return next(iter(_by_name(declared, usual.LABEL) or declared or _by_name(holds, usual.LABEL)), None)


def _by_name(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return those of the names that are usual, the likeliest first."""
    folded = {name.casefold(): name for name in reversed(names)}
    return [folded[word] for word in known if word in folded]
