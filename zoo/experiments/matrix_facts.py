"""What speaks for or against a dataset before a net is trained: its terms, size, balance, and labels in doubt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.labels import EMOTIONS, VOTE_COLUMNS
from zoo.data.rows import Rows

HALF = 0.5  # of the votes: fewer for the label, and the label is in doubt


@dataclass(frozen=True)
class Facts:
    """Of a dataset: its title and terms, the labelled images of its train, and how these are spread over the classes.

    `redistribution` and `commercial` say what the licence allows; None: not known. `imbalance` is the commonest class
    over the rarest; `doubted` the share of the voted labels that fewer than half of the votes are for, None without
    votes.
    """

    title: str
    licence: str
    redistribution: bool | None
    commercial: bool | None
    train: int
    classes: dict[str, int]
    imbalance: float | None
    doubted: float | None


def facts(rows: Rows, train: NDArray[np.intp], dataset: NDArray[np.str_], names: Iterable[str]) -> dict[str, Facts]:
    """Return the facts of the named datasets, whose train images are among the rows at `train`."""
    return {name: _facts(rows, name, train[dataset[train] == name]) for name in names}


def _facts(rows: Rows, name: str, train: NDArray[np.intp]) -> Facts:
    source = rows.manifest.sources[name]
    hard = rows.hard[train]
    counts = np.bincount(hard[hard >= 0], minlength=len(rows.taxonomy.classes))
    there = counts[counts > 0]
    return Facts(
        title=source.get("title") or name,
        licence=source.get("licence") or "not known",
        redistribution=source.get("redistribution"),
        commercial=source.get("commercial"),
        train=int(counts.sum()),
        classes={c: int(n) for c, n in zip(rows.taxonomy.classes, counts, strict=True) if n},
        imbalance=float(there.max() / there.min()) if len(there) else None,
        doubted=_doubted(rows, train),
    )


def _doubted(rows: Rows, train: NDArray[np.intp]) -> float | None:
    """Return the share of voted labels that fewer than half of the votes are for."""
    chosen = rows.table.select(["votes", "target"]).take(train)
    chosen = chosen.filter(pc.and_(chosen["votes"].is_valid(), chosen["target"].is_valid()))
    if not len(chosen):
        return None
    votes = chosen["votes"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, len(VOTE_COLUMNS))
    of_class = _of_class(rows, chosen["target"].to_pylist())
    right = (votes[:, : len(EMOTIONS)] * of_class).sum(1)
    return float((right < HALF * np.maximum(votes.sum(1), 1)).mean())


def _of_class(rows: Rows, targets: Sequence[str]) -> NDArray[np.bool_]:
    """Return which emotions each row's class holds, (n, 8)."""
    mapping = rows.taxonomy.mapping
    held = {c: np.array([mapping.get(emotion) == c for emotion in EMOTIONS]) for c in rows.taxonomy.classes}
    return np.stack([held[target] for target in targets])
