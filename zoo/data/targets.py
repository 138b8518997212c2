"""What a net is taught of each face: one class, the voters' shares, one class drawn from them, or several right ones.

FER+'s four targets (Barsoum et al. 2016, arXiv 1608.01041; microsoft/FERPlus, src/ferplus.py), for any taxonomy.
"""

from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from ferdata.errors import BadOption, choose_one
from ferdata.labels import EMOTIONS, POLICIES, VOTE_COLUMNS, Taxonomy, tally

Floats = NDArray[np.float32]
SHARE = 0.3  # of the mass, from which on an emotion is one of several right ones


class Labelled(Protocol):
    """What is read of rows: `table` with the columns `COLUMNS`, and each row's class."""

    @property
    def table(self) -> pa.Table:
        """The columns of the manifest."""

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes, and which emotion goes to which."""

    @property
    def hard(self) -> NDArray[np.int64]:
        """The class of each row, int64 (n,); -1 for none."""


COLUMNS = ("votes", "label_dist", "reviewed_label", "proposed_label")


def distributions(rows: Labelled, how: str) -> Floats:
    """Return a target per row, float32 (n, classes): shares that sum to 1, or zeros where the row teaches nothing.

    - majority: all of it on the row's class. Where voters were divided there is no class, and the row is left out.
    - crossentropy: the shares of the votes that count, else those of the ratings, else all on the row's class.
    - probability: the same shares; `draw` picks one class of them anew each epoch.
    - multi_target: 1 for every class that is right (an emotion with 30 % or more), 0 for the others; such rows do not
      sum to 1.

    Votes are counted by `ferdata.labels.tally`, as the reference does. What a reviewer said or a net proposed, or a
    class that ratings give nothing (neutral is not rated at all in some), is taken at its word. Emotions without a
    class are left out, and the rest is scaled up to 1. Raises BadOption.
    """
    if how not in POLICIES:
        raise BadOption(f"There are no targets {how!r}.", choose_one(how, POLICIES))
    hard, classes = rows.hard, len(rows.taxonomy.classes)
    target = np.zeros((len(hard), classes), np.float32)
    labelled = np.flatnonzero(hard >= 0)
    target[labelled, hard[labelled]] = 1
    if how == "majority":
        return target
    to_class = _to_class(rows.taxonomy)
    free = pc.and_(rows.table["reviewed_label"].is_null(), rows.table["proposed_label"].is_null())
    voted = np.flatnonzero(pc.and_(rows.table["votes"].is_valid(), free).to_numpy())
    rated = np.flatnonzero(
        pc.and_(pc.and_(rows.table["label_dist"].is_valid(), free), rows.table["votes"].is_null()).to_numpy()
    )
    _put(target, voted, _from_votes(rows.table, voted, how) @ to_class, how)
    shares = _lists(rows.table["label_dist"], rated, len(EMOTIONS))
    if how == "multi_target":
        shares = np.where(shares >= SHARE, shares, 0)
        shares[2 * shares.sum(1) <= 1] = 0  # as with votes: right ones that hold no more than half say nothing
    shares = shares @ to_class
    known = hard[rated]
    speaks = (known < 0) | (shares[np.arange(len(rated)), known] > 0)
    _put(target, rated[speaks], shares[speaks], how)
    return target


def draw(dist: Tensor, generator: torch.Generator) -> Tensor:
    """Return a one-hot of one class per row, float32 (n, classes), drawn with the row's shares; zeros stay zeros.

    `dist` is float (n, classes); numbers come from `generator`, which lives on the CPU.
    """
    upto = dist.detach().cpu().double().cumsum(1)
    point = torch.rand(len(dist), 1, generator=generator, dtype=torch.float64) * upto[:, -1:]
    chosen = (upto <= point).sum(1)  # never a class of share 0: its sum is that of the one before
    one_hot = torch.nn.functional.one_hot(chosen.clamp(max=dist.shape[1] - 1), dist.shape[1])
    return (one_hot * (upto[:, -1:] > 0)).to(dist)


def _to_class(taxonomy: Taxonomy) -> Floats:
    """Return float32 (8, classes): 1 where an emotion goes to a class."""
    to_class = np.zeros((len(EMOTIONS), len(taxonomy.classes)), np.float32)
    for emotion, name in taxonomy.mapping.items():
        to_class[EMOTIONS.index(emotion), taxonomy.classes.index(name)] = 1
    return to_class


def _from_votes(table: pa.Table, where: NDArray[np.intp], how: str) -> Floats:
    votes = _lists(table["votes"], where, len(VOTE_COLUMNS)).astype(np.int16)
    return tally(votes, how)[1]


def _lists(column: pa.ChunkedArray, where: NDArray[np.intp], length: int) -> Floats:
    """Return the lists at `where` as float32 (m, length)."""
    flat = column.combine_chunks().take(pa.array(where)).flatten()
    return np.asarray(flat.to_numpy(zero_copy_only=False), np.float32).reshape(-1, length)


def _put(target: Floats, where: NDArray[np.intp], shares: Floats, how: str) -> None:
    """Write the shares (m, classes) of the rows at `where`; where they are all zero, what was there stays."""
    total = shares.sum(1, keepdims=True)
    has = total[:, 0] > 0
    scaled = (shares > 0).astype(np.float32) if how == "multi_target" else shares / np.maximum(total, 1e-9)
    target[where[has]] = scaled[has]
