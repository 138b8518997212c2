"""Problems of the set as a whole: leaks, people who give the label away, imbalance, drift, generated faces."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.class_balance import class_counts, drifts
from ferdata.known import contaminated
from ferdata.manifest.counts import split_column
from ferdata.schema import SPLITS

WHOLE_COLUMNS = (
    *("dataset", "pixel_hash", "phash", "group", "subject", "split", "official_split", "target", "synthetic"),
)
Scores = NDArray[np.float32]
Ints = NDArray[np.int64]


def rows(table: pa.Table) -> dict[str, Scores]:
    """Return the scores of leak, contaminated and one_class_subject; `table` has WHOLE_COLUMNS."""
    side = sides(table)
    found: dict[str, Scores] = {}
    if (side >= 0).any():
        found["leak"] = np.fmax(reach(numbers(table["pixel_hash"]), side), reach(numbers(table["group"]), side))
        known = contaminated(table, side == 0, table["dataset"].unique().to_pylist())
        found["contaminated"] = np.where(side == 0, known.rows, np.nan).astype(np.float32)
    if table["subject"].null_count < table.num_rows:
        found["one_class_subject"] = _gives_away(table)
    return found


def sides(table: pa.Table) -> Ints:
    """Return each row's split as its place in SPLITS, -1 for none."""
    return np.asarray(pc.fill_null(pc.index_in(table[split_column(table)], pa.array(SPLITS)), -1).to_numpy(), np.int64)


def numbers(column: pa.ChunkedArray) -> Ints:
    """Return equal numbers for equal values, -1 for null."""
    codes = column.combine_chunks().dictionary_encode().indices
    return np.asarray(pc.fill_null(codes, -1).to_numpy(zero_copy_only=False), np.int64)


def reach(group: Ints, side: Ints) -> Scores:
    """Return in how many splits each row's group stands; NaN for rows of no split or no group."""
    on = (group >= 0) & (side >= 0)
    stands = np.zeros((int(group.max(initial=-1)) + 1, len(SPLITS)), np.bool_)
    stands[group[on], side[on]] = True
    out = np.full(len(group), np.nan, np.float32)
    out[on] = stands.sum(axis=1)[group[on]]
    return out


def _gives_away(table: pa.Table) -> Scores:
    """Return, for rows of a person who shows one class only, how many labelled rows there are of that person; else 0.

    Rows that name nobody, or have no class, are NaN.
    """
    person = numbers(pc.binary_join_element_wise(table["dataset"], table["subject"], "\n"))
    label = numbers(table["target"])
    on = (person >= 0) & (label >= 0)
    cells = np.zeros((int(person.max(initial=-1)) + 1, int(label.max(initial=-1)) + 1), np.int64)
    np.add.at(cells, (person[on], label[on]), 1)
    alone = np.where((cells > 0).sum(axis=1) == 1, cells.sum(axis=1), 0)
    out = np.full(table.num_rows, np.nan, np.float32)
    out[on] = alone[person[on]]
    return out


def parts(table: pa.Table, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the scores of imbalance, drift and synthetic: finding -> part, or pair of parts -> score."""
    by = {
        "split": _each(table, pc.fill_null(table[split_column(table)], ""), classes, SPLITS),
        "dataset": _each(table, table["dataset"], classes, sorted(table["dataset"].unique().to_pylist())),
    }
    counted = by["split"] or {"all": class_counts(table["target"], classes)}
    made = pc.fill_null(table["synthetic"], False)
    return {
        "imbalance": {name: float(n.max() / n[n > 0].min()) for name, n in counted.items() if n.any()},
        "drift": {
            f"{d.first} against {d.second}": float(d.jensen_shannon)
            for counts in by.values()
            for d in drifts(counts)
            if d.jensen_shannon is not None
        },
        "synthetic": _shares(made, table[split_column(table)]),
    }


def _each(
    table: pa.Table, part: pa.ChunkedArray, classes: Sequence[str], names: Sequence[str]
) -> Mapping[str, NDArray[np.int64]]:
    counts = {name: class_counts(table["target"].filter(pc.equal(part, name)), classes) for name in names}
    return {name: n for name, n in counts.items() if n.any()}


def _shares(made: pa.ChunkedArray, side: pa.ChunkedArray) -> dict[str, float]:
    """Return the share of generated rows in each split, or in all where there is none."""
    on = {name: made.filter(pc.fill_null(pc.equal(side, name), False)) for name in SPLITS}
    chosen = {name: column for name, column in on.items() if len(column)} or {"all": made}
    return {name: float(pc.mean(pc.cast(column, pa.float64())).as_py() or 0) for name, column in chosen.items()}
