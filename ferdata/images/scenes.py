"""Scenes: pictures of which the face is a small part. What tells them apart is the room; the face is inside the box."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

SCENE_COLUMNS = ("face_box", "alignment", "width", "height")
# The share of a picture that its face covers at least, unless it is a scene. Of 100 frames of one room with another
# face in each, 98 passed for copies of one another where the face covered 5 % of them, 42 at 15 %, 4 at 25 %, 0 at 40 %
# (FER2013's faces in two photographs of muxspace).
LEAST = 0.25
Floats = NDArray[np.float64]


def are_scenes(table: pa.Table) -> NDArray[np.bool_]:
    """Return which rows are whole scenes: not aligned, with a box around a face that covers less than LEAST of them.

    A picture without a box may be a scene as well: nobody says so. `table` has SCENE_COLUMNS.
    """
    scenes = np.zeros(table.num_rows, np.bool_)
    boxed = np.flatnonzero(pc.and_(table["face_box"].is_valid(), table["alignment"].is_null()).to_numpy())
    if len(boxed):
        rows = table.select(SCENE_COLUMNS).take(pa.array(boxed))
        boxes = rows["face_box"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
        sizes = np.stack([rows["width"].to_numpy(), rows["height"].to_numpy()], axis=1)
        scenes[boxed] = _small(_edges(boxes.astype(np.float64), sizes), sizes)
    return scenes


def face_of(image: NDArray[Any], row: Mapping[str, Any]) -> NDArray[Any]:
    """Return what shows the face of `row`: the part of a scene inside its box, and any other picture as it is.

    `image` is (H, W) or (H, W, 3); `row` has `face_box` and `alignment` as Python values.
    """
    if row["face_box"] is None or row["alignment"] is not None:
        return image
    size = np.array([image.shape[1::-1]])
    edges = _edges(np.array([row["face_box"]], np.float64), size)
    if not _small(edges, size)[0]:
        return image
    left, top, right, bottom = edges[0].astype(int).tolist()
    return image[top:bottom, left:right]


def _edges(boxes: Floats, sizes: NDArray[Any]) -> Floats:
    """Return left, top, right and bottom (n, 4) of the whole pixels that boxes (x, y, width, height) touch."""
    low, high = np.floor(boxes[:, :2]), np.ceil(boxes[:, :2] + boxes[:, 2:])
    return np.concatenate([np.clip(low, 0, sizes), np.clip(high, 0, sizes)], axis=1)


def _small(edges: Floats, sizes: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which faces cover a small part of their picture; a box without area, or beside the picture, is none."""
    area = np.prod(edges[:, 2:] - edges[:, :2], axis=1)
    return np.asarray((area > 0) & (area < LEAST * np.prod(sizes, axis=1)))
