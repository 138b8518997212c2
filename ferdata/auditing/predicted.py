"""The predictions that an audit is given: a Parquet file, matched to the rows by `sample_id`, its classes by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ferdata.errors import BadOption
from ferdata.manifest.safe_paths import must_be_file
from ferdata.running.documents import parse_json

KEY = b"ferdata"
FORM = (
    "It needs a column sample_id, and either a column of numbers per class, named as the class, or what ferdata itself "
    "writes: ferdata audit M --fit -o OUT, ferdata evaluate RUN --save-predictions FILE."
)


def read(path: Path, ids: pa.ChunkedArray, classes: tuple[str, ...]) -> NDArray[np.float32]:
    """Return what is predicted of each row, float32 (n, classes), each row summing to 1; NaN for rows not in the file.

    The last of several lines of one id counts. Raises BadOption for what is no such file, has other classes, or has
    none of the rows.
    """
    table, p = _open(path, classes)
    at = pc.index_in(ids, value_set=pc.cast(table["sample_id"], pa.string()).combine_chunks())
    found = at.is_valid().to_numpy()
    if not found.any():
        raise BadOption(
            f"{path} predicts none of the manifest's {len(ids):,} rows.",
            "Is it of this manifest? Rows are matched by sample_id.",
        )
    out = np.full((len(ids), len(classes)), np.nan, np.float32)
    out[found] = p[at.drop_null().to_numpy().astype(np.int64)]
    return out


def facts(path: Path) -> dict[str, Any]:
    """Return what a file of predictions that ferdata wrote says of itself; nothing of anybody else's."""
    try:
        found = parse_json((pq.read_schema(path).metadata or {}).get(KEY, b"{}"))
    except ValueError:  # somebody has changed it
        return {}
    return found if isinstance(found, dict) else {}


def _open(path: Path, classes: tuple[str, ...]) -> tuple[pa.Table, NDArray[np.float32]]:
    try:
        must_be_file(path)
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise BadOption(f"{path} holds no predictions: {str(error).splitlines()[0]}.", FORM) from None
    names = table.column_names
    if "sample_id" not in names:
        raise BadOption(f"{path} has no column sample_id.", FORM)
    if "probabilities" in names:
        there, values = _ours(table, path)
    else:
        there = tuple(c for c in classes if c in names)
        missing = [c for c in classes if c not in names]
        if missing:
            raise BadOption(f"{path} has no column {', '.join(missing)}.", FORM)
        values = np.stack([table[c].to_numpy().astype(np.float32) for c in there], axis=1)
    if sorted(there) != sorted(classes):
        raise BadOption(
            f"{path} predicts {', '.join(there)}; the manifest's classes are {', '.join(classes)}.",
            "Predict under the manifest's own taxonomy, or merge it under that of the predictions: --taxonomy.",
        )
    values = values[:, [there.index(c) for c in classes]]
    total = values.sum(axis=1, keepdims=True)
    if not np.isfinite(values).all() or (values < 0).any() or (abs(total - 1) > 0.01).any():
        raise BadOption(
            f"The numbers in {path} are not probabilities: those of a row are 0 or more, and sum to 1.", FORM
        )
    return table, values / total


def _ours(table: pa.Table, path: Path) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    try:
        there = tuple(str(c) for c in parse_json((table.schema.metadata or {})[KEY])["classes"])
        flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return there, np.asarray(flat, np.float32).reshape(-1, len(there))[: table.num_rows]
    except (KeyError, ValueError, TypeError) as error:
        raise BadOption(f"{path} does not say which classes its probabilities are of: {error}.", FORM) from None
