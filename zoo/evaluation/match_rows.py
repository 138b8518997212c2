"""Which row of a manifest each line of another program's table is about: by sample_id, by pixels, or by path."""

import unicodedata
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.errors import BadOption, listed
from zoo.data.rows import Rows
from zoo.evaluation.prediction_table import Table

SHOWN = 3  # names in an error
ALIKE = 1e-4  # what the same pixels may differ by in two lines: a net's rounding


@dataclass(frozen=True)
class Matched:
    """The line of each row that was asked for, int64 (n,), -1 for none.

    `others` are the lines about rows that were not asked for, `unknown` the names of lines about no row.
    """

    line: NDArray[np.int64]
    others: int
    unknown: tuple[str, ...]


def match(table: Table, rows: Rows, where: NDArray[np.intp], dataset: str | None = None) -> Matched:
    """Find the lines about the rows at `where`.

    Raises BadOption where no line is about any row of the manifest, two are about one row, or one may be about several.
    """
    line = np.full(len(rows.hard), -1)
    if table.named_by.casefold() in ("sample_id", "pixel_hash"):
        known = _by_id(table, rows, line)
    else:
        known = _by_path(table, rows, dataset, line)
    unknown = tuple(name for name, there in zip(table.names, known, strict=True) if not there)
    if len(unknown) == len(table.names):
        raise BadOption(
            f"None of the {len(unknown):,} lines of {table.path} is about a row of {rows.manifest.path}: "
            f"{table.named_by} is {listed(unknown, SHOWN)}; rows there are {listed(_examples(table, rows), SHOWN)}.",
            "Is it a table of this manifest? Paths are as below the dataset's folder; `ferdata show` and "
            "pandas.read_parquet(M) print a manifest's rows.",
        )
    asked = {table.names[i] for i in line[where].tolist() if i >= 0}
    others = sum(there and name not in asked for name, there in zip(table.names, known, strict=True))
    return Matched(line[where], others, unknown)


def _by_id(table: Table, rows: Rows, line: NDArray[np.int64]) -> list[bool]:
    """Note in `line` the line of each row of that sample_id or those pixels; return which lines have a row."""
    column, first = table.named_by.casefold(), dict[str, int]()
    for i, name in enumerate(table.names):
        before = first.setdefault(name, i)
        same_pixels = column == "pixel_hash" and np.abs(table.p[i] - table.p[before]).max() < ALIKE
        if before != i and not same_pixels:
            raise _twice(table, name)
    ids = rows.table[column]
    at = pc.index_in(ids, value_set=pa.array(list(first), pa.string()))
    found = at.is_valid().to_numpy()
    line[found] = np.array(list(first.values()))[at.drop_null().to_numpy()]
    there = set(ids.to_pylist())
    return [name in there for name in table.names]


def _by_path(table: Table, rows: Rows, dataset: str | None, line: NDArray[np.int64]) -> list[bool]:
    """Note in `line` the line of each row with that path; return which lines have a row.

    One may be longer than the other, so that /data/fer/test/happy/1.jpg and happy/1.jpg both find the row
    test/happy/1.jpg, where no other row's path ends so.
    """
    paths = _paths(rows)
    ours = [True] * len(paths) if dataset is None else pc.equal(rows.table["dataset"], dataset).to_pylist()
    by_file = defaultdict[str, list[int]](list)
    for at, path in enumerate(paths):
        if ours[at]:
            by_file[path.rpartition("/")[2]].append(at)
    known = []
    for i, given in enumerate(table.names):
        name = _plain(given)
        near = by_file.get(name.rpartition("/")[2], [])
        found = [at for at in near if paths[at] == name] or [
            at for at in near if paths[at].endswith(f"/{name}") or name.endswith(f"/{paths[at]}")
        ]
        if len(found) > 1:
            raise BadOption(
                f"{table.path}: {given} may be any of {len(found)} rows: "
                f"{listed(rows.table['sample_id'].take(pa.array(found)).to_pylist(), SHOWN)}.",
                "Write paths as below the dataset's folder, such as "
                f"{paths[found[0]]}, keep to one dataset with --dataset, or name rows by sample_id.",
            )
        if found and line[found[0]] >= 0:
            raise _twice(table, given)
        line[found] = i
        known.append(bool(found))
    return known


def _paths(rows: Rows) -> list[str]:
    """Return each row's path below its dataset's folder; of an image in the manifest itself, its key in sample_id."""
    files = rows.manifest.file.read(columns=["image.path"])["image"].combine_chunks().field("path").to_pylist()
    ids = rows.table["sample_id"].to_pylist()
    return [_plain(path or sample.partition(":")[2]) for path, sample in zip(files, ids, strict=True)]


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", path).replace("\\", "/").removeprefix("./")


def _examples(table: Table, rows: Rows) -> list[str]:
    column = table.named_by.casefold()
    return rows.table[column].to_pylist() if column in ("sample_id", "pixel_hash") else _paths(rows)


def _twice(table: Table, name: str) -> BadOption:
    return BadOption(
        f"{table.path} has two lines about {name}.",
        "Keep one line per image; of several views of an image, write the mean.",
    )
