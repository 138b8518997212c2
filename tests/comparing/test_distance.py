"""The distance of two sets: the estimate is the textbook's, alike is not called apart, and apart is."""

import numpy as np
import pytest

from ferdata.comparing.distance import bandwidth, distance


def drawn(seed: int, n: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, 3))


def test_the_estimate_is_the_unbiased_one_of_gretton_and_others() -> None:
    first, second, width = drawn(0, 12), drawn(1, 15, 0.5), 1.3

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-((a - b) ** 2).sum() / (2 * width**2)))

    def within(rows: np.ndarray) -> float:
        n = len(rows)
        return sum(kernel(rows[i], rows[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))

    across = np.mean([kernel(a, b) for a in first for b in second])
    found = distance(first, second, width, 0)
    assert found is not None
    assert found.mmd2 == pytest.approx(within(first) + within(second) - 2 * across, abs=1e-6)


def test_the_bandwidth_is_the_median_distance_of_two_images() -> None:
    assert bandwidth(np.array([[0.0], [1.0], [5.0]]), 0) == pytest.approx(4.0)
    assert bandwidth(np.zeros((5, 2)), 0) == 1.0


def test_sets_drawn_alike_are_called_different_in_no_more_than_one_of_ten() -> None:
    found = [distance(drawn(2 * seed, 60), drawn(2 * seed + 1, 90), 2.0, seed) for seed in range(30)]
    assert all((each.mmd2 > each.chance) == (each.p < 0.05) for each in found if each)
    p = np.array([each.p for each in found if each])
    assert (p < 0.05).mean() <= 0.1
    assert 0.3 < p.mean() < 0.7  # as p is where nothing differs: nobody is called alike too readily either


def test_the_further_apart_sets_are_the_larger_is_their_distance() -> None:
    near, far = (distance(drawn(0, 80), drawn(1, 80, shift), 2.0, 0) for shift in (0.7, 2.0))
    assert near is not None
    assert far is not None
    assert near.chance < near.mmd2 < far.mmd2
    assert near.p == far.p == pytest.approx(1 / 1001)


def test_a_handful_of_images_has_no_distance() -> None:
    assert distance(drawn(0, 9), drawn(1, 50), 1.0, 0) is None
