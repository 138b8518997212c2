"""Which rows a training reads: the sides of a split or of a fold, rows with something to learn from, their size."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.errors import BadOption, did_you_mean
from ferdata.labels import EMOTIONS, VOTE_COLUMNS, Taxonomy, tally
from ferdata.manifest import Manifest
from ferdata.manifest.counts import split_column

COLUMNS = (
    *("dataset", "target", "split", "official_split", "fold", "votes", "label_dist", "reviewed_label"),
    *("width", "height", "mode"),
)
SMALLEST, LARGEST = 32, 224  # pixels: what `natural_size` keeps to
Where = NDArray[np.intp]


def split_of_rows(
    manifest: Manifest, table: pa.Table, datasets: Sequence[str] | None = None, fold: int | None = None
) -> tuple[NDArray[np.str_], str]:
    """Return "train", "val", "test" or "" per row of `table`, and the column that it comes from.

    A manifest that no step has split, such as one just ingested, is taken by its official split. With `fold`, test is
    that fold, val the one after it (the first after the last), and train the others; rows without a fold are out, as
    are those of other datasets than the named ones. Raises BadOption for a dataset or a fold that is not there.
    """
    if fold is None:
        source = split_column(table)
        side = np.asarray(pc.fill_null(table[source], "").to_pylist(), dtype="<U5")
    else:
        source, side = "fold", _by_fold(manifest, table["fold"], fold)
    return np.where(of_datasets(manifest, table, datasets), side, ""), source


def of_datasets(manifest: Manifest, table: pa.Table, datasets: Sequence[str] | None) -> NDArray[np.bool_]:
    """Return which rows are of the named datasets; None names all. Raises BadOption for one that is not there."""
    if datasets is None:
        return np.ones(len(table), bool)
    if strangers := sorted(set(datasets) - set(manifest.sources)):
        raise BadOption(
            f"{manifest.path} has no dataset {', '.join(strangers)}.",
            f"{did_you_mean(strangers[0], manifest.sources)}It has {', '.join(manifest.sources)}.",
        )
    chosen = pc.is_in(table["dataset"], pa.array(list(datasets), pa.string()))
    return np.asarray(chosen.to_numpy(), bool)


def _by_fold(manifest: Manifest, column: pa.ChunkedArray, fold: int) -> NDArray[np.str_]:
    folds = pc.fill_null(column, -1).to_numpy().astype(np.int64)
    known = sorted(set(folds[folds >= 0].tolist()))
    again = (
        f"Make folds: ferdata split {manifest.path} --folds 5 -o folds.parquet\n"
        "Folds replace official splits: of a dataset with an official test, results do not compare with published ones."
    )
    if len(known) < 3:
        has = f"{len(known)} folds: one for test, one for val, none for train" if known else "no folds"
        raise BadOption(f"{manifest.path} has {has}.", again)
    if fold not in known:
        whole = known == list(range(len(known)))
        names = f"0 to {known[-1]}" if whole else ", ".join(map(str, known))
        raise BadOption(f"{manifest.path} has no fold {fold}.", f"It has folds {names}.")
    after = known[(known.index(fold) + 1) % len(known)]
    side = np.where(folds >= 0, "train", "")
    return np.where(folds == fold, "test", np.where(folds == after, "val", side))


def classes_of(table: pa.Table, taxonomy: Taxonomy) -> NDArray[np.int64]:
    """Return the position of each row's target among the classes, int64 (n,); -1 for none."""
    position = pc.index_in(table["target"], pa.array(taxonomy.classes))
    return np.asarray(pc.fill_null(position, -1).to_numpy(), np.int64)


def with_target(table: pa.Table, taxonomy: Taxonomy) -> NDArray[np.bool_]:
    """Return which rows have a class, or else votes or ratings that say something of the classes.

    Votes without a majority may have a distribution (FER+'s cross-entropy target, microsoft/FERPlus,
    src/ferplus.py); what a reviewer has decided is no longer a matter of votes.
    """
    some = classes_of(table, taxonomy) >= 0
    placed = np.array([e in taxonomy.mapping for e in EMOTIONS])
    free = pc.and_(table["reviewed_label"].is_null(), pa.chunked_array([pa.array(~some)]))
    voted = np.flatnonzero(pc.and_(free, table["votes"].is_valid()).to_numpy())
    votes = _lists(table["votes"], voted, len(VOTE_COLUMNS)).astype(np.int16)
    some[voted] = tally(votes, "crossentropy")[1][:, placed].any(axis=1)
    rated = pc.and_(table["label_dist"].is_valid(), table["votes"].is_null())
    rows = np.flatnonzero(pc.and_(free, rated).to_numpy())
    some[rows] = (_lists(table["label_dist"], rows, len(EMOTIONS))[:, placed] > 0).any(axis=1)
    return some


def _lists(column: pa.ChunkedArray, where: Where, length: int) -> NDArray[np.float32]:
    flat = column.combine_chunks().take(pa.array(where)).flatten()
    return np.asarray(flat.to_numpy(zero_copy_only=False), np.float32).reshape(-1, length)


def ordered(hard: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Where:
    """Return the positions of the chosen rows: first those with a class, then the others, each in file order.

    So the rows that a net is judged by, or taught by majority, are the beginning of those that it is taught by votes,
    and one array in the cache serves both.
    """
    return np.concatenate([np.flatnonzero(chosen & (hard >= 0)), np.flatnonzero(chosen & (hard < 0))])


def whole_side(table: pa.Table, taxonomy: Taxonomy, side: NDArray[np.str_], name: str) -> Where:
    """Return the positions, in the order of `ordered`, of all rows on the side `name` that teach something."""
    return ordered(classes_of(table, taxonomy), with_target(table, taxonomy) & (side == name))


def natural_size(table: pa.Table, where: Where) -> int:
    """Return the median short side of the images, up to the next multiple of 16, SMALLEST to LARGEST pixels."""
    sizes = np.minimum(table["width"].to_numpy()[where], table["height"].to_numpy()[where])
    return int(min(LARGEST, max(SMALLEST, -(-int(np.median(sizes)) // 16) * 16)))


def all_grey(table: pa.Table, where: Where) -> bool:
    """Say whether every one of the rows is a one-channel image."""
    modes = pc.unique(table["mode"].take(pa.array(where))).to_pylist()
    return all(str(mode).startswith("L") for mode in modes)
