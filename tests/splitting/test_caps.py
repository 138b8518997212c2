"""Caps: train alone is thinned, and of every person one row is kept first."""

import pytest

from ferdata.errors import BadOption
from ferdata.schema import SPLITS
from tests.splitting.placing import placed, stand


def test_generated_faces_are_capped_to_a_share_of_train() -> None:
    rows = [("a", "train", "fear", i >= 70) for i in range(270)] + [("a", "val", "fear", False)]
    names, why = stand(rows, list(range(271)), max_synthetic=0.3)
    assert names[:70] == ["train"] * 70
    assert (names[70:270].count("train"), why.count("synthetic_capped")) == (30, 170)


def test_a_cap_keeps_one_row_of_every_person_before_a_second_of_any() -> None:
    rows = [("a", "train", "fear", False, f"p{i % 10}") for i in range(50)] + [
        ("a", "train", "anger"),
        ("a", "val", "fear"),
    ]
    group = [i % 10 for i in range(50)] + [10, 11]
    names, why = stand(rows, group, cap=("fear=12",))
    kept = [g for g, n in zip(group[:50], names[:50], strict=True) if n]
    assert len(kept) == 12
    assert set(kept) == set(range(10))
    assert max(kept.count(g) for g in kept) == 2
    assert why.count("capped") == 38
    assert names[50:] == ["train", "val"]


def test_a_dataset_is_capped_by_its_name() -> None:
    rows = [(d, s, "fear") for d in "ab" for s in ("train",) * 20 + ("val", "test")]
    names, _ = stand(rows, list(range(44)), cap=("dataset:b=5",))
    assert [names[:22].count(s) for s in SPLITS] == [20, 1, 1]
    assert [names[22:].count(s) for s in SPLITS] == [5, 1, 1]


@pytest.mark.parametrize("cap", ["fear", "fear=-1", "fear=x", "joy=3", "dataset:z=3", "=3", ""])
def test_caps_of_nothing_are_refused(cap: str) -> None:
    with pytest.raises(BadOption, match="--cap cannot be"):
        placed([("a", None, "fear")], [0], cap=(cap,))


@pytest.mark.parametrize("most", [-0.1, 1.0, 30, float("nan")])
def test_a_share_of_generated_faces_that_is_none_is_refused(most: float) -> None:
    with pytest.raises(BadOption, match="--max-synthetic"):
        placed([("a", None, "fear")], [0], max_synthetic=most)
