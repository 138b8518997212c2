"""Faces of a video under one number each: by hand, where the right numbers are plain, and drawn at random."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.deploy.tracks import Tracker


def box(x, y=100.0, side=100.0):
    return (float(x), float(y), side, side)


def numbers(frames, rate=5.0):
    """Return the numbers that the faces of some frames get, frame by frame, at `rate` a second."""
    follow = Tracker()
    return [follow(boxes, i / rate) for i, boxes in enumerate(frames)]


def test_a_face_that_moves_keeps_its_number():
    assert numbers([[box(30 * i)] for i in range(10)]) == [[1]] * 10


def test_a_face_that_jumps_away_is_another():
    # Of two boxes of 100 px that are s apart the overlap is (100 - s) / (100 + s): 0.307 at 53, 0.299 at 54.
    assert numbers([[box(0)], [box(53)]]) == [[1], [1]]
    assert numbers([[box(0)], [box(54)]]) == [[1], [2]]


def test_two_faces_that_pass_each_other_keep_theirs_however_they_are_listed():
    """One goes right, one left, one above the other: when they meet, their boxes overlap by a third."""
    rows = [[box(20 * i, 100), box(400 - 20 * i, 150)] for i in range(21)]
    assert numbers(rows) == [[1, 2]] * 21
    assert numbers([r if i % 2 == 0 else r[::-1] for i, r in enumerate(rows)]) == [[1, 2], [2, 1]] * 10 + [[1, 2]]


def test_one_leaves_and_another_enters():
    stays = box(300)
    found = numbers([[stays, box(0)], [stays], [box(600), stays], [box(610), stays], [box(0), stays]], rate=1)
    assert found == [[1, 2], [1], [3, 1], [3, 1], [4, 1]]  # where the second was, too late: nobody is in two places


def test_a_face_that_is_missed_comes_back_under_its_number_for_as_long_as_it_is_waited_for():
    gone: list = []
    assert numbers([[box(0)], gone, [box(10)]], rate=1) == [[1], [], [1]]
    assert numbers([[box(0)], gone, gone, [box(10)]], rate=1) == [[1], [], [], [2]]
    assert numbers([[box(0), box(300)], [box(310)], [box(10), box(320)]], rate=1) == [[1, 2], [2], [1, 2]]


def test_the_pairs_are_those_that_overlap_most_together_and_not_the_best_one_first():
    """The second box lies best on the first face (0.82 against 0.67), but then the first box is left with nothing."""
    before, after = [box(0), box(30)], [box(-40), box(10)]
    assert numbers([before, after]) == [[1, 2], [1, 2]]


def test_frames_without_a_face_and_videos_without_one():
    assert numbers([[], []]) == [[], []]
    assert numbers([[], [box(0)]]) == [[], [1]]


@pytest.mark.parametrize(("rate", "missed"), [(25, 24), (5, 4), (1, 1), (0.5, 1)])
def test_a_face_is_waited_for_a_second_and_at_least_for_one_missed_frame(rate, missed):
    gone: list = []
    assert numbers([[box(0)], *[gone] * missed, [box(0)]], rate)[-1] == [1]
    assert numbers([[box(0)], *[gone] * (missed + 1), [box(0)]], rate)[-1] == [2]


@given(
    lanes=st.integers(1, 6),
    frames=st.lists(st.tuples(st.randoms(use_true_random=False), st.integers(-30, 30)), min_size=1, max_size=12),
    missed=st.sets(st.tuples(st.integers(0, 11), st.integers(0, 5))),
)
def test_faces_that_lie_apart_and_move_slowly_never_change_numbers(lanes, frames, missed):
    """Faces in lanes of their own, in any order, each missed now and then: a number is one lane, a lane one number."""
    follow = Tracker()
    lane_of: dict[int, int] = {}
    places = [0.0] * lanes
    for i, (chance, step) in enumerate(frames):
        seen = [lane for lane in range(lanes) if (i, lane) not in missed]
        chance.shuffle(seen)
        for lane in seen:  # a face moves while it is looked at, and waits where it was lost
            places[lane] += step
        for lane, number in zip(seen, follow([box(places[lane], 200 * lane) for lane in seen], i / 13), strict=True):
            assert lane_of.setdefault(number, lane) == lane
    assert len(set(lane_of.values())) == len(lane_of)
    assert sorted(lane_of) == list(itertools.islice(itertools.count(1), len(lane_of)))
