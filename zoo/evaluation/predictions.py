"""`predictions.parquet`: what a run says of each scored row, so that runs are compared without a net or an image."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ferdata.errors import BrokenRun, paths_like
from ferdata.running.plain_file import must_be_plain
from ferdata.running.whole_file import write_whole
from zoo.evaluation.subgroups import clusters

if TYPE_CHECKING:
    from zoo.data.rows import Rows
    from zoo.run.model_file import Meta

NAME = "predictions.parquet"
KEY = b"ferdata"
COLUMNS = ("sample_id", "dataset", "split", "true", "probabilities", "clusters")
AGAIN = "Write it anew: ferdata evaluate RUN --save-predictions FILE, or train again."


@dataclass(frozen=True)
class Predictions:
    """Scored rows: `sample_id`, `dataset` and `split` are words (n,), `true` the class, int64 (n,).

    `probabilities` float32 (n, classes) are under the run's temperature; `clusters` int64 (n,) are equal where rows
    belong together. `facts` has the manifest's name and fingerprint, the taxonomy and the temperature.
    """

    sample_id: NDArray[np.str_]
    dataset: NDArray[np.str_]
    split: NDArray[np.str_]
    true: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    clusters: NDArray[np.int64]
    classes: tuple[str, ...]
    facts: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.true)

    def at(self, where: NDArray[Any]) -> "Predictions":
        """Return the rows at `where`: positions, or a mask."""
        return replace(self, **{name: getattr(self, name)[where] for name in COLUMNS})


def gather(
    meta: "Meta", rows: "Rows", scored: Mapping[str, tuple[NDArray[np.intp], NDArray[np.float32]]]
) -> Predictions:
    """Return a run's predictions of scored splits: split -> (positions in the manifest, probabilities (n, classes))."""
    return of_rows(rows, scored, taxonomy=meta.taxonomy, temperature=meta.temperature)


def of_rows(
    rows: "Rows", scored: Mapping[str, tuple[NDArray[np.intp], NDArray[np.float32]]], **facts: Any
) -> Predictions:
    """Return anybody's predictions of scored splits, as for `gather`; `facts` are kept beside those of the manifest."""
    where = np.concatenate([at for at, _ in scored.values()])
    split = np.concatenate([np.full(len(at), name) for name, (at, _) in scored.items()])
    table = rows.manifest.table("sample_id", "dataset", "group", "subject", "sequence")
    chosen = table.take(pa.array(where))
    return Predictions(
        np.asarray(chosen["sample_id"].to_pylist(), np.str_),
        np.asarray(chosen["dataset"].to_pylist(), np.str_),
        split,
        rows.hard[where],
        np.concatenate([p for _, p in scored.values()]),
        clusters(table)[where],
        rows.taxonomy.classes,
        {
            "manifest": rows.manifest.path.name,
            "fingerprint": rows.manifest.fingerprint,
            "split_source": rows.split_source,
            **facts,
        },
    )


def join(parts: Sequence[Predictions]) -> Predictions:
    """Return the rows of all parts, which have the same classes, one after the other; the facts are the first's."""
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return replace(parts[0], **columns)


def save(path: Path, predictions: Predictions) -> None:
    """Write the file, whole or not at all. Raises CannotWrite."""
    p = np.ascontiguousarray(predictions.probabilities, np.float32)
    names = pa.array([*predictions.classes])
    table = pa.table(
        {
            "sample_id": pa.array(predictions.sample_id),
            "dataset": pa.array(predictions.dataset),
            "split": pa.array(predictions.split),
            "target": names.take(pa.array(predictions.true)),
            "predicted": names.take(pa.array(p.argmax(1))),
            "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(p.ravel()), p.shape[1]).cast(
                pa.list_(pa.float32())
            ),
            "cluster": pa.array(predictions.clusters),
        }
    )
    text = json.dumps({**predictions.facts, "classes": list(predictions.classes)}, ensure_ascii=False)
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({KEY: text.encode()}), sink, compression="zstd")
    write_whole(path, sink.getvalue().to_pybytes())


def read(path: Path) -> Predictions:
    """Read the file. Raises BrokenRun if it is not there, damaged or not ours."""
    try:
        must_be_plain(path)
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {})[KEY])
        classes = tuple(facts["classes"])
        true = pc.index_in(table["target"], pa.array(classes)).to_numpy().astype(np.int64)
        flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        sample_id, dataset, split = (
            np.asarray(table[name].to_pylist(), np.str_) for name in ("sample_id", "dataset", "split")
        )
        return Predictions(
            sample_id,
            dataset,
            split,
            true,
            np.asarray(flat, np.float32).reshape(len(table), len(classes)),
            np.asarray(table["cluster"].to_numpy(), np.int64),
            classes,
            facts,
        )
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise BrokenRun(
                f"There is no run {path.parent}.", f"{paths_like(path.parent)}Name a run's folder."
            ) from None
        raise BrokenRun(f"There is no {path}: the run was not finished, or by an earlier ferdata.", AGAIN) from None
    except KeyError:
        raise BrokenRun(f"{path} is a table of something else, and holds no predictions.", AGAIN) from None
    except (OSError, pa.ArrowException, ValueError, TypeError) as error:
        raise BrokenRun(f"{path} holds no predictions: {str(error).splitlines()[0]}.", AGAIN) from None
