"""Which images of each set are read, and what they show: colour, fine detail, a net's features."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import images
from ferdata.auditing.pictures import detail_of, pick
from ferdata.comparing.sets import Sets
from ferdata.running import progress

BATCH = 256  # images that are held, and given to the net, at once
Ints = NDArray[np.int64]


class Features(Protocol):
    """What turns images into numbers: float32 (n, width) of n uint8 images, grey (H, W) or RGB (H, W, 3)."""

    name: str

    def __call__(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the features of some images, in order."""


@dataclass(frozen=True)
class Looked:
    """What was seen in images: the `rows` read, rising; whether in `colour`; their fine `detail` at 48 px.

    `features`, float32 (n, width), are a net's, NaN for rows that it was not shown; None without a net.
    """

    rows: Ints
    colour: NDArray[np.bool_]
    detail: NDArray[np.float32]
    features: NDArray[np.float32] | None

    def at(self, rows: Ints) -> "Looked":
        """Return what was seen in those of `rows` that could be read."""
        here = np.isin(self.rows, rows)
        some = None if self.features is None else self.features[here]
        return Looked(self.rows[here], self.colour[here], self.detail[here], some)


def any_rows(sets: Sets, most: int, seed: int) -> Ints:
    """Return up to `most` rows of each set, drawn at random, rising."""
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(sets.rows(k))[:most] for k in range(len(sets.names))]
    return np.sort(np.concatenate(drawn))


def independent_rows(sets: Sets, picture: Ints, most: int, seed: int) -> Ints:
    """Return rows of each set that know nothing of one another, at most `most`, rising: one of each person.

    Where nobody is named it is one of each clip, else of each picture with all of its copies (`picture`, int64 (n,)).
    A test that takes the frames of a clip for so many faces would be sure of far too much.
    """
    rng = np.random.default_rng(seed)
    whose = _whose(sets.table, picture)
    drawn = []
    for k in range(len(sets.names)):
        shuffled = rng.permutation(sets.rows(k))
        _, first = np.unique(whose[shuffled], return_index=True)
        drawn.append(rng.permutation(shuffled[first])[:most])
    return np.sort(np.concatenate(drawn))


def _whose(table: pa.Table, picture: Ints) -> Ints:
    """Return a number for each row's person, else its clip, else its picture."""
    person, clip = (
        pc.binary_join_element_wise(pa.scalar(word), table["dataset"], table[word], "\n")
        for word in ("subject", "sequence")
    )
    named = pc.coalesce(person, clip, pc.cast(pa.chunked_array([pa.array(picture)]), pa.string()))
    return np.asarray(named.combine_chunks().dictionary_encode().indices.to_numpy(), np.int64)


def look(sets: Sets, rows: Ints, features: Features | None, shown: Ints) -> Looked:
    """Read the images in `rows`, rising, once each; those of `shown` are given to the net as well.

    An image that can no longer be read is passed over. Raises ImagesMissing where all of a dataset's have moved.
    """
    seen: list[tuple[int, bool, float]] = []
    made: list[NDArray[np.float32]] = []
    held: list[tuple[int, NDArray[np.uint8]]] = []
    numbers: list[int] = []

    def flush(net: Callable[[list[NDArray[np.uint8]]], NDArray[np.float32]]) -> None:
        made.append(net([image for _, image in held]))
        numbers.extend(row for row, _ in held)
        held.clear()

    to_net = set(shown.tolist()) if features is not None else set()
    with progress.bar("look", len(rows), "images") as advance:
        for row, image in _images(sets, rows):
            seen.append((row, image.ndim == 3 and not bool((image == image[..., :1]).all()), detail_of(image)))
            if features is not None and row in to_net:
                held.append((row, image))
                if len(held) == BATCH:
                    flush(features)
            advance()
        if features is not None and held:
            flush(features)
    read, colour, detail = zip(*seen, strict=True) if seen else ((), (), ())
    where = np.array(read, np.int64)
    all_features = None
    if features is not None:
        some = np.concatenate(made) if made else np.zeros((0, 1), np.float32)
        all_features = np.full((len(where), some.shape[1]), np.nan, np.float32)
        all_features[np.searchsorted(where, numbers)] = some
    return Looked(where, np.array(colour, np.bool_), np.array(detail, np.float32), all_features)


def _images(sets: Sets, rows: Ints) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    start = 0
    for m in sets.manifests:
        m.roots_there()
        own = rows[(rows >= start) & (rows < start + m.rows)] - start
        for row, data in pick(m, own):
            try:
                yield start + row, images.as_uint8(images.decode(data))
            except images.UnreadableImage:
                continue
        start += m.rows
