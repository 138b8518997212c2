import numpy as np
import pytest
import torch

from zoo.augment.landmarks import MIRROR, moved, on_square, sides
from zoo.augment.parameters import draw
from zoo.augment.policies import POLICIES, Policy

SIDE = 48


def face(count):
    """Points of a face that is its own mirror image."""
    points = np.random.default_rng(1).uniform(4, 20, (count, 2))
    order = MIRROR[count]
    for i, other in enumerate(order):
        if sides(count)[i] < 0:
            points[other] = (SIDE - 1 - points[i, 0], points[i, 1])
        elif other == i:
            points[i, 0] = (SIDE - 1) / 2
    return points


@pytest.mark.parametrize("count", [5, 68])
def test_a_face_like_its_mirror_image_stays_the_same_face_with_the_same_names(count):
    points = face(count)
    back = np.array([[-1.0, 0, SIDE - 1], [0, 1, 0]])
    assert np.allclose(moved(points, back, True, SIDE), points)
    assert np.allclose(moved(points, None, True, SIDE), points)
    assert np.array_equal(moved(points, None, False, SIDE), points)


@pytest.mark.parametrize("count", [5, 68])
def test_names_change_sides_in_pairs(count):
    order = MIRROR[count]
    assert np.array_equal(order[order], np.arange(count))
    assert np.array_equal(sides(count)[order], -sides(count))
    assert (sides(count) == 0).sum() == {5: 1, 68: 10}[count]


def test_of_68_points_the_jaw_brows_eyes_and_lips_keep_to_their_parts():
    parts = ((0, 17), (17, 27), (27, 31), (31, 36), (36, 48), (48, 60), (60, 68))
    for start, stop in parts:
        assert set(MIRROR[68][start:stop]) == set(range(start, stop))
    # The outer corners of the eyes, the corners of the mouth, the ends of the brows.
    assert MIRROR[68][[36, 48, 17, 0, 31, 60]].tolist() == [45, 54, 26, 16, 35, 64]


def test_points_of_a_layout_that_is_not_known_go_along_under_their_names():
    points = np.array([(1.0, 2.0), (3.0, 4.0)])
    assert moved(points, None, True, SIDE).tolist() == [[46, 2], [44, 4]]
    assert sides(2).tolist() == [0, 0]


@pytest.mark.parametrize("name", ["standard", "strong", "khaireddin", "ferplus"])
def test_points_go_where_the_pixels_go(name):
    from zoo.augment import apply

    ranges = {k: v for k, v in vars(POLICIES[name]).items() if not k.startswith(("erase", "bright", "contrast"))}
    policy = Policy(**ranges)
    spot = np.array([[20.0, 26.0]])
    y, x = np.mgrid[:SIDE, :SIDE]
    dot = np.exp(-((x - 20) ** 2 + (y - 26) ** 2) / 8) * 255
    pixels = np.repeat(dot.astype(np.uint8)[None, :, :, None], 40, 0)
    draws = draw(policy, 40, SIDE, torch.Generator().manual_seed(1))
    out = apply.apply(torch.from_numpy(pixels), draws, torch.zeros(1), torch.ones(1))[:, 0].numpy()
    checked = 0
    for i, picture in enumerate(out):
        ((u, v),) = moved(spot, draws.maps[i].numpy(), bool(draws.mirror[i]), SIDE)
        if 8 < u < SIDE - 8 and 8 < v < SIDE - 8:
            seen = (picture * x).sum() / picture.sum(), (picture * y).sum() / picture.sum()
            assert seen == pytest.approx((u, v), abs=0.3)
            checked += 1
    assert checked > 15


def test_points_follow_the_centre_square():
    points = np.array([(10.0, 0.0), (29.5, 19.5)])
    assert on_square(points, 60, 40, 40).tolist() == [[0, 0], [19.5, 19.5]]
    assert on_square(points, 60, 40, 20).tolist() == [[-0.25, -0.25], [9.5, 9.5]]
    assert on_square(points, 40, 60, 40)[0].tolist() == [10, -10]
