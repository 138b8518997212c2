"""Rewrite: columns replaced in the rows of several manifests, rows left out, roots seen from where it is written."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ferdata.manifest import Manifest, write
from ferdata.manifest.rewrite import rewritten_metadata, rewritten_sources, with_columns
from tests.conftest import MakeManifest


@pytest.fixture
def two(make_manifest: MakeManifest) -> list[Manifest]:
    words = ("anger", "fear", "sadness", "disgust", "neutral")
    first = make_manifest(*({"native_label": w, "dataset": "one"} for w in words[:3]), name="first")
    second = make_manifest(*({"native_label": w, "dataset": "two"} for w in words[3:]), name="second")
    return [Manifest(first), Manifest(second)]


def test_columns_are_replaced_over_several_manifests_and_the_others_stay(two: list[Manifest], tmp_path: Path) -> None:
    new = {"group": pa.array([7, 6, 5, 4, 3])}
    out = tmp_path / "out.parquet"
    write(out, with_columns(two, new, "test"), rewritten_metadata(two, out, []))
    old = pa.concat_tables([m.table() for m in two])
    written = Manifest(out).table()
    assert written["group"].to_pylist() == [7, 6, 5, 4, 3]
    assert written.drop(["group"]).equals(old.drop(["group"]))


@pytest.mark.parametrize("kept", [[0, 2, 4], [3, 4], [1], [], [0, 1, 2, 3, 4]])
def test_of_chosen_rows_each_gets_its_own_value(two: list[Manifest], kept: list[int]) -> None:
    new = {"group": pa.array([10 * k for k in kept], pa.int64())}
    batches = with_columns(two, new, "test", np.array(kept, np.intp))
    rows = [row for batch in batches for row in batch.select(["label", "group"]).to_pylist()]
    labels = pa.concat_tables([m.table("label") for m in two])["label"].to_pylist()
    assert rows == [{"label": labels[k], "group": 10 * k} for k in kept]


def test_roots_are_relative_to_where_the_manifest_is_written(two: list[Manifest], tmp_path: Path) -> None:
    two[0].metadata["sources"]["one"]["root"] = "data/first"
    two[1].metadata["sources"]["two"]["root"] = None
    sources = rewritten_sources(two, tmp_path / "below" / "out.parquet")
    assert {name: source["root"] for name, source in sources.items()} == {"one": "../data/first", "two": None}


def test_the_metadata_has_the_lineage_given_and_is_otherwise_that_of_the_first(two: list[Manifest]) -> None:
    step = {"step": "made up"}
    metadata = rewritten_metadata(two, two[0].path, [step])
    assert metadata["lineage"] == [step]
    assert {n: metadata[n] for n in ("vote_policy", "taxonomy")} == {
        n: two[0].metadata[n] for n in ("vote_policy", "taxonomy")
    }
