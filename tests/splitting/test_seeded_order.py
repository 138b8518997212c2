"""Lots: the same on every machine, another for another seed, fair; and sharing out that adds up."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ferdata.splitting.seeded_order import FOLDS, SUBSAMPLE, round_robin, shared_out, shuffle_keys

TEXT = st.text(max_size=12)


def plain(text: str, seed: int, use: int) -> int:
    """The same in Python's own integers."""
    mask = (1 << 64) - 1
    number = 0xCBF29CE484222325
    for byte in text.encode():
        number = (number ^ byte) * 0x100000001B3 & mask
    for step in (seed & mask, 0x9E3779B97F4A7C15 * (use + 1) & mask):
        number = number + step & mask
        number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & mask
        number = (number ^ number >> 27) * 0x94D049BB133111EB & mask
        number ^= number >> 31
    return number


@given(st.lists(TEXT, max_size=20), st.integers(-(2**70), 2**70), st.integers(0, 2))
def test_a_lot_depends_on_the_id_the_seed_and_the_use_alone(ids: list[str], seed: int, use: int) -> None:
    wanted = [plain(i, seed, use) for i in ids]
    assert shuffle_keys(pa.array(ids, pa.string()), seed, use).tolist() == wanted
    if len(ids) > 2:
        cut = pa.chunked_array([pa.array(["x", *ids[:2]]).slice(1), pa.array(ids[2:], pa.string())])
        assert shuffle_keys(cut, seed, use).tolist() == wanted


def test_lots_are_fair() -> None:
    ids = pa.array([f"ferplus:fer{i:07}.png" for i in range(40_000)])
    number = shuffle_keys(ids, 0)
    assert len(np.unique(number)) == len(number)
    assert abs(np.bincount(number >> np.uint64(60), minlength=16) - 2500).max() < 200
    for other in (shuffle_keys(ids, 1), shuffle_keys(ids, 0, FOLDS), shuffle_keys(ids, 0, SUBSAMPLE)):
        assert abs(np.corrcoef(number.astype(float), other.astype(float))[0, 1]) < 0.02


@given(st.integers(0, 10_000), st.lists(st.floats(0, 1e6), min_size=1, max_size=8).filter(lambda w: sum(w) > 1e-3))
def test_what_is_shared_out_adds_up_and_is_off_by_less_than_one(n: int, weights: list[float]) -> None:
    got = shared_out(n, weights)
    assert got.sum() == n
    assert (abs(got - n * np.array(weights) / sum(weights)) <= 1).all()


@given(st.lists(st.integers(0, 5), max_size=40))
def test_every_group_gives_one_row_before_any_gives_two(group: list[int]) -> None:
    order = round_robin(np.arange(len(group), dtype=np.uint64), np.array(group, np.int64))
    assert sorted(order.tolist()) == list(range(len(group)))
    taken: list[int] = []
    for row in order:
        ahead = {g: taken.count(g) for g in group}
        assert ahead[group[row]] == min(n for g, n in ahead.items() if n < group.count(g))
        taken.append(group[row])
