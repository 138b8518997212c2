"""The faces of a check: as many of each class, none of test where there are others, and the same ones each time."""

import numpy as np
import pytest

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from tests.zoo.conftest import shape_rows
from zoo.data.rows import read_rows
from zoo.evaluation.reading_check.faces import draw

FOUR = (0, 1, 2, 4)


@pytest.fixture
def rows(manifest_path):
    return read_rows(Manifest(manifest_path))


def test_each_class_gives_as_many_and_so_does_any_first_part(rows):
    faces = draw(rows, FOUR, most=80)
    assert np.bincount(faces.true)[list(FOUR)].tolist() == [20] * 4
    assert np.bincount(faces.true[:12])[list(FOUR)].tolist() == [3] * 4
    assert (rows.hard[faces.where] == faces.true).all()


def test_rows_of_test_are_left_alone_unless_there_are_no_others(rows, shapes):
    faces = draw(rows, FOUR)
    assert faces.splits == {"train": 128, "val": 40}
    test = shapes([row for row in shape_rows() if row["split"] == "test"], name="test")
    assert draw(read_rows(Manifest(test)), FOUR).splits == {"test": 48}


def test_rows_that_no_split_has_are_left_alone_too(shapes):
    """Merge leaves duplicates of test without a split."""
    left = [{**row, "split": None} if row["split"] == "val" else row for row in shape_rows()]
    assert draw(read_rows(Manifest(shapes(left, name="left"))), FOUR).splits == {"train": 128}
    for row in left:
        row["split"] = None
    assert draw(read_rows(Manifest(shapes(left, name="none"))), FOUR).splits == {"no split": 216}


def test_equal_seeds_draw_equal_faces_and_others_draw_others(rows):
    first, again, other = (draw(rows, FOUR, seed, most=40).where for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_every_person_gives_one_face_before_any_gives_two(shapes):
    rows = [{**row, "group": row["group"] if row["group"] % 8 == 1 else 0} for row in shape_rows()]
    faces = draw(read_rows(Manifest(shapes(rows, name="people"))), (1,), most=20)
    assert len(np.unique(faces.clusters)) == 20


def test_a_manifest_without_a_face_of_the_models_classes_is_refused(rows):
    with pytest.raises(BadOption, match="no labelled face of what the model answers: contempt"):
        draw(rows, (7,))
    with pytest.raises(BadOption, match="none of its classes"):
        draw(rows, ())
