"""Following a hint never costs a published test, unless the hint says so."""

import re

import pyarrow.compute as pc
import pytest

from ferdata.manifest import Manifest
from ferdata.training_data.rows import COLUMNS
from ferdata.training_data.split_advice import how_to_split, redraw


def advice(path, function=how_to_split):
    opened = Manifest(path)
    return function(opened, opened.table(*COLUMNS))


def rows(counts, split=None):
    return [
        {"official_split": official, "native_label": "anger", "split": split and split.get(official)}
        for official, n in counts.items()
        for _ in range(n)
    ]


def follow(ferdata, said):
    command = re.search(r"ferdata (.+)", said)[1].split()
    assert ferdata(*command).code == 0, said
    return Manifest(command[-1]).table("split", "official_split")


def test_what_was_only_ingested_is_merged_and_keeps_its_official_test(ferdata, make_manifest):
    made = follow(ferdata, advice(make_manifest(*rows({"train": 40, "test": 8}))))
    official = made.filter(pc.equal(made["official_split"], "test"))
    assert set(official["split"].to_pylist()) == {"test"}
    assert set(made["split"].to_pylist()) == {"train", "val", "test"}


def test_what_was_split_without_a_val_is_split_anew_and_keeps_its_official_test(ferdata, make_manifest):
    path = make_manifest(*rows({"train": 40, "test": 8}))
    assert ferdata("merge", path, "-o", "merged.parquet").code == 0
    opened = Manifest("merged.parquet")
    table = opened.table(*COLUMNS)
    lost = pc.if_else(pc.equal(table["split"], "val"), None, table["split"])
    without_val = table.set_column(table.column_names.index("split"), "split", lost)
    said = how_to_split(opened, without_val)
    assert "--split 0.8" not in said
    assert set(follow(ferdata, said)["split"].to_pylist()) == {"train", "val", "test"}


def test_shares_are_advised_where_no_test_was_published(make_manifest):
    said = advice(make_manifest(*rows({"train": 40}, {"train": "train"})))
    assert "--split 0.8,0.1,0.1" in said
    assert "gives up" not in said


@pytest.mark.parametrize(("counts", "costs"), [({"train": 40, "test": 8}, True), ({"train": 40}, False)])
def test_redrawing_says_whose_official_test_it_costs(make_manifest, counts, costs):
    said = advice(make_manifest(*rows(counts)), redraw)
    assert ("gives up the official test of made" in said) == costs
