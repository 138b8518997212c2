"""A gain is named where it is beyond chance, of so many tried, and worth it."""

import numpy as np

from zoo.evaluation.reading_check.trials import BETTER, OPEN, WORSE, Tried, interval_of, judge, surely_better

N = 400
ALONE = np.arange(N)


def right(share, seed=0):
    return np.random.default_rng(seed).random(N) < share


def verdicts(kind, now, *others, clusters=ALONE):
    return [one.verdict for one in judge([Tried(kind, "x", other) for other in others], now, clusters, 500)]


def test_much_better_much_worse_and_neither_are_told_apart():
    now = right(0.5)
    assert verdicts("order", now, right(0.8, 1), right(0.2, 1), right(0.5, 1), now) == [BETTER, WORSE, OPEN, OPEN]


def test_a_reading_that_a_part_of_the_faces_ruled_out_is_worse_and_has_no_figures():
    (one,) = judge([Tried("crop", "0.8", None)], right(0.5), ALONE, 100)
    assert (one.verdict, one.gain, one.interval) == (WORSE, None, None)


def test_a_crop_must_be_better_by_more_than_an_order():
    now = np.zeros(N, bool)
    some = np.arange(N) < 12  # 3 points
    assert verdicts("order", now, some) == [BETTER]
    assert verdicts("crop", now, some) == [OPEN]


def test_a_gain_that_one_trial_would_show_is_chance_among_many():
    now, some = np.zeros(N, bool), np.arange(N) < 8
    assert verdicts("order", now, some) == [BETTER]
    assert verdicts("order", now, some, *[now] * 40)[0] == OPEN


def test_faces_of_one_person_are_not_as_many_proofs():
    now, some = np.zeros(N, bool), np.arange(N) < 40
    assert verdicts("order", now, some) == [BETTER]
    (one,) = judge([Tried("order", "x", some)], now, np.where(ALONE < 40, 0, ALONE), 500)
    assert (one.verdict, one.p > 0.5) == (OPEN, True)


def test_surely_better_needs_both_a_size_and_a_proof():
    now = np.zeros(N, bool)
    assert surely_better(np.arange(N) < 40, now, ALONE, "order")
    assert not surely_better(np.arange(N) < 4, now, ALONE, "order")
    assert not surely_better(now, np.arange(N) < 40, ALONE, "order")


def test_an_interval_holds_the_share():
    low, high = interval_of(right(0.7), ALONE, 500)
    assert low < right(0.7).mean() < high
    assert high - low < 0.12
