"""A drawn face and its picture, and how many of each emotion a drawn dataset has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferdata.drawing.paint import paint
from ferdata.drawing.traits import Expression, Person, Scene, expression, person, scene

Drawn = dict[str, dict[str, int]]  # split -> class -> images


@dataclass(frozen=True)
class Face:
    """Somebody, what the face shows, and the picture of it."""

    who: Person
    shown: Expression
    seen: Scene

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the picture, uint8 (height, width, 3) RGB."""
        return paint(self.who, self.shown, self.seen, width, height)


def somebody(emotion: str, intensity: float, rng: np.random.Generator) -> Face:
    """Return somebody new, in the wild."""
    who, shown, seen = (int(s) for s in rng.integers(1 << 31, size=3))
    return Face(person(who), expression(emotion, intensity, shown), scene(seen))


def quota(total: int, shares: Mapping[str, float], rng: np.random.Generator) -> list[str]:
    """Return `total` emotions in random order, as many of each as their shares say, but one at least."""
    whole = sum(shares.values())
    counts = {e: max(1, int(total * share / whole)) for e, share in shares.items()}
    commonest = max(shares, key=lambda e: shares[e])
    counts[commonest] += total - sum(counts.values())
    order = [e for e, n in counts.items() for _ in range(n)]
    return [order[i] for i in rng.permutation(len(order))]


def save(path: Path, image: NDArray[np.uint8]) -> None:
    """Write RGB or grey pixels in the format that the suffix names."""
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    path.write_bytes(cv2.imencode(path.suffix, stored, options)[1].tobytes())


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) RGB as uint8 (H, W)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
