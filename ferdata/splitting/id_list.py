"""Frozen: a split as a list of ids, to publish beside a paper and to take up again: sample_id, split and fold."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from ferdata.errors import AlreadyExists, BadOption, CannotWrite, did_you_mean
from ferdata.running.spreadsheet import as_cells, from_cells
from ferdata.running.whole_file import whole_file
from ferdata.schema import SPLITS

COLUMNS = {"sample_id": pa.string(), "split": pa.string(), "fold": pa.int16()}
NAMED = 5


@dataclass(frozen=True)
class Frozen:
    """A list laid over rows: `side` (codes into SPLITS, -1 none), `fold` (-1 none), `listed`, and what does not match.

    `missing` are ids of the list that no row has, `new` rows that the list does not know; the first few by name.
    """

    side: NDArray[np.int64]
    fold: NDArray[np.int64]
    listed: NDArray[np.bool_]
    missing: int
    missing_first: tuple[str, ...]
    new: int
    new_first: tuple[str, ...]


def read(path: Path, ids: pa.ChunkedArray) -> Frozen:
    """Read the list at `path` for rows with these `ids`. Raises BadOption: no list, an id twice, an unknown split."""
    table = _table(path)
    names = table["sample_id"].combine_chunks()
    twice = names.value_counts()
    twice = twice.filter(pc.greater(twice.field("counts"), 1)).field("values")
    if len(twice):
        raise BadOption(f"{path} names {len(twice):,} ids twice, first {twice[0]}.", "Keep one line per row.")
    split = pc.if_else(pc.equal(table["split"], ""), None, table["split"]).combine_chunks()
    code = pc.index_in(split, pa.array(SPLITS))
    strange = split.filter(pc.and_(split.is_valid(), code.is_null())).unique().to_pylist()
    if strange:
        raise BadOption(
            f"{path} has the split {strange[0]!r}.",
            f"{did_you_mean(strange[0], SPLITS)}Use {', '.join(SPLITS)}, or leave the cell empty for no split.",
        )
    fold = pc.fill_null(table["fold"], -1).to_numpy().astype(np.int64)
    if len(fold) and fold.min() < -1:
        raise BadOption(f"{path} has a fold below 0.", "Folds count from 0; leave the cell empty for no fold.")
    at = pc.index_in(ids, names)
    listed = at.is_valid().to_numpy()
    position = pc.fill_null(at, 0).to_numpy()
    here = pc.is_in(names, ids.combine_chunks())
    lost, new = names.filter(pc.invert(here)), ids.filter(at.is_null())

    def laid(column: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(listed, column[position], -1) if len(column) else np.full(len(listed), -1)

    return Frozen(
        laid(pc.fill_null(code, -1).to_numpy().astype(np.int64)), laid(fold), listed,
        len(lost), tuple(lost.slice(0, NAMED).to_pylist()), len(new), tuple(new.slice(0, NAMED).to_pylist()),
    )  # fmt: skip


def _table(path: Path) -> pa.Table:
    hint = "A list is a CSV file with the columns sample_id, split and, where there are folds, fold; see --freeze."
    try:
        table = csv.read_csv(
            path, convert_options=csv.ConvertOptions(column_types=COLUMNS, strings_can_be_null=False, null_values=[""])
        )
    except OSError as error:
        raise BadOption(f"Cannot read the list {path}: {error.strerror or error}.", hint) from None
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise BadOption(f"{path} is not a list of ids ({str(error).splitlines()[0]}).", hint) from None
    if not {"sample_id", "split"} <= set(table.column_names):
        raise BadOption(f"{path} has the columns {', '.join(table.column_names)}.", hint)
    if "fold" not in table.column_names:
        table = table.append_column("fold", pa.nulls(len(table), pa.int16()))
    ids = from_cells(table["sample_id"])
    return table.set_column(table.column_names.index("sample_id"), "sample_id", ids).select(list(COLUMNS))


def check(path: Path, force: bool) -> None:
    """Raise AlreadyExists or CannotWrite now if the list could not be written later."""
    if path.is_dir():
        raise CannotWrite(f"{path} is a folder.", "Name a file with --freeze, such as ids.csv.")
    if path.exists() and not force:
        raise AlreadyExists(f"{path} already exists.", "Add --force to replace it, or choose another --freeze.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"Cannot write {path}: {error.strerror}.", "Choose another --freeze.") from None


def write(path: Path, ids: pa.ChunkedArray, split: pa.Array, fold: pa.Array) -> None:
    """Write the list, whole or not at all; rows without a split are in it, with none. Raises CannotWrite."""
    columns: dict[str, pa.Array | pa.ChunkedArray] = {"sample_id": as_cells(ids), "split": split}
    if fold.null_count < len(fold):
        columns["fold"] = fold
    with whole_file(path, "Choose another --freeze.") as temporary:
        csv.write_csv(pa.table(columns), temporary)
