"""Balance: weights and distances with known values, and laws that hold for any counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferdata.class_balance import (
    BETA,
    balanced_weights,
    drift,
    drifts,
    effective_number,
    effective_weights,
    jensen_shannon,
    sqrt_weights,
)

COUNTS = arrays(np.int64, 6, elements=st.integers(0, 10_000))


def test_balanced_weights_make_every_class_weigh_the_same() -> None:
    counts = np.array([10, 40, 0])
    assert (balanced_weights(counts) * counts).tolist() == [25, 25, 0]


def test_effective_weights_follow_their_formula() -> None:
    counts = np.array([10, 1000])
    raw = (1 - BETA) / (1 - BETA**counts)
    assert effective_weights(counts) == pytest.approx(raw / raw.mean())
    assert effective_weights(np.array([5, 0])).tolist() == [1, 0]
    assert effective_number(np.array([0, 1, 2]), 0.5).tolist() == [0, 1, 1.5]


def test_effective_weights_are_those_that_training_takes() -> None:
    torch = pytest.importorskip("torch")
    from zoo.data.rows import class_weights

    counts = np.array([30, 400, 7])
    soft = torch.eye(3)[np.repeat(np.arange(3), counts)]
    theirs = class_weights(soft, "effective").double()
    ours = effective_weights(counts)
    assert (theirs / theirs.sum()).tolist() == pytest.approx((ours / ours.sum()).tolist(), rel=1e-4)


def test_square_root_weights_lie_between_none_and_balanced() -> None:
    counts = np.array([100, 400])
    assert sqrt_weights(counts) == pytest.approx([4 / 3, 2 / 3])


@given(COUNTS)
def test_weights_of_every_scheme_have_a_mean_of_one_over_what_is_present(counts: np.ndarray) -> None:
    there = counts > 0
    for weights in (effective_weights(counts), sqrt_weights(counts)):
        assert (weights[~there] == 0).all()
        if there.any():
            assert weights[there].mean() == pytest.approx(1)
            assert np.argmax(weights) == np.argmin(np.where(there, counts, 10**9))


@given(COUNTS, COUNTS)
def test_the_divergence_is_symmetric_and_between_nothing_and_a_bit(one: np.ndarray, other: np.ndarray) -> None:
    got = jensen_shannon(one, other)
    if not one.sum() or not other.sum():
        assert got is None
        return
    assert 0 <= got <= 1 + 1e-12
    assert got == pytest.approx(jensen_shannon(other, one))
    assert jensen_shannon(one, one * 3) == pytest.approx(0, abs=1e-12)


def test_the_divergence_is_that_of_scipy() -> None:
    from scipy.spatial.distance import jensenshannon

    one, other = np.array([10, 20, 0, 5]), np.array([1, 50, 9, 0])
    assert jensen_shannon(one, other) == pytest.approx(jensenshannon(one, other, base=2) ** 2)
    assert jensen_shannon(np.array([4, 0]), np.array([0, 9])) == 1


def test_the_chi_square_is_that_of_the_textbook() -> None:
    # Two by two: n (ad - bc)^2 / (row and column sums).
    got = drift("a", "b", np.array([20, 30]), np.array([40, 10]))
    assert got.chi_square == pytest.approx(100 * (20 * 10 - 30 * 40) ** 2 / (50 * 50 * 60 * 40))
    assert (got.freedom, got.small) == (1, False)
    assert got.p == pytest.approx(4.46e-5, rel=0.01)
    assert drift("a", "b", np.array([2, 3, 0]), np.array([4, 1, 0])).small


@given(arrays(np.int64, (2, 5), elements=st.integers(1, 1000)))
def test_the_chi_square_is_that_of_scipy(counts: np.ndarray) -> None:
    from scipy.stats import chi2_contingency

    expected = chi2_contingency(counts, correction=False)
    got = drift("a", "b", *counts)
    assert (got.chi_square, got.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue, rel=1e-6))
    assert (got.freedom, got.small) == (expected.dof, bool((expected.expected_freq < 5).any()))


def test_what_cannot_be_tested_has_no_p() -> None:
    for one, other in (([0, 0], [3, 4]), ([5, 0], [9, 0])):
        got = drift("a", "b", np.array(one), np.array(other))
        assert (got.chi_square, got.p, got.freedom) == (None, None, None)


def test_every_pair_of_parts_is_compared_once() -> None:
    counts = {name: np.array([1, 2]) for name in "abc"}
    assert [(d.first, d.second) for d in drifts(counts)] == [("a", "b"), ("a", "c"), ("b", "c")]
