"""The numbers of AffectNet's annotations, as text or from files: valence and arousal, boxes, 68 points."""

import math
from collections.abc import Iterable


def floats(cells: Iterable[str]) -> tuple[float, ...]:
    """Return the cells as numbers. Raises ValueError unless all are, and finite."""
    values = tuple(map(float, cells))
    if not all(map(math.isfinite, values)):
        raise ValueError(values)
    return values


def affect(value: float) -> float | None:
    """Return valence or arousal, None for -2, which stands where it was not rated. Raises ValueError."""
    if value == -2:
        return None
    if not -1.001 <= value <= 1.001:  # float text of the ends may lie just outside
        raise ValueError(value)
    return min(1.0, max(-1.0, value))


def points(cell: str) -> tuple[float, ...] | None:
    """Return 68 points, `x;y;x;y;...`; a cell without them is no reason to lose the face."""
    try:
        values = floats(word for word in cell.split(";") if word)
    except ValueError:
        return None
    return values if len(values) == 136 else None
