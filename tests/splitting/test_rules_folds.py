"""Folds: whole groups, each person one, the classes of the whole in each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.errors import BadOption
from ferdata.schema import SPLITS
from ferdata.splitting.rules import TAKEN_OUT, fold_balance
from tests.splitting.placing import ROWS, placed, stand, table


@given(ROWS, st.sampled_from([2, 3, 5, "loso"]))
def test_no_group_is_in_two_folds_and_no_fold_is_empty(rows: list[tuple], count: int | str) -> None:
    numbered = {g: i for i, g in enumerate(dict.fromkeys(r[5] for r in rows))}
    group = [numbered[r[5]] for r in rows]
    # Groups are made of whole people, as `merge` makes them.
    full = [(*r[:4], r[4] and f"{r[4]}{r[5]}") for r in rows]
    try:
        made = placed(full, group, folds=str(count))
    except BadOption:
        real = {g for g, r in zip(group, full, strict=True) if not r[3] and (r[4] or count != "loso")}
        assert len(real) < (2 if count == "loso" else int(count))
        return
    fold = made.fold.tolist()
    assert sorted(set(fold) - {-1}) == list(range(max(fold) + 1))
    assert count == "loso" or max(fold) + 1 == count
    for g in set(group):
        assert len({f for f, h in zip(fold, group, strict=True) if h == g and f >= 0}) <= 1
    for row, f, why in zip(full, fold, made.why, strict=True):
        assert f == -1 or not (row[3] or why >= TAKEN_OUT)


def test_each_person_is_a_fold_and_who_is_nobody_has_none() -> None:
    rows = [("a", None, "fear", False, who) for who in ("p", "q", "p", None, "r")]
    made = placed(rows, [0, 1, 0, 2, 3], folds="loso")
    assert made.fold.tolist() == [0, 1, 0, -1, 2]
    assert [f.rows for f in fold_balance(table(*rows), ("fear",), made)] == [2, 1, 1]


def test_folds_have_the_classes_of_the_whole() -> None:
    rows = [("a", None, label) for label in ("fear",) * 50 + ("anger",) * 150]
    made = placed(rows, list(range(200)), folds="5")
    for fold in fold_balance(table(*rows), ("fear", "anger"), made):
        assert (fold.counts, fold.asked, fold.drift) == ({"fear": 10, "anger": 30}, 0.2, 0.0)


def test_the_split_stays_as_asked_beside_folds() -> None:
    rows = [("a", s, "fear") for s in SPLITS for _ in range(4)]
    assert stand(rows, list(range(12)), folds="3") == stand(rows, list(range(12)))


def test_more_folds_than_people_are_refused_with_how_many_there_are() -> None:
    rows = [("a", None, "fear", False, who) for who in "ppqqr"]
    with pytest.raises(BadOption, match="3 people cannot make 4 folds") as told:
        placed(rows, [0, 0, 1, 1, 2], folds="4")
    assert "up to 3" in told.value.hint


def test_leaving_a_person_out_needs_rows_that_were_grouped_by_person() -> None:
    rows = [("a", None, "fear", False, who) for who in "ppq"]
    with pytest.raises(BadOption, match="1 people are in several groups"):
        placed(rows, [0, 1, 2], folds="loso")


@pytest.mark.parametrize("count", ["1", "0", "-3", "many", "1.5", "99999"])
def test_numbers_of_folds_that_make_no_sense_are_refused(count: str) -> None:
    with pytest.raises(BadOption, match="--folds cannot be"):
        placed([("a", None, "fear")] * 3, [0, 1, 2], folds=count)


def test_folds_do_not_follow_the_split_or_who_was_thinned() -> None:
    rows = [("a", None, "fear")] * 1000
    made = placed(rows, list(range(1000)), split="0.5,0.25,0.25", folds="2", cap=("fear=250",))
    for side in (0, 1, 2):
        assert 0.4 < made.fold[made.split == side].mean() < 0.6
