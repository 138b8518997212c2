"""A table and class folders that disagree: how many rows, the first of them, and the way to choose."""

import pytest

from ferdata.errors import BadOption, BrokenSource
from ferdata.sources.labels_from import BOTH, FOLDERS, TABLE, Disagreement, check_agreement, check_possible

ROW = Disagreement("labels.csv:3", "anger/1.jpg", "surprise", "anger")


def test_the_first_row_and_the_number_of_rows_are_told_with_both_ways_out() -> None:
    with pytest.raises(BrokenSource) as caught:
        check_agreement([ROW, Disagreement("labels.csv:9", "anger/2.jpg", "fear", "anger")], 1234)
    assert caught.value.message == (
        "labels.csv:3: label surprise for anger/1.jpg, which is in folder anger. "
        "Table and folders disagree on 2 of 1,234 rows."
    )
    assert caught.value.hint.endswith("choose --labels-from table or --labels-from folders.")
    check_agreement([], 1234)


@pytest.mark.parametrize("labels_from", [TABLE, FOLDERS])
def test_a_choice_is_refused_where_there_is_nothing_to_choose(labels_from: str) -> None:
    check_possible(labels_from, True, "here")
    check_possible(BOTH, False, "here")
    with pytest.raises(BadOption, match="here has no table beside class folders"):
        check_possible(labels_from, False, "here")
