"""A manifest as a pandas DataFrame and back, for notebooks.

Every column of the frame is backed by Arrow (`pandas.ArrowDtype`), so that integers with missing values stay integers
and nested columns (image, votes, review, alignment) come back as they were.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.errors import BadOption, did_you_mean
from ferdata.labels import DERIVED_FROM, EMOTIONS, VOTE_COLUMNS, derive
from ferdata.manifest.file import Manifest, check_output, step_record, write
from ferdata.manifest.rewrite import rewritten_metadata, with_columns
from ferdata.schema import BY_NAME, SPLITS, arrow_type

ID = "sample_id"
DERIVED = tuple(c.name for c in BY_NAME.values() if c.owner == "derived")
WORDS: Mapping[str, Sequence[str]] = {
    "split": SPLITS,
    "official_split": SPLITS,
    "reviewed_label": VOTE_COLUMNS,  # an emotion, or why there is none
    "proposed_label": EMOTIONS,
}


def to_frame(manifest: Manifest | Path | str, *columns: str) -> pd.DataFrame:
    """Return the named columns of a manifest, or all but `image`, as a DataFrame whose index is `sample_id`.

    Raises BadOption for a column that the schema does not have, and NotAManifest.
    """
    opened = _opened(manifest)
    _check_names(columns)
    names = columns and tuple(dict.fromkeys((ID, *columns)))
    frame: pd.DataFrame = opened.table(*names).to_pandas(types_mapper=pd.ArrowDtype)
    return frame.set_index(ID)


def from_frame(frame: pd.DataFrame, *, like: Manifest | Path | str, out: Path | str, force: bool = False) -> Manifest:
    """Write the manifest `like` with a DataFrame's columns in place of its own, and return what was written.

    Rows are found by `sample_id`, the frame's index or a column of it, and keep the order of `like`; those that the
    frame lacks are left out, and columns that it lacks stay as they are. Labels are derived again where what they
    are derived from has changed. Values are checked against the schema's types; `validate` has the other rules.

    Raises BadOption for a frame that does not fit, with what is wrong, UnknownLabel for a native label that its dataset
    does not have, and AlreadyExists or CannotWrite for `out`.
    """
    opened, target = _opened(like), Path(out)
    check_output(target, force, [opened.path])
    given = frame.drop(columns=ID, errors="ignore")
    _check_names(given.columns)
    columns = {name: _column(name, given[name]) for name in given.columns}
    rows, order = _rows(opened, _ids(frame))
    columns = {name: column.take(pa.array(order)) for name, column in columns.items()}
    changed = _changed(opened, columns, rows)
    if fixed := [name for name in DERIVED if name in changed]:
        raise BadOption(
            f"Column {fixed[0]!r} differs from that of {opened.path}, but it is computed and cannot be set.",
            "Set 'reviewed_label' to correct a label. To exclude a row, drop it from the frame.",
        )
    record = step_record(
        "from_frame", {"columns": sorted(changed)}, [opened], rows_in=opened.rows, rows_out=len(rows)
    )  # fmt: skip
    changed |= _proposals_in_train(opened, changed, rows)
    if changed.keys() & set(DERIVED_FROM):
        changed |= _derived(opened, changed, rows)
    batches = with_columns([opened], changed, "writing", rows)
    write(target, batches, rewritten_metadata([opened], target, [record]), force)
    return Manifest(target)


def _opened(manifest: Manifest | Path | str) -> Manifest:
    return manifest if isinstance(manifest, Manifest) else Manifest(Path(manifest))


def _check_names(columns: Sequence[str] | pd.Index) -> None:
    if strangers := [name for name in columns if name not in BY_NAME]:
        raise BadOption(
            f"The schema has no column {strangers[0]!r}.",
            did_you_mean(strangers[0], BY_NAME)
            + f"A manifest has {', '.join(BY_NAME)}. Drop the others: frame.drop(columns=...).",
        )
    if twice := [name for i, name in enumerate(columns) if name in list(columns)[:i]]:
        raise BadOption(f"Column {twice[0]!r} occurs twice.", "Keep one of them.")


def _ids(frame: pd.DataFrame) -> pd.Index:
    """Return the sample id of every row. Raises BadOption where there are none, or one comes twice."""
    if ID in frame.columns:
        ids: pd.Index = pd.Index(frame[ID])
    elif frame.index.name == ID:
        ids = frame.index
    else:
        raise BadOption(
            f"The frame has no {ID}, neither as its index nor as a column.",
            "Start from `to_frame` and keep its index, which identifies the rows.",
        )
    if not ids.is_unique:
        raise BadOption(f"{ID} {ids[ids.duplicated()][0]!r} occurs twice.", "Keep each row once.")
    return ids


def _rows(opened: Manifest, ids: pd.Index) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of the manifest that the frame has, rising, and where in the frame each of them is."""
    own = pd.Index(opened.table(ID)[ID].to_pandas().astype(object))
    found = own.get_indexer(ids.astype(object))
    if (found < 0).any():
        raise BadOption(
            f"{int((found < 0).sum()):,} rows are not in {opened.path}, the first is {ids[found < 0][0]!r}.",
            "Rows cannot be added to a frame: `ingest` reads new rows from a dataset, `merge` combines manifests.",
        )
    order = np.argsort(found)
    return found[order], order


