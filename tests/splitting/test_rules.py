"""Sides: no group on two of them, the official test whole, shares met class by class, rows that never move."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.errors import BadOption
from ferdata.schema import SPLITS, arrow_schema
from ferdata.splitting.rules import Rules, assign_splits, ratios, split_balance
from tests.splitting.placing import COLUMNS, ROWS, placed, stand, table


def test_official_splits_are_kept() -> None:
    rows = [("a", s, "fear") for s in SPLITS]
    assert stand(rows, [0, 1, 2]) == (list(SPLITS), [None] * 3)


def test_train_and_val_give_way_to_test_and_say_so() -> None:
    rows = [("a", "train", "fear"), ("a", "val", "fear"), ("a", "test", "fear"), ("a", "val", "anger")]
    names, why = stand(rows, [0, 0, 0, 1])
    assert names == [None, None, "test", "val"]
    assert why == ["group_in_test", "group_in_test", None, None]


def test_train_gives_way_to_val() -> None:
    rows = [("a", "train", "fear"), ("a", "val", "fear"), ("a", "test", "anger")]
    assert stand(rows, [0, 0, 1]) == ([None, "val", "test"], ["group_in_val", None, None])


def test_a_row_without_a_split_does_not_join_another_datasets_test() -> None:
    rows = [("a", "test", "fear"), ("a", "val", "fear"), ("b", None, "fear")]
    names, why = stand(rows, [0, 1, 0])
    assert (names[2], why[2]) == (None, "group_in_test")


def test_a_dataset_without_a_val_gets_one_from_train() -> None:
    rows = [("a", "train", "fear")] * 90 + [("a", "test", "fear")] * 10
    names, why = stand(rows, list(range(100)))
    assert (names.count("train"), names.count("val"), names.count("test")) == (81, 9, 10)
    assert why.count("val_from_train") == 9


def test_a_dataset_with_a_val_keeps_its_train_whole() -> None:
    rows = [("a", "train", "fear")] * 90 + [("a", "val", "fear")] * 10
    names, _ = stand(rows, list(range(100)))
    assert (names.count("train"), names.count("val")) == (90, 10)


def test_rows_that_an_official_split_leaves_out_train_and_neither_choose_nor_judge() -> None:
    rows = [("a", "train", "fear")] * 20 + [("a", "val", "fear")] * 5 + [("a", None, "fear")] * 40
    names, why = stand(rows, list(range(65)))
    assert names == ["train"] * 20 + ["val"] * 5 + ["train"] * 40
    assert why == [None] * 25 + ["no_official_split"] * 40


def test_a_val_from_train_is_of_the_published_train_alone() -> None:
    rows = [("a", "train", "fear")] * 50 + [("a", "test", "fear")] * 10 + [("a", None, "fear")] * 50
    names, why = stand(rows, list(range(110)))
    assert names[50:] == ["test"] * 10 + ["train"] * 50
    assert (names[:50].count("val"), why.count("val_from_train")) == (5, 5)


def test_where_a_test_alone_is_marked_the_rest_is_train_and_gives_a_val() -> None:
    rows = [("a", "test", "fear")] * 10 + [("a", None, "fear")] * 50
    names, _ = stand(rows, list(range(60)))
    assert names[:10] == ["test"] * 10
    assert (names[10:].count("train"), names[10:].count("val")) == (45, 5)


def test_rows_that_an_official_split_leaves_out_are_subsampled_and_give_way_like_train() -> None:
    rows = [("a", "train", "fear"), ("a", "val", "fear"), *[("a", None, "fear")] * 3]
    names, why = stand(rows, [0, 1, 1, 2, 3], cap=("fear=1",))
    assert names.count("train") == 1
    assert (why[2], why.count("capped")) == ("group_in_val", 2)


def test_a_dataset_without_any_split_is_drawn_beside_one_that_has_one() -> None:
    rows = [("a", s, "fear") for s in SPLITS] + [("b", None, "fear")] * 100
    names, why = stand(rows, list(range(103)))
    assert [names[3:].count(s) for s in SPLITS] == [80, 10, 10]
    assert set(why) == {None}


def test_an_official_test_is_spared_by_conflicts_only_where_it_stays_a_test() -> None:
    rows = [("a", "test", "fear"), ("b", "train", "anger"), *[("a", "train", "fear")] * 8]
    picture = [0, 0, *range(1, 9)]
    official = placed(rows, picture, picture, conflicts="drop")
    assert official.reason.to_pylist()[:2] == [None, "conflict"]
    for seed in range(3):
        drawn = placed(rows, picture, picture, conflicts="drop", split="0.8,0.1,0.1", seed=seed)
        assert drawn.reason.to_pylist()[:2] == ["conflict", "conflict"]


def test_a_generated_face_that_leaves_test_does_not_take_a_photographed_ones_place() -> None:
    rows = [("a", "test", "fear", True), ("b", "test", "anger", False), ("c", "train", "fear", False)]
    made = placed(rows, [0, 0, 0], [0, 0, 0], conflicts="majority")
    assert (made.names.to_pylist()[1], made.reason.to_pylist()[0]) == ("test", "synthetic")


@pytest.mark.parametrize("size", [1, 2])
def test_shares_are_met_class_by_class(size: int) -> None:
    rows = [("a", None, "fear")] * 100 + [("a", None, "anger")] * 400
    names, _ = stand(rows, [i // size for i in range(500)], split="0.8,0.1,0.1")
    for label, n in (("fear", 100), ("anger", 400)):
        mine = [s for s, r in zip(names, rows, strict=True) if r[2] == label]
        assert [mine.count(s) for s in SPLITS] == [0.8 * n, 0.1 * n, 0.1 * n]


def test_shares_are_met_by_people_of_many_sizes_too() -> None:
    rng = np.random.default_rng(0)
    people = np.sort(rng.integers(0, 120, 1500)).tolist()
    labels = np.array(["fear", "anger", "happiness"])[rng.integers(0, 3, 1500)].tolist()
    numbered = np.unique(people, return_inverse=True)[1].tolist()
    rows = [("a", None, label, False, f"p{p}") for label, p in zip(labels, people, strict=True)]
    made = placed(rows, numbered, split="0.7,0.15,0.15")
    for side in split_balance(table(*rows), ("fear", "anger", "happiness"), made, Rules(split="0.7,0.15,0.15")):
        assert side.asked is not None
        assert side.drift is not None
        assert abs(side.share - side.asked) < 0.01
        assert side.drift < 0.003


def test_another_dataset_does_not_move_a_row_wherever_it_stands() -> None:
    mine = [("a", None, label) for label in ("fear", "anger") * 40]
    others = [("b", None, "contempt")] * 37

    def mine_of(rows: list[tuple]) -> dict:
        # An id is the same whatever stands before it.
        full = table(*rows).to_pylist()
        seen: dict = {}
        for row in full:
            seen[row["dataset"]] = number = seen.get(row["dataset"], -1) + 1
            row["sample_id"] = f"{row['dataset']}:{number}"
        whole = pa.Table.from_pylist(full, schema=arrow_schema(*COLUMNS))
        each = np.arange(len(rows))
        names = assign_splits(whole, each, each, Rules(split="0.6,0.2,0.2")).names.to_pylist()
        return {r["sample_id"]: s for r, s in zip(full, names, strict=True) if r["dataset"] == "a"}

    assert mine_of(mine) == mine_of(mine + others) == mine_of(others + mine)


def test_another_seed_is_another_draw() -> None:
    rows = [("a", None, "fear")] * 100
    drawn = [stand(rows, list(range(100)), split="0.5,0.25,0.25", seed=seed)[0] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_draw_is_the_same_on_every_machine() -> None:
    names, _ = stand([("a", None, "fear")] * 20, list(range(20)), split="0.6,0.2,0.2")
    assert "".join(n[1] for n in names) == DRAWN


DRAWN = "rrerarrrrarreareraer"


@given(
    ROWS,
    st.sampled_from(["official", "0.5,0.25,0.25"]),
    st.sampled_from(["keep", "drop", "majority"]),
    st.sampled_from([(), ("fear=2",)]),
    st.sampled_from([None, 0.3]),
    st.booleans(),
)
def test_whatever_is_asked_no_group_is_torn_and_every_absence_has_its_reason(
    rows: list[tuple], split: str, rule: str, cap: tuple, most: float | None, anywhere: bool
) -> None:
    # A picture lies within a group, as a merge makes them.
    numbered = {g: i for i, g in enumerate(dict.fromkeys(r[5] for r in rows))}
    group = [numbered[r[5]] for r in rows]
    pictures = {g: i for i, g in enumerate(dict.fromkeys((r[5], r[6]) for r in rows))}
    picture = np.array([pictures[r[5], r[6]] for r in rows], np.int64)
    whole = table(*(r[:5] for r in rows))
    rules = Rules(split, None, rule, cap, most, anywhere)
    made = assign_splits(whole, np.array(group, np.int64), picture, rules, ("fear", "anger"))
    names, why = made.names.to_pylist(), made.reason.to_pylist()
    assert len(names) == len(rows)
    for g in set(group):
        assert len({s for s, h in zip(names, group, strict=True) if h == g and s}) <= 1
    train = {"real": 0, "made": 0}
    for row, name, reason in zip(rows, names, why, strict=True):
        assert name or reason
        assert not (name and reason) or reason in ("val_from_train", "no_official_split")
        if row[3] and not anywhere:
            assert name in (None, "train")
        elif row[1] == "test" and split == "official" and rule != "majority":
            assert name == "test"
        train["made" if row[3] else "real"] += name == "train" and row[2] is not None
    if cap:
        assert sum(n == "train" and r[2] == "fear" for n, r in zip(names, rows, strict=True)) <= 2
    if most:
        assert train["made"] <= most * sum(train.values()) + 1e-9
    tests = {p for p, r in zip(picture, rows, strict=True) if r[1] == "test" and (anywhere or not r[3])}
    if split == "official":
        for row, name in zip(rows, names, strict=True):
            published = {r[1] for r in rows if r[0] == row[0]} - {None}
            if published and row[1] is None:  # its publishers put it nowhere
                assert name != "test"
                assert name != "val" or "train" not in published
        assert tests <= {p for p, n in zip(picture, names, strict=True) if n == "test"}


def test_generated_faces_train_and_do_not_judge() -> None:
    rows = [("a", s, "fear", made) for made in (True, False) for s in SPLITS]
    assert stand(rows, list(range(6))) == (
        ["train", None, None, *SPLITS],
        [None, "synthetic", "synthetic", None, None, None],
    )
    assert stand(rows, list(range(6)), synthetic_anywhere=True) == ([*SPLITS] * 2, [None] * 6)


def test_generated_faces_without_a_split_are_drawn_into_train_only() -> None:
    rows = [("a", None, "fear", i % 2 == 0) for i in range(100)]
    names, _ = stand(rows, list(range(100)), split="0.5,0.25,0.25")
    assert set(names[::2]) == {"train"}
    assert [names[1::2].count(s) for s in SPLITS] == [25, 13, 12] or [names[1::2].count(s) for s in SPLITS] == [
        25,
        12,
        13,
    ]


@pytest.mark.parametrize("spec", ["0.8,0.1", "0.8,0.1,0.2", "a,b,c", "1.2,-0.1,-0.1", "", "0.5", "nan,0.5,0.5"])
def test_shares_that_do_not_add_up_are_refused(spec: str) -> None:
    with pytest.raises(BadOption):
        ratios(spec)


def test_a_frozen_list_and_rules_of_ones_own_exclude_each_other() -> None:
    with pytest.raises(BadOption, match="--frozen reads"):
        Rules(frozen=Path("ids.csv"), split="0.8,0.1,0.1").check()
