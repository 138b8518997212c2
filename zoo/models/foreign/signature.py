"""What a file says of its own input and output, whatever made it, and what can be concluded from that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BadOption
from zoo.models.foreign.card import Card

CHANNELS = (1, 3)


@dataclass(frozen=True)
class Signature:
    """A model's input as its file declares it: `shape` of four axes, None where any number will do, and `dtype`.

    `card` is what else the file says.
    """

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    card: Card

    @property
    def batch(self) -> int | None:
        """How many pictures it takes at a time, None for any number."""
        return self.shape[0]


class Runner(Protocol):
    """An opened model: called with a batch in its own layout and dtype, it returns what comes out, (n, anything)."""

    signature: Signature

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return the outputs, float32 (n, ...)."""


def described(signature: Signature, where: str) -> Card:
    """Return what the shape tells: size, channels, layout; nothing of what any number would do for.

    Raises BadOption for an input that takes no pictures.
    """
    if len(signature.shape) != 4:
        raise BadOption(
            f"{where} takes arrays of {len(signature.shape)} axes, {in_words(signature.shape)}, which are no pictures.",
            "A batch of pictures has four: (N, channels, height, width), or (N, height, width, channels).",
        )
    layout = _layout(signature.shape)
    if layout is None and None not in (signature.shape[1], signature.shape[3]):
        raise BadOption(
            f"{where} takes {in_words(signature.shape)}: pictures of {signature.shape[1]} channels, or of "
            f"{signature.shape[3]} if they come last.",
            "Faces have 1 channel (grey) or 3. Such a model is judged by its predictions: evaluate --predictions FILE.",
        )
    if layout is None:
        return Card()
    channels, *sides = (signature.shape[i] for i in ((1, 2, 3) if layout == "NCHW" else (3, 1, 2)))
    known = {side for side in sides if side is not None}
    if len(known) > 1:
        raise BadOption(
            f"{where} takes pictures of {sides[1]} x {sides[0]} pixels, which are not square.",
            "Faces are cut to squares here. Such a model is judged by its predictions: evaluate --predictions FILE.",
        )
    return Card(layout=layout, channels=channels, size=known.pop() if known else None)


def _layout(shape: Sequence[int | None]) -> str | None:
    """Return the order of the axes, where the number of channels tells it."""
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    return None if first == last else "NCHW" if first else "NHWC"


def check(card: Card, told: Card, where: str) -> None:
    """Raise BadOption where what was said is not what the file's own shape tells."""
    for name in ("layout", "channels", "size"):
        said, there = getattr(card, name), getattr(told, name)
        if there is not None and said != there:
            raise BadOption(
                f"{where} has {name} {there}, and {said} was requested.",
                f"The file's input shape decides: leave it out, or, with a card of another form, add --{name} {there}.",
            )


def in_words(shape: Sequence[int | None]) -> str:
    """Return a shape as `(N, 3, 112, 112)`; N for any number."""
    return f"({', '.join('N' if side is None else str(side) for side in shape)})"
