"""A wrong reading is found, or it is said that these faces do not tell; a right one is never accused."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from ferdata.drawing.face import somebody
from ferdata.labels import EMOTIONS
from tests.zoo.conftest import QUICK, SHAPES, shape, shape_rows, write_shapes
from zoo.deploy.onnx_export import export
from zoo.evaluation.reading_check.check import BEST
from zoo.evaluation.reading_check.orders import moved
from zoo.evaluation.reading_check.words import findings, sentences
from zoo.training.train import train

# All of the four that have faces, two of one that has and one that has not, and one of two that have none.
SEEN = [EMOTIONS.index(name) for name in SHAPES]
PAIRS = [*itertools.combinations(SEEN, 2), (0, 3), (4, 7), (3, 5)]


@pytest.mark.parametrize("seed", range(5))
def test_a_right_card_is_not_accused_whatever_faces_are_drawn(checked, seed):
    assert checked(seed=seed).findings == ()


def test_every_exchange_of_two_classes_is_found_or_said_to_have_too_few_faces(checked):
    """Four of the eight classes have faces: of two that have none nobody can tell."""
    for i, j in PAIRS:
        wrong = list(EMOTIONS)
        wrong[i], wrong[j] = wrong[j], wrong[i]
        pair = {EMOTIONS[i], EMOTIONS[j]}
        done = checked(classes=wrong)
        if pair & {*SHAPES}:
            (found,) = done.findings
            assert {*moved(found.order, done.classes)} == pair
            assert f"--classes {','.join(EMOTIONS)}." in findings(done)[0]
            assert found.interval[0] > 0
            assert found.accuracy == pytest.approx(done.accuracy + found.gain)
        else:
            assert done.findings == ()
            assert pair in map(set, done.open)


def test_a_known_order_is_named(checked):
    """Its outputs are in FER+'s order, and were said to be in AffectNet's."""
    done = checked(classes=["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"])
    assert "With its outputs read in FER+'s order it would be" in findings(done)[0]
    assert f"--classes {','.join(EMOTIONS)}." in findings(done)[0]


def test_an_order_that_nobody_knows_is_found_too(checked, shapes):
    """The manifest's labels go round in a ring of four, which no exchange undoes."""
    ring = dict(zip(SHAPES, (*SHAPES[1:], SHAPES[0]), strict=True))
    done = checked(shapes([{**row, "native_label": ring[row["native_label"]]} for row in shape_rows()], name="ring"))
    found = done.findings[0]
    assert found.name == BEST
    assert [done.classes[found.order[EMOTIONS.index(name)]] for name in SHAPES] == [*ring.values()]
    assert "With its outputs read in another order it would be" in findings(done)[0]


@pytest.mark.parametrize("ends", [(0, 1), (-1, 1)])
def test_another_scale_of_pixels_is_found(checked, ends):
    done = checked(pixels=ends)
    assert (done.findings[0].kind, done.findings[0].name) == ("pixels", "0,255")
    assert "With pixels as they are, 0..255, it would be" in findings(done)[0]
    assert "--pixels 0,255." in findings(done)[0]


def test_a_crop_that_is_too_wide_for_the_model_is_found(checked, shapes):
    """The same shapes in a white frame."""
    rows = []
    for row in shape_rows():
        emotion, seed = row.pop("shape")
        wide = np.full((40, 40), 255, np.uint8)
        wide[4:36, 4:36] = shape(emotion, seed)
        rows.append({**row, "pixels": wide})
    done = checked(shapes(rows, name="wide"))
    assert done.findings[0].kind == "crop"
    assert done.findings[0].name == "0.8"
    assert "With faces cut tighter, to 0.8 of the side, it would be" in findings(done)[0]


def test_of_grey_pictures_it_is_said_that_channels_cannot_be_told(checked):
    done = checked()
    assert "grey" in done.channels
    assert sentences(done)[-1] == f"The order of channels cannot be told: {done.channels}."
    assert [one for one in done.trials if one.kind == "channels"] == []


def test_a_class_of_few_faces_is_said_and_not_passed_over(checked, shapes):
    """Two faces of each: nothing can be told, and nothing is found."""
    few = [row for row in shape_rows() if row["group"] < 8]
    done = checked(shapes(few, name="few"), classes=["anger", *EMOTIONS[1:4], "neutral", *EMOTIONS[5:]])
    assert done.findings == ()
    assert {"neutral", "anger"} in map(set, done.open)
    assert "Too few faces of these classes to tell whether they are exchanged" in " ".join(sentences(done))


def test_a_file_that_takes_whole_numbers_is_not_asked_for_another_scale(checked, trained, tmp_path):
    whole = Path(export(trained.path, tmp_path / "whole.onnx", tta="none").out)
    kinds = {one.kind for one in checked(file=whole).trials}
    assert kinds == {"order", "crop"}


@pytest.mark.slow
def test_bgr_for_rgb_is_found_in_a_net_that_learnt_coloured_faces(checked, tmp_path):
    """And the right order is not accused."""
    random, rows = np.random.default_rng(5), []
    for i in range(700):
        picture = somebody(EMOTIONS[i % 7], 1.0, random).picture(48, 48)
        split = "train" if i < 490 else "val" if i < 595 else "test"
        rows.append({"native_label": EMOTIONS[i % 7], "split": split, "group": i, "pixels": picture})
    faces = write_shapes(tmp_path / "faces.parquet", rows, "basic7")
    learnt = {**QUICK, "size": 48, "channels": 3, "batch": 32, "epochs": 8, "backbone": "mini_xception"}
    file = Path(export(train(faces, tmp_path / "ours", **learnt).path, tmp_path / "ours.onnx", tta="none").out)
    assert checked(faces, file=file).findings == ()
    wrong = checked(faces, file=file, order="BGR")
    assert [(one.kind, one.name) for one in wrong.findings] == [("channels", "RGB")]
    assert wrong.channels == ""
    assert "With channels in the order RGB it would be" in findings(wrong)[0]
    assert "--order RGB." in findings(wrong)[0]
