"""Groups: who stands beside whom, and why."""

import numpy as np
import pyarrow as pa

from ferdata.auditing import answers, whole
from ferdata.auditing.report import groups
from ferdata.auditing.report.groups import Group, Kin
from ferdata.labels import TAXONOMIES
from tests.conftest import make_rows


def kin(*rows: dict) -> tuple[pa.Table, Kin]:
    table = pa.Table.from_batches([make_rows(list(rows))])
    labels = answers.read(table, TAXONOMIES["basic8"])
    return table, groups.kin(table, labels.picture, labels.hard)


def plain(of: Kin, found: list[Group]) -> list[tuple[str, list[int]]]:
    return [(group.why, groups.mixed(of, group.rows).tolist()) for group in found]


def leaks(*rows: dict) -> list[tuple[str, list[int]]]:
    table, of = kin(*rows)
    return plain(of, groups.leaks(of, np.nan_to_num(whole.rows(table)["leak"]) > 1))


def test_a_conflict_is_all_labelled_rows_of_its_picture() -> None:
    _, of = kin(
        {"seed": 1, "native_label": "anger"},
        {"seed": 2, "native_label": "fear"},
        {"seed": 1, "native_label": "anger"},
        {"seed": 1, "native_label": "fear"},
        {"seed": 1},
    )
    assert plain(of, groups.conflicts(of, np.array([False, False, False, True, False]))) == [("same pixels", [0, 3, 2])]


def test_copies_that_differ_in_pixels_are_near_ones() -> None:
    rows = [{"seed": i, "picture": p, "native_label": "fear"} for i, p in enumerate((0, 0, 1))]
    _, of = kin(*rows)
    assert plain(of, groups.copies(of)) == [("near copy", [0, 1])]
    rows = [{"seed": 1, "picture": p, "native_label": "fear"} for p in (0, 0, 1)]
    _, of = kin(*rows)
    assert plain(of, groups.copies(of)) == [("same pixels", [0, 1])]


def test_a_leak_is_shown_with_its_other_side_by_the_closest_link() -> None:
    assert leaks(
        {"seed": 1, "split": "train", "group": 0, "subject": "a"},
        {"seed": 1, "split": "test", "group": 0, "subject": "a"},  # the same pixels: that it is one person says less
        {"seed": 2, "split": "train", "group": 1, "subject": "b"},
        {"seed": 3, "split": "val", "group": 1, "subject": "b"},
        {"seed": 4, "split": "train", "group": 2, "sequence": "c"},
        {"seed": 5, "split": "val", "group": 2, "sequence": "c"},
        {"seed": 6, "split": "train", "group": 3},
        {"seed": 7, "split": "test", "group": 3},
        {"seed": 8, "split": "train", "group": 4},
    ) == [("same pixels", [0, 1]), ("same person", [2, 3]), ("same clip", [4, 5]), ("same group", [6, 7])]


def test_one_name_in_two_datasets_is_two_people() -> None:
    found = leaks(
        {"seed": 1, "split": "train", "group": 0, "subject": "a"},
        {"seed": 2, "split": "test", "group": 0, "subject": "a", "dataset": "other"},
    )
    assert found == [("same group", [0, 1])]


def test_the_first_of_a_group_show_all_its_splits_and_labels() -> None:
    sides = ["train"] * 40 + ["test"]
    (found,) = leaks(*({"seed": 1, "split": side, "group": 0, "native_label": "fear"} for side in sides))
    assert found[1][:3] == [0, 40, 1]


def test_the_group_with_most_splits_and_labels_comes_first() -> None:
    _, of = kin(
        {"seed": 1, "native_label": "fear", "split": "train"},
        {"seed": 1, "native_label": "fear", "split": "train"},
        {"seed": 2, "native_label": "fear", "split": "train"},
        {"seed": 2, "native_label": "anger", "split": "train"},
        {"seed": 3, "native_label": "fear", "split": "train"},
        {"seed": 3, "native_label": "fear", "split": "test"},
    )
    assert [group.rows.tolist() for group in groups.copies(of)] == [[4, 5], [2, 3], [0, 1]]
