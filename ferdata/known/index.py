"""An index of one dataset: for each row two hashes, its official split and its key. No pixel can be got back from it.

That of FER2013 comes with the package: 35,714 of its 35,887 rows (FER+ gives the others no name), in the order of
fer2013.csv. `ferdata known add` writes more of them, from the user's own manifests, into a folder of theirs.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import platformdirs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ferdata.errors import BrokenSource
from ferdata.manifest.safe_paths import must_be_file
from ferdata.running.whole_file import whole_file
from ferdata.schema import SPLITS

VARIABLE = "FERDATA_KNOWN"
SCHEMA = pa.schema([("pixels", pa.uint64()), ("phash", pa.uint64()), ("split", pa.int8()), ("key", pa.string())])
TITLE = b"title"
NO_SPLIT = -1
LARGEST = 50_000_000  # rows


@dataclass(frozen=True)
class Index:
    """The rows of one dataset, in its own order: `pixels` the first 64 bits of the pixel hash, `split` codes of SPLITS.

    uint64 (n,), uint64 (n,), int8 (n,) with -1 for no split, and a key for each row.
    """

    name: str
    title: str
    pixels: NDArray[np.uint64]
    phash: NDArray[np.uint64]
    split: NDArray[np.int8]
    keys: pa.Array

    def __len__(self) -> int:
        return len(self.pixels)


def first_bits(pixel_hash: pa.Array | pa.ChunkedArray) -> NDArray[np.uint64]:
    """Return the first 64 bits of hashes as a manifest has them, 32 hexadecimal digits each."""
    digits = pc.utf8_slice_codeunits(pixel_hash, 0, 16).to_pylist()
    return np.frombuffer(bytes.fromhex("".join(digits)), ">u8").astype(np.uint64)


def folder() -> Path:
    """Return where the user's own indexes are: $FERDATA_KNOWN, else the system's folder for an application's data."""
    own = os.environ.get(VARIABLE)
    return Path(own) if own else platformdirs.user_data_path("ferdata", appauthor=False) / "known"


def files() -> dict[str, Path]:
    """Return every index by its name; one of the user's takes the place of the package's of that name.

    Raises BrokenSource where the user's folder may not be read.
    """
    found: dict[str, Path] = {}
    for place in (Path(str(resources.files("ferdata.known"))), folder()):
        try:
            paths = sorted(place.glob("*.parquet")) if place.is_dir() else []
        except OSError as error:
            raise BrokenSource(
                f"Cannot read the folder of known faces {place}: {error.strerror}.",
                f"Give yourself read access to it, name another with {VARIABLE}, or do without: --known off.",
            ) from None
        found |= {path.stem: path for path in paths if not path.name.startswith(".")}
    return found


def indexes(without: Sequence[str] = ()) -> list[Index]:
    """Read every index but those named. Raises BrokenSource for a file that is none."""
    return [read(name, path) for name, path in files().items() if name not in without]


def read(name: str, path: Path) -> Index:
    """Read an index, which somebody else may have made. Raises BrokenSource."""
    try:
        must_be_file(path)
        file = pq.ParquetFile(path)
        if file.metadata.num_rows > LARGEST:
            raise ValueError(f"it has {file.metadata.num_rows:,} rows, and no dataset of faces has {LARGEST:,}")
        table = file.read().select(SCHEMA.names).cast(SCHEMA)
        title = (file.schema_arrow.metadata or {}).get(TITLE, name.encode()).decode()
        _check(table)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise BrokenSource(
            f"{path} is not an index of known faces: {str(error).splitlines()[0]}.",
            f"Remove it (ferdata known remove {name}), and add the manifest again.",
        ) from None
    pixels, phash, split = (table[column].to_numpy() for column in ("pixels", "phash", "split"))
    return Index(name, title, pixels, phash, split, table["key"].combine_chunks())


def _check(table: pa.Table) -> None:
    """Raise ValueError where a row lacks a value, or is of a split that there is not."""
    if gaps := [name for name in table.column_names if table[name].null_count]:
        raise ValueError(f"its column {gaps[0]} lacks {table[gaps[0]].null_count:,} values")
    ends = pc.min_max(table["split"]).as_py()
    if table.num_rows and not NO_SPLIT <= ends["min"] <= ends["max"] < len(SPLITS):
        raise ValueError(f"its splits are numbered {ends['min']} to {ends['max']}, where there are {', '.join(SPLITS)}")


def write(path: Path, index: Index) -> None:
    """Write an index, whole or not at all. Raises CannotWrite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = pa.array(index.split, pa.int8())
    table = pa.table([index.pixels, index.phash, codes, index.keys], schema=SCHEMA.with_metadata({TITLE: index.title}))
    with whole_file(path) as temporary:
        pq.write_table(
            table, temporary, compression="zstd", use_dictionary=["split"], column_encoding={"key": "DELTA_BYTE_ARRAY"}
        )


def of_rows(name: str, title: str, table: pa.Table) -> Index:
    """Return the index of a manifest's rows; `table` has sample_id, pixel_hash, phash and official_split."""
    split = pc.fill_null(pc.index_in(table["official_split"], pa.array(SPLITS)), -1).to_numpy().astype(np.int8)
    ids = table["sample_id"].combine_chunks()
    keys = pc.replace_substring_regex(ids, r"^[^:]*:", "")
    return Index(name, title, first_bits(table["pixel_hash"]), table["phash"].to_numpy(), split, keys)
