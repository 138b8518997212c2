"""Subsample train: fewer rows of a class, a dataset, or generated faces; every person and clip keeps one row first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.errors import BadOption, did_you_mean
from ferdata.splitting.seeded_order import Keys, round_robin

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Cap:
    """At most `most` labelled train rows whose `column` (target or dataset) is `value`."""

    column: str
    value: str
    most: int


def parse_caps(caps: Sequence[str], classes: Sequence[str], datasets: Sequence[str]) -> tuple[Cap, ...]:
    """Return the caps of `disgust=500` and `dataset:ferplus=10000`. Raises BadOption."""
    parsed = []
    for cap in caps:
        found = re.fullmatch(r"(class:|dataset:)?([^=]+)=(\d+)", cap)
        column = "dataset" if found and found[1] == "dataset:" else "target"
        if not found or found[2] not in (datasets if column == "dataset" else classes):
            meant = did_you_mean(found[2], datasets if column == "dataset" else classes) if found else ""
            raise BadOption(
                f"--cap cannot be {cap!r}.",
                meant
                + f"Use CLASS=N or dataset:NAME=N. Classes: {', '.join(classes)}; datasets: {', '.join(datasets)}.",
            )
        parsed.append(Cap(column, found[2], int(found[3])))
    return tuple(parsed)


def share_of(most: float | None) -> float | None:
    """Return `most` if it can be a share of train. Raises BadOption."""
    if most is not None and not 0 <= most < 1:
        raise BadOption(
            f"--max-synthetic cannot be {most}.", "Use a share of train, 0 or more and below 1, such as 0.3."
        )
    return most


def capped(table: pa.Table, group: Ints, key: Keys, train: Mask, caps: Sequence[Cap]) -> Mask:
    """Return the train rows over a cap, one cap after the other; rows without a target are not counted.

    Of every group (person, clip, picture) one row is kept before a second of any; then the shuffle keys decide. Only
    train is subsampled: val and test are to look like the world, not like what helps training.
    """
    labelled = train & table["target"].is_valid().to_numpy()
    out = np.zeros(len(train), np.bool_)
    for cap in caps:
        mine = np.flatnonzero(labelled & ~out & pc.fill_null(pc.equal(table[cap.column], cap.value), False).to_numpy())
        out[mine[round_robin(key[mine], group[mine])[cap.most :]]] = True
    return out


def too_synthetic(table: pa.Table, group: Ints, key: Keys, train: Mask, most: float | None) -> Mask:
    """Return the generated train rows that must go for them to be at most the share `most` of labelled train."""
    out = np.zeros(len(train), np.bool_)
    if most is None:
        return out
    labelled = train & table["target"].is_valid().to_numpy()
    made = pc.fill_null(table["synthetic"], False).to_numpy()
    # n / (n + photographed) <= most. In floating point 0.3 / 0.7 * 70 is just below 30, so 1e-9 is added.
    allowed = int(most / (1 - most) * int((labelled & ~made).sum()) + 1e-9)
    mine = np.flatnonzero(labelled & made)
    out[mine[round_robin(key[mine], group[mine])[allowed:]]] = True
    return out
