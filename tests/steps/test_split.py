"""Split: no group on two sides, the official test whole, shares met class by class, rows that never move."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.errors import BadOption
from ferdata.schema import SPLITS, arrow_schema
from ferdata.steps.split import ratios, split

COLUMNS = ("sample_id", "dataset", "official_split", "target")


def table(*rows: tuple) -> pa.Table:
    """Make a table of (dataset, official split, target)."""
    full = [dict(zip(COLUMNS, (f"{r[0]}:{i:05}", *r), strict=True)) for i, r in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=arrow_schema(*COLUMNS))


def sides(rows: list[tuple], group: list[int], shares: tuple | None = None, seed: int = 0) -> tuple[list, list]:
    made = split(table(*rows), np.array(group, np.int64), shares, seed)
    return made.names.to_pylist(), made.reason.to_pylist()


def test_official_splits_are_kept() -> None:
    rows = [("a", s, "fear") for s in SPLITS]
    assert sides(rows, [0, 1, 2]) == (list(SPLITS), [None] * 3)


def test_train_and_val_give_way_to_test_and_say_so() -> None:
    rows = [("a", "train", "fear"), ("a", "val", "fear"), ("a", "test", "fear"), ("a", "val", "anger")]
    names, why = sides(rows, [0, 0, 0, 1])
    assert names == [None, None, "test", "val"]
    assert why == ["group_in_test", "group_in_test", None, None]


def test_train_gives_way_to_val() -> None:
    rows = [("a", "train", "fear"), ("a", "val", "fear"), ("a", "test", "anger")]
    assert sides(rows, [0, 0, 1]) == ([None, "val", "test"], ["group_in_val", None, None])


def test_a_row_without_a_split_does_not_join_another_datasets_test() -> None:
    rows = [("a", "test", "fear"), ("a", "val", "fear"), ("b", None, "fear")]
    names, why = sides(rows, [0, 1, 0])
    assert (names[2], why[2]) == (None, "group_in_test")


def test_a_dataset_without_a_val_gets_one_from_train() -> None:
    rows = [("a", "train", "fear")] * 90 + [("a", "test", "fear")] * 10
    names, why = sides(rows, list(range(100)))
    assert (names.count("train"), names.count("val"), names.count("test")) == (81, 9, 10)
    assert why.count("val_from_train") == 9


def test_a_dataset_with_a_val_keeps_its_train_whole() -> None:
    rows = [("a", "train", "fear")] * 90 + [("a", "val", "fear")] * 10
    names, _ = sides(rows, list(range(100)))
    assert (names.count("train"), names.count("val")) == (90, 10)


def test_shares_are_met_class_by_class() -> None:
    rows = [("a", None, "fear")] * 50 + [("a", None, "anger")] * 200
    names, _ = sides(rows, list(range(250)), (0.8, 0.1, 0.1))
    for label, n in (("fear", 50), ("anger", 200)):
        mine = [s for s, r in zip(names, rows, strict=True) if r[2] == label]
        assert [mine.count(s) for s in SPLITS] == [0.8 * n, 0.1 * n, 0.1 * n]


def test_another_dataset_does_not_move_a_row() -> None:
    mine = [("a", None, label) for label in ("fear", "anger") * 40]
    others = [("b", None, "fear")] * 37
    alone, _ = sides(mine, list(range(80)), (0.6, 0.2, 0.2))
    together, _ = sides(mine + others, list(range(117)), (0.6, 0.2, 0.2))
    assert together[:80] == alone


def test_another_seed_is_another_draw() -> None:
    rows = [("a", None, "fear")] * 100
    drawn = [sides(rows, list(range(100)), (0.5, 0.25, 0.25), seed)[0] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from([None, *SPLITS]), st.sampled_from(["fear", None]), st.integers(0, 9)
        ),
        max_size=60,
    )
)
def test_no_group_is_torn_and_every_absence_has_its_reason(rows: list[tuple]) -> None:
    numbered = {g: i for i, g in enumerate(dict.fromkeys(r[3] for r in rows))}
    group = [numbered[r[3]] for r in rows]
    names, why = sides([r[:3] for r in rows], group)
    for g in set(group):
        assert len({s for s, h in zip(names, group, strict=True) if h == g and s}) <= 1
    for row, name, reason in zip(rows, names, why, strict=True):
        assert name or reason
        if row[1] == "test":
            assert name == "test"


@pytest.mark.parametrize("spec", ["0.8,0.1", "0.8,0.1,0.2", "a,b,c", "1.2,-0.1,-0.1", "", "0.5"])
def test_shares_that_do_not_add_up_are_refused(spec: str) -> None:
    with pytest.raises(BadOption):
        ratios(spec)
