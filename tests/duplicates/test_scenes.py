"""Scenes: which pictures are, by box and size, and what of them shows the face."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ferdata.duplicates.scenes import SCENE_COLUMNS, are_scenes, inside
from ferdata.schema import arrow_schema

Box = list[float] | None


def table(*rows: dict[str, Any]) -> pa.Table:
    """Make a table of different pictures of 200 x 100 pixels."""
    full = [{"dataset": "a", "pixel_hash": str(i), "width": 200, "height": 100, **row} for i, row in enumerate(rows)]
    return pa.Table.from_pylist(full, arrow_schema(*SCENE_COLUMNS))


@pytest.mark.parametrize(
    ("box", "scene"),
    [
        (None, False),  # nobody says where the face is
        ([0, 0, 200, 100], False),
        ([0, 0, 100, 50], False),  # a quarter
        ([10, 20, 60, 60], True),
        ([150, 50, 200, 200], True),  # what of it lies in the picture is what counts
        ([10, 20, 0, 60], False),  # without area it shows nothing
        ([300, 20, 60, 60], False),
    ],
)
def test_a_picture_is_a_scene_where_the_box_of_its_face_covers_little_of_it(box: Box, scene: bool) -> None:
    assert are_scenes(table({"face_box": box})).tolist() == [scene]


def test_a_picture_of_several_faces_is_a_scene_however_large_they_are() -> None:
    left, right = [0, 0, 90, 90], [100, 0, 90, 90]
    photographs = [{"pixel_hash": h, "face_box": box} for h, box in (("x", left), ("x", right), ("y", left))]
    assert are_scenes(table(*photographs)).tolist() == [True, True, False]


def test_what_was_aligned_is_a_face_whatever_its_box() -> None:
    row = {"face_box": [10, 20, 60, 60], "alignment": {"detector": "published"}}
    assert are_scenes(table(row, row | {"alignment": None})).tolist() == [False, True]


def test_the_face_is_the_whole_pixels_that_the_box_touches() -> None:
    image = np.arange(20_000).reshape(100, 200)
    assert inside(image, [10.4, 20.0, 59.2, 60.0]).tolist() == image[20:80, 10:70].tolist()
    assert inside(image, [-30.0, 90.0, 60.0, 60.0]).tolist() == image[90:, :30].tolist()


def test_no_rows_are_no_scenes() -> None:
    assert are_scenes(table()).tolist() == []
