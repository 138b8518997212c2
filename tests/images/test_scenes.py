"""Scenes: which pictures are, by box and size, and what of them shows the face."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ferdata.images.scenes import SCENE_COLUMNS, are_scenes, face_of
from ferdata.schema import arrow_schema

Box = list[float] | None


def table(*rows: dict[str, Any]) -> pa.Table:
    """Make a table of pictures of 200 x 100 pixels."""
    return pa.Table.from_pylist([{"width": 200, "height": 100, **row} for row in rows], arrow_schema(*SCENE_COLUMNS))


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
    image = np.zeros((100, 200), np.uint8)
    assert (face_of(image, {"face_box": box, "alignment": None}).shape != image.shape) is scene


def test_what_was_aligned_is_a_face_whatever_its_box() -> None:
    row = {"face_box": [10, 20, 60, 60], "alignment": {"detector": "published"}}
    assert are_scenes(table(row, row | {"alignment": None})).tolist() == [False, True]
    image = np.zeros((100, 200, 3), np.uint8)
    assert face_of(image, row) is image


def test_the_face_is_the_whole_pixels_that_the_box_touches() -> None:
    image = np.arange(20_000).reshape(100, 200)
    shown = face_of(image, {"face_box": [10.4, 20.0, 59.2, 60.0], "alignment": None})
    assert shown.tolist() == image[20:80, 10:70].tolist()
    cut = face_of(image, {"face_box": [-30.0, 90.0, 60.0, 60.0], "alignment": None})
    assert cut.tolist() == image[90:, :30].tolist()


def test_no_rows_are_no_scenes() -> None:
    assert are_scenes(table()).tolist() == []
