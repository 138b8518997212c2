"""What a model said, read from files: predictions to show beside the labels, features to lay faces out by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ferdata.errors import BadOption
from ferdata.running.plain_file import must_be_plain, open_plain

LABELS, LISTS = ("predicted", "prediction"), ("features", "embedding")


def predictions(path: Path) -> dict[str, tuple[str, float | None]]:
    """Return class and confidence by sample id, from a run's `predictions.parquet` or a table like it.

    The table has `sample_id`, `predicted` (or `prediction`), and, if there is a confidence, `confidence` or
    `probabilities`. Raises BadOption.
    """
    table = _table(path)
    name = next((n for n in LABELS if n in table.column_names), None)
    if name is None or "sample_id" not in table.column_names:
        raise BadOption(
            f"{path} holds no predictions: it has the columns {', '.join(table.column_names)}.",
            "It needs sample_id and predicted, as `ferdata evaluate RUN --save-predictions FILE` writes them.",
        )
    confidence: list[float | None] = [None] * table.num_rows
    if "confidence" in table.column_names:
        confidence = table["confidence"].to_pylist()
    elif "probabilities" in table.column_names:
        confidence = [max(p) if p else None for p in table["probabilities"].to_pylist()]
    rows = zip(table["sample_id"].to_pylist(), table[name].to_pylist(), confidence, strict=True)
    return {str(i): (str(label), c) for i, label, c in rows if label is not None}


def features(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Return sample ids and their features, float32 (n, d), from Parquet or .npz; nothing is unpickled.

    Parquet: `sample_id` and a list column, `features` or `embedding`. An .npz: arrays of these names. Raises BadOption.
    """
    try:
        ids, values = _npz(path) if path.suffix == ".npz" else _lists(_table(path))
        if values.ndim != 2 or len(ids) != len(values) or not values.size:
            raise ValueError(f"{len(ids)} ids, and features of shape {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError("some features are no finite numbers")
    except (OSError, KeyError, ValueError, TypeError, StopIteration) as error:
        raise BadOption(
            f"{path} holds no features: {error or 'no list column'}.",
            "It needs sample_id and features, one vector of the same length for each row.",
        ) from None
    return ids, values


def _npz(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    with open_plain(path) as file, np.load(file, allow_pickle=False) as arrays:
        name = next(n for n in LISTS if n in arrays)
        return [str(i) for i in arrays["sample_id"]], np.asarray(arrays[name], np.float32)


def _lists(table: pa.Table) -> tuple[list[str], NDArray[np.float32]]:
    name = next(n for n in LISTS if n in table.column_names)
    flat = np.asarray(table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False), np.float32)
    return [str(i) for i in table["sample_id"].to_pylist()], flat.reshape(table.num_rows, -1)


def _table(path: Path) -> pa.Table:
    try:
        must_be_plain(path)
        return pq.read_table(path)
    except FileNotFoundError:
        raise BadOption(f"There is no file {path}.", "Check the path.") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise BadOption(f"{path} is not a Parquet file ({reason}).", "Name a Parquet file.") from None


def stamp(path: Path | None) -> str:
    """Return what tells one version of a file from another, for a dataset that is made of it; "" for none."""
    if path is None:
        return ""
    try:
        status = path.stat()
    except OSError:
        raise BadOption(f"There is no file {path}.", "Check the path.") from None
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"


def plane(values: NDArray[np.float32], umap: bool) -> NDArray[np.float32]:
    """Return features as points in the plane, float32 (n, 2): their two largest principal components, or UMAP."""
    if umap and len(values) > 3:
        import warnings

        from umap import UMAP

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a seed costs its threads
            near = min(15, len(values) - 1)
            points = UMAP(n_components=2, n_neighbors=near, random_state=0).fit_transform(reduced(values, 50))
        return np.asarray(points, np.float32)
    points = reduced(values, 2)
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def reduced(values: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Return the `most` largest principal components of features, float32 (n, at most `most`)."""
    centred = values - values.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred)  # (d, d), smallest first
    return np.asarray(centred @ vectors[:, ::-1][:, :most], np.float32)


def lay_out(dataset: Any, ids: list[str], values: NDArray[np.float32], umap: bool) -> int:
    """Give the dataset an embedding plot (`faces`) and an index to sort by likeness (`alike`); return how many rows.

    Likeness is measured on 32 principal components: on all of a net's features FiftyOne takes minutes to store it.
    """
    import fiftyone.brain as brain

    held: Mapping[str, str] = dict(zip(*dataset.values(["sample_id", "id"]), strict=True))
    known = [i for i, sample in enumerate(ids) if sample in held]
    if not known:
        raise BadOption("None of the features' sample ids is in this manifest.", "Make them of the same manifest.")
    at = [held[ids[i]] for i in known]
    for key in {"faces", "alike"} & set(dataset.list_brain_runs()):
        dataset.delete_brain_run(key)
    points, short = plane(values[known], umap), reduced(values[known], 32)
    view = dataset if len(at) == len(held) else dataset.select(at)
    brain.compute_visualization(
        view, points=dict(zip(at, points, strict=True)), brain_key="faces", method="manual", progress=False
    )
    brain.compute_similarity(
        view, embeddings=dict(zip(at, short, strict=True)), brain_key="alike", backend="sklearn", progress=False
    )
    return len(known)
