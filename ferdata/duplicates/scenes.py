"""Scenes: pictures that show more than a face, which is what is inside its box; alike by the room, not by the face."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.duplicates.label_conflicts import PICTURE_BY, face_boxes

SCENE_COLUMNS = (*PICTURE_BY, "width", "height")
# The share of a picture that its face covers at least, unless it is a scene. Of 100 frames of one room with another
# face in each, 98 passed for copies of one another where the face covered 5 % of them, 42 at 15 %, 4 at 25 %, 0 at 40 %
# (FER2013's faces in two photographs of muxspace).
LEAST = 0.25
Floats = NDArray[np.float64]


def are_scenes(table: pa.Table) -> NDArray[np.bool_]:
    """Return which rows are scenes: not aligned, with a face box that covers less than LEAST, or is one of several.

    A picture without a box may be a scene as well, but nobody says so. `table` has SCENE_COLUMNS.
    """
    scenes = np.zeros(table.num_rows, np.bool_)
    boxed = np.flatnonzero(pc.and_(table["face_box"].is_valid(), table["alignment"].is_null()).to_numpy())
    if len(boxed):
        rows = table.select(("face_box", "width", "height")).take(pa.array(boxed))
        boxes = rows["face_box"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
        sizes = np.stack([rows["width"].to_numpy(), rows["height"].to_numpy()], axis=1)
        several = pc.not_equal(face_boxes(table), "").to_numpy()[boxed]
        edges = _edges(boxes.astype(np.float64), sizes)
        area = np.prod(edges[:, 2:] - edges[:, :2], axis=1)  # 0: a box that shows nothing
        scenes[boxed] = (area > 0) & (several | (area < LEAST * np.prod(sizes, axis=1)))
    return scenes


def inside(image: NDArray[Any], box: Sequence[float]) -> NDArray[Any]:
    """Return the part of an image, (H, W) or (H, W, 3), that `box` touches: whole pixels."""
    left, top, right, bottom = _edges(np.array([box], np.float64), np.array([image.shape[1::-1]]))[0].astype(int)
    return image[top:bottom, left:right]


def _edges(boxes: Floats, sizes: NDArray[Any]) -> Floats:
    """Return left, top, right and bottom (n, 4) of the whole pixels that boxes (x, y, width, height) touch."""
    low, high = np.floor(boxes[:, :2]), np.ceil(boxes[:, :2] + boxes[:, 2:])
    return np.concatenate([np.clip(low, 0, sizes), np.clip(high, 0, sizes)], axis=1)
