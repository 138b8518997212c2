"""Points on a face that go where its pixels go; a mirrored face has its left eye where the right one was."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
# Which point each one becomes in the mirror. Five: eyes, nose, corners of the mouth. 68: the order of Multi-PIE and
# iBUG (jaw, brows, nose, eyes, lips without and within), which CK+ and dlib have.
_EYES = (45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40)
_LIPS = (54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65)
MIRROR: dict[int, NDArray[np.intp]] = {
    5: np.array((1, 0, 2, 4, 3)),
    68: np.array((*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), *_EYES, *_LIPS)),
}


def on_square(points: Points, width: int, height: int, size: int) -> Points:
    """Take points (k, 2) of a picture, in pixels, to the centre square that a pack cuts out of it."""
    side = min(width, height)
    corner = np.array([(width - side) // 2, (height - side) // 2])
    return np.asarray((points - corner + 0.5) * (size / side) - 0.5)


def moved(points: Points, back: NDArray[np.float64] | None, mirrored: bool, side: int) -> Points:
    """Take points (k, 2) to where an augmented picture of `side` pixels shows them.

    `back` is the picture's row of `zoo.augment.parameters.Draws.maps`, which has the mirror in it. Where `mirrored`,
    the points of the left side become those of the right; in a layout that is not known they keep their names.
    """
    there: Points = points * (-1, 1) + (side - 1, 0) if mirrored and back is None else points
    if back is not None:
        there = np.asarray(np.linalg.solve(back[:, :2], (points - back[:, 2]).T).T, np.float64)
    return np.asarray(there[MIRROR[len(there)]] if mirrored and len(there) in MIRROR else there)


def sides(count: int) -> NDArray[np.intp]:
    """Return for each of `count` points -1 (left in a picture that is not mirrored), 0 (middle) or 1 (right)."""
    if count not in MIRROR:
        return np.zeros(count, np.intp)
    # In both layouts the left one of a pair comes first, but for the inner and lower lip, which are counted around.
    order: NDArray[np.intp] = np.sign(np.arange(count) - MIRROR[count])
    if count == 68:
        order[55:60] *= -1
        order[65:68] *= -1
    return order
