"""Labels that a net proposes for rows of train, where a publisher's words may differ from the others' in habit.

Datasets disagree in what they call fear or disgust (Zeng et al. 2018, IPA2LT, ECCV): where a net that knows how the
others label is sure of another class, that is proposed. The publisher's own label stays where it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.auditing import predicted
from ferdata.errors import BadOption
from ferdata.labels import EMOTIONS, Taxonomy

LEAST = 0.5  # confidence: below it, two classes could both be proposed


@dataclass(frozen=True)
class Judged:
    """What a net says of each row: `p` float32 (n, classes), NaN where nothing; `out_of_fold` as in Proposals.

    `confidence` is the probability from which on it is believed.
    """

    p: NDArray[np.float32]
    out_of_fold: bool
    confidence: float
    taxonomy: Taxonomy


@dataclass(frozen=True)
class Proposals:
    """How many labels were proposed: by dataset, and by which class became which (`fear to surprise`).

    `judged` is how many rows of train there are predictions of. `out_of_fold` says that the net which judges a row was
    trained on others; False where the file does not say so.
    """

    count: int
    judged: int
    counts: Mapping[str, Mapping[str, int]]
    out_of_fold: bool


def check(path: Path | None, confidence: float, taxonomy: Taxonomy, folds: str | None) -> None:
    """Raise BadOption now, before the work, for what proposals cannot be made with."""
    if path is None:
        return
    if not LEAST <= confidence < 1:
        raise BadOption(f"--confidence cannot be {confidence:g}.", "Use 0.5 or more, and less than 1: 0.9.")
    if folds is not None:
        raise BadOption(
            "--folds tests on rows of train, whose labels would be the net's own proposals.",
            "Leave out --relabel-by or --folds.",
        )
    _emotions(taxonomy)


def read(path: Path | None, ids: pa.ChunkedArray, confidence: float, taxonomy: Taxonomy) -> Judged | None:
    """Return what a file of predictions says of rows, None without one.

    Raises BadOption as `ferdata.auditing.predicted.read` does.
    """
    if path is None:
        return None
    p = predicted.read(path, ids, taxonomy.classes)
    return Judged(p, bool(predicted.facts(path).get("out_of_fold")), confidence, taxonomy)


def propose(table: pa.Table, in_train: NDArray[np.bool_], judged: Judged) -> tuple[pa.Array, Proposals]:
    """Return the column `proposed_label` of `table`, and its counts.

    `table` has `dataset`, `target` and `reviewed_label`. A row of train with a class, which no reviewer has decided, is
    proposed another class that the net is sure of.
    """
    classes, p = judged.taxonomy.classes, judged.p
    target = pc.fill_null(pc.index_in(table["target"], pa.array(classes)), -1).to_numpy()
    free = table["reviewed_label"].is_null().to_numpy()
    asked = in_train & (target >= 0) & free & np.isfinite(p).all(axis=1)
    likeliest = np.where(asked, np.nan_to_num(p).argmax(axis=1), -1)
    sure = asked & (np.nan_to_num(p).max(axis=1) >= judged.confidence) & (likeliest != target)
    column = pa.array(_emotions(judged.taxonomy), pa.string()).take(pa.array(likeliest, mask=~sure))
    counts = _counted(table["dataset"], classes, target, likeliest, sure)
    return column, Proposals(int(sure.sum()), int(asked.sum()), counts, judged.out_of_fold)


def counted(proposed: Proposals | None) -> dict[str, Any]:
    """Return what the lineage keeps of proposals: nothing where none were asked for."""
    return {} if proposed is None else {"proposed": proposed.counts}


def _emotions(taxonomy: Taxonomy) -> list[str]:
    """Return the emotion that is meant by each class. Raises BadOption for a class of several, none of its own name."""
    found = []
    for name in taxonomy.classes:
        own = [e for e in EMOTIONS if taxonomy.mapping.get(e) == name]
        if name not in own and len(own) > 1:
            raise BadOption(
                f"The class {name} stands for {', '.join(own)}, so that no label can be proposed for it.",
                "Relabel under a taxonomy whose classes are emotions, such as basic8.",
            )
        found.append(name if name in own else own[0])
    return found


def _counted(
    dataset: pa.ChunkedArray,
    classes: tuple[str, ...],
    target: NDArray[np.int64],
    likeliest: NDArray[np.int64],
    sure: NDArray[np.bool_],
) -> dict[str, dict[str, int]]:
    names = np.array(classes)
    pairs = pa.table(
        {
            "d": dataset.filter(pa.array(sure)),
            "from": pa.array(names[target[sure]].tolist(), pa.string()),
            "to": pa.array(names[likeliest[sure]].tolist(), pa.string()),
        }
    )
    counts: dict[str, dict[str, int]] = {}
    cells = pairs.group_by(["d", "from", "to"]).aggregate([([], "count_all")]).to_pylist()
    for cell in sorted(cells, key=lambda c: (c["d"], -c["count_all"], c["from"], c["to"])):
        counts.setdefault(cell["d"], {})[f"{cell['from']} to {cell['to']}"] = cell["count_all"]
    return counts
