"""Other inputs: what each gives the model in place of the present one."""

import numpy as np
import pytest

from zoo.evaluation.reading_check.inputs import Reading, readings, with_colours

GREY = ((0.5,), (0.5,))  # -1..1


def names(mean, std):
    return [(one.kind, one.name) for one in readings(mean, std, None)]


def test_the_present_scale_is_not_another_one():
    assert ("pixels", "-1,1") not in names(*GREY)
    assert [name for kind, name in names(*GREY) if kind == "pixels"] == ["0,1", "0,255", "ImageNet"]
    assert ("pixels", "ImageNet") not in names((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_channels_are_turned_only_where_there_are_colours_and_their_scale_with_them():
    assert "channels" not in [kind for kind, _ in names(*GREY)]
    (bgr,) = [one for one in readings((0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "BGR") if one.kind == "channels"]
    assert (bgr.mean, bgr.std) == ((0.3, 0.2, 0.1), (3.0, 2.0, 1.0))
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    assert bgr.of(pixels, pixels)[0, 0, 0].tolist() == [2, 1, 0]


def test_grey_pictures_that_are_saved_as_colour_have_no_colours():
    pixels = np.full((3, 4, 4, 3), 90, np.uint8)
    pixels[1, ..., 0] += 1  # as JPEG leaves it
    pixels[2, ..., 0] += 40
    assert with_colours(pixels).tolist() == [False, False, True]
    assert not with_colours(pixels[..., :1]).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_tighter_crop_keeps_the_middle_and_a_wider_one_repeats_the_edge(channels):
    side, larger = 40, 50
    picture = np.zeros((1, larger, larger, channels), np.uint8)
    picture[:, 5:45, 5:45] = 200  # 0.8 of the side
    small = np.full((1, side, side, channels), 100, np.uint8)
    small[:, 10:30, 10:30] = 200
    tight = Reading("crop", "0.8", (), (), crop=0.8).of(small, picture)
    assert tight.shape == small.shape
    assert (tight == 200).all()
    wide = Reading("crop", "1.25", (), (), crop=1.25).of(small, picture)
    assert wide.shape == small.shape
    assert (wide[:, :8] == 100).all()
    assert 14 <= (wide[0, 20, :, 0] == 200).sum() <= 18  # 20 pixels at 0.8
