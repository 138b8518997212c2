"""Components: what pairs join, numbered by first appearance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ferdata.duplicates.components import connected


def test_a_chain_is_one_component_and_what_nothing_joins_is_its_own() -> None:
    assert connected(6, np.array([[4, 2], [1, 4], [5, 5]])).tolist() == [0, 1, 1, 2, 1, 3]
    assert connected(3, np.zeros((0, 2), np.int64)).tolist() == [0, 1, 2]
    assert connected(0, np.zeros((0, 2), np.int64)).tolist() == []


@given(st.data(), st.integers(1, 30))
def test_components_are_those_of_plain_merging_in_the_order_of_their_first_member(data: st.DataObject, n: int) -> None:
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30))
    least = list(range(n))  # the smallest member of each thing's component
    for _ in range(n):
        for a, b in pairs:
            least[a] = least[b] = min(least[a], least[b])
    number = {first: i for i, first in enumerate(sorted(set(least)))}
    assert connected(n, np.array(pairs, np.int64).reshape(-1, 2)).tolist() == [number[m] for m in least]
