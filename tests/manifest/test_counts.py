"""Counts: the split of each row, else the official one, by one rule for all who ask."""

import pyarrow as pa
import pytest

from ferdata.manifest.counts import Counts, split_column
from tests.conftest import make_rows


@pytest.mark.parametrize(
    ("split", "column"),
    [
        ([None, None], "official_split"),
        (["train", None], "split"),
        (["train", "test"], "split"),
        ([], "official_split"),
    ],
)
def test_the_official_split_counts_only_where_no_row_has_a_split(split: list[str | None], column: str) -> None:
    table = pa.table({"split": pa.array(split, pa.string()), "official_split": pa.array(["val"] * len(split))})
    assert split_column(table) == column


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ((None, None, None), {"train": {"rows": 2, "labelled": 1}, "test": {"rows": 1, "labelled": 1}}),
        (("val", None, None), {"val": {"rows": 1, "labelled": 1}, "none": {"rows": 2, "labelled": 1}}),
    ],
)
def test_rows_are_counted_over_all_batches_by_the_same_rule(split: tuple[str | None, ...], counts: dict) -> None:
    rows = (("fear", "train"), (None, "train"), ("anger", "test"))
    batch = make_rows(
        [
            {"native_label": word, "official_split": official, "split": mine, "group": 0}
            for (word, official), mine in zip(rows, split, strict=True)
        ]
    )
    counted = Counts()
    counted.update(batch.slice(1))
    counted.update(batch.slice(0, 1))
    assert counted.rows == 3
    assert counted.as_dict() == {"made": counts}
