"""Which perceptual hashes are near: against brute force."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferdata import images
from ferdata.duplicates.search import pairs_within

words = st.integers(0, 2**64 - 1)
# Hashes that lie near each other, as those of faces do, beside ones that do not.
crowds = st.lists(
    st.one_of(words, st.lists(st.integers(0, 63), max_size=8).map(lambda bits: sum(1 << b for b in set(bits)))),
    max_size=40,
    unique=True,
)


def near(hashes: np.ndarray, radius: int, **more: Any) -> list[tuple[int, int]]:
    """Return all pairs that the search yields, in its order."""
    return [(i, j) for piece in pairs_within(hashes, radius, **more) for i, j in piece.tolist()]


def brute(a: np.ndarray, b: np.ndarray, radius: int, flip: int) -> set[tuple[int, int]]:
    near_ = np.bitwise_count(a[:, None] ^ b[None] ^ np.uint64(flip)) <= radius
    return {(int(i), int(j)) for i, j in np.argwhere(near_)}


@settings(max_examples=25)
@given(crowds, st.sampled_from([0, 3, 10, 14]), st.sampled_from([0, images.ODD_COLUMNS]))
def test_the_search_finds_the_pairs_that_brute_force_finds_each_once_and_sorted(
    crowd: list[int], radius: int, flip: int
) -> None:
    hashes = np.array(crowd, np.uint64)
    found = near(hashes, radius, flip=flip)
    assert found == sorted({(i, j) for i, j in brute(hashes, hashes, radius, flip) if i < j})


@settings(max_examples=15)
@given(crowds, crowds, st.sampled_from([2, 10]), st.sampled_from([0, images.ODD_COLUMNS]))
def test_the_search_between_two_sets_finds_what_brute_force_finds(
    left: list[int], right: list[int], radius: int, flip: int
) -> None:
    a, b = np.array(left, np.uint64), np.array(right, np.uint64)
    found = near(a, radius, against=b, flip=flip)
    assert found == sorted(brute(a, b, radius, flip))


def test_the_order_and_the_result_do_not_depend_on_the_number_of_threads() -> None:
    base = np.random.default_rng(1).integers(0, 2**64, 300, dtype=np.uint64)
    crowd = np.unique(np.concatenate([base ^ np.uint64(1 << b) for b in (0, 17, 33, 63)]))
    assert near(crowd, 10, workers=1) == near(crowd, 10, workers=4)


@pytest.mark.slow
def test_among_a_million_hashes_every_pair_within_ten_bits_is_found() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 1_000_000, dtype=np.uint64)
    for k in range(1000):  # row k + 1000 lies within 10 bits of row k
        hashes[k + 1000] = hashes[k] ^ np.uint64(sum(1 << int(b) for b in rng.choice(64, k % 11, replace=False)))
    assert {(k, k + 1000) for k in range(1000)} <= set(near(hashes, 10))