def _column(name: str, values: pd.Series) -> pa.Array:
    """Return a column in the schema's type. Raises BadOption where that would change or break it."""
    declared = BY_NAME[name]
    kind = arrow_type(declared)
    try:
        column = _array(values)
        if not _fits(column.type, kind):
            raise ValueError(f"it is {column.type}, but must be {kind}")
        if pa.types.is_integer(kind) and pa.types.is_floating(column.type) and _beyond_floats(column):
            raise ValueError("its integers were converted to floats, which cannot hold numbers as large as these")
        column = column.cast(kind)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:  # Arrow's own errors are among them
        raise _wrong(name, str(error).splitlines()[0]) from None
    if declared.required and column.null_count:
        raise _wrong(name, f"{column.null_count:,} values are missing")
    if declared.length and not pc.all(pc.equal(pc.list_value_length(column), declared.length), min_count=0).as_py():
        raise _wrong(name, f"not every list in it has {declared.length} values")
    if name in WORDS and (strangers := set(column.drop_null().unique().to_pylist()) - set(WORDS[name])):
        raise _wrong(name, f"it has {min(strangers)!r}, which is not one of {', '.join(WORDS[name])}")
    return column


def _array(values: pd.Series) -> pa.Array:
    """Return a column as Arrow understands it by itself."""
    try:
        column = pa.array(values, from_pandas=True)
    except OverflowError:  # Python's own integers, too large for 64 bits with a sign
        column = pa.array(values, pa.uint64(), from_pandas=True)
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column  # a pandas Categorical


def _wrong(name: str, what: str) -> BadOption:
    return BadOption(f"Column {name!r} cannot be written: {what}.", f"It holds: {BY_NAME[name].meaning}.")


def _beyond_floats(column: pa.Array) -> bool:
    """Return whether a float may stand for another integer than was meant; pandas makes floats where one is missing."""
    return bool(pc.any(pc.greater_equal(pc.abs(column), 2.0**53)).as_py())


def _fits(given: pa.DataType, kind: pa.DataType) -> bool:
    """Return whether values of one type can be of another: text is no number, and a struct has no further fields.

    A number's value is for the cast to judge, which refuses 1.5 as an integer.
    """
    types = pa.types
    if types.is_null(given) or given == kind:
        return True
    if types.is_struct(kind):
        known = {field.name: field.type for field in kind}
        return types.is_struct(given) and all(f.name in known and _fits(f.type, known[f.name]) for f in given)
    if types.is_list(kind):
        lists = types.is_list(given) or types.is_large_list(given) or types.is_fixed_size_list(given)
        return lists and _fits(given.value_type, kind.value_type)
    if types.is_string(kind):
        return bool(types.is_large_string(given))
    if types.is_binary(kind):
        return bool(types.is_large_binary(given))
    numbers = types.is_integer(kind) or types.is_floating(kind)
    return bool(numbers and (types.is_integer(given) or types.is_floating(given)))


def _changed(opened: Manifest, columns: Mapping[str, pa.Array], rows: NDArray[np.intp]) -> dict[str, pa.Array]:
    """Return those of the columns that differ from the manifest's own."""
    if not columns:
        return {}
    own = opened.table(*columns).take(pa.array(rows))
    return {name: column for name, column in columns.items() if not own[name].combine_chunks().equals(column)}


def _proposals_in_train(
    opened: Manifest, changed: Mapping[str, pa.Array], rows: NDArray[np.intp]
) -> dict[str, pa.Array]:
    """Return `proposed_label` without the rows that are not in train any more, or in a fold, if there are such."""
    names = ("proposed_label", "split", "fold")
    own = opened.table(*names).take(pa.array(rows))
    proposed, split, fold = (changed[n] if n in changed else own[n].combine_chunks() for n in names)
    in_train = pc.and_(pc.fill_null(pc.equal(split, "train"), False), fold.is_null())
    kept = pc.if_else(in_train, proposed, pa.scalar(None, pa.string()))
    return {} if kept.null_count == proposed.null_count else {"proposed_label": kept}


def _derived(opened: Manifest, changed: Mapping[str, pa.Array], rows: NDArray[np.intp]) -> dict[str, pa.Array]:
    table = opened.table(*DERIVED_FROM).take(pa.array(rows))
    for name in changed.keys() & set(DERIVED_FROM):
        table = table.set_column(table.schema.get_field_index(name), name, changed[name])
    return derive(table, opened.maps, opened.metadata["vote_policy"], opened.taxonomy)
