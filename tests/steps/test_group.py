"""Group: same pixels, same person, same clip; chains are one group; numbering is the same everywhere."""

from pathlib import Path

import networkx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.auditing.catalogue import CATALOGUE
from ferdata.duplicates.groups import BLANK, FEW, GROUP_COLUMNS, find_groups
from ferdata.errors import AlreadyExists, BadOption
from ferdata.manifest import Manifest
from ferdata.schema import arrow_schema
from ferdata.steps.group import group
from tests.conftest import MakeManifest

COLUMNS = ("sample_id", "dataset", "pixel_hash", "subject", "sequence", "official_split")


def table(*rows: tuple) -> pa.Table:
    """Make a table of (dataset, pixel hash, subject, sequence, official split)."""
    full = [dict(zip(COLUMNS, (f"{r[0]}:{i}", *r), strict=True)) for i, r in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=arrow_schema(*GROUP_COLUMNS))


def test_equal_pixels_are_one_group_across_datasets() -> None:
    found = find_groups(
        table(("a", "h1", None, None, "train"), ("b", "h1", None, None, "test"), ("a", "h2", None, None, None))
    )
    assert found.group.tolist() == [0, 0, 1]
    assert (found.identical, found.images, found.across) == (1, 2, {"train-test": 1})


def test_one_persons_pictures_are_one_group_but_only_within_a_dataset() -> None:
    found = find_groups(table(("a", "1", "S1", None, None), ("a", "2", "S1", None, None), ("b", "3", "S1", None, None)))
    assert found.group.tolist() == [0, 0, 1]
    assert found.identical == 0


def test_a_clip_without_a_subject_is_a_group() -> None:
    found = find_groups(table(("a", "1", None, "v1", None), ("a", "2", None, "v1", None), ("a", "3", None, "v2", None)))
    assert found.group.tolist() == [0, 0, 1]


def test_a_clip_is_one_group_whoever_is_in_it_but_only_within_a_dataset() -> None:
    rows = [("a", "1", "left", "v1", None), ("a", "2", "right", "v1", None), ("b", "3", "left", "v1", None)]
    assert find_groups(table(*rows)).group.tolist() == [0, 0, 1]


def test_a_chain_of_reasons_is_one_group() -> None:
    found = find_groups(
        table(
            ("a", "1", "S1", None, None),
            ("a", "2", "S1", None, None),
            ("b", "2", None, None, None),
            ("b", "9", None, None, None),
        )
    )
    assert found.group.tolist() == [0, 0, 0, 1]
    assert (found.largest, found.largest_of) == (3, "a:0")


def test_an_empty_table_has_no_groups() -> None:
    found = find_groups(table())
    assert (found.count, found.largest) == (0, 0)


def test_near_duplicates_join_rows_and_by_chooses_what_does() -> None:
    rows = table(("a", "1", "S1", None, None), ("a", "2", "S1", "c", None), ("b", "3", None, None, None))
    pairs = np.array([[1, 2]])
    assert find_groups(rows, pairs=pairs).group.tolist() == [0, 0, 0]
    assert find_groups(rows, pairs=pairs).near == 1
    assert find_groups(rows, pairs=pairs, by=("near",)).group.tolist() == [0, 1, 1]
    assert find_groups(rows, pairs=pairs, by=("subject", "pixels")).group.tolist() == [0, 0, 1]


def test_groups_across_official_splits_are_counted_whatever_joins_them() -> None:
    rows = table(("a", "1", "S1", None, "train"), ("a", "2", "S1", None, "val"), ("a", "3", None, None, "test"))
    assert find_groups(rows, pairs=np.array([[0, 2]])).groups_across == {"train-val-test": 1}
    assert find_groups(rows).groups_across == {"train-val": 1}
    assert find_groups(rows).across == {}


@pytest.mark.parametrize("by", [(), ("pixels", "name")])
def test_a_reason_that_is_none_is_refused_with_those_there_are(by: tuple[str, ...]) -> None:
    with pytest.raises(BadOption, match="pixels,near,subject,sequence"):
        find_groups(table(("a", "1", None, None, None)), by=by)


def test_a_group_that_swallows_too_much_is_refused_with_the_chain_that_built_it() -> None:
    rows = [("a", str(k), "S1", None, None) for k in range(FEW)] + [("a", "x", "S2", None, None)] * 5
    rows += [("a", f"y{k}", None, None, None) for k in range(20)]
    pairs = np.array([[3, FEW]])
    with pytest.raises(BadOption) as refused:
        find_groups(table(*rows), pairs=pairs)
    message = refused.value.message
    assert "105 of 125 rows" in message
    assert "near duplicate" in message
    assert message.index("a:0") < message.index("subject S1 - a:3") < message.index("near duplicate - a:100")
    assert "ferdata align" in refused.value.hint.splitlines()[0]
    assert "--most" in refused.value.hint
    assert find_groups(table(*rows), pairs=pairs, most=0.9).largest == 105


def test_a_blank_picture_that_joins_everybody_is_named_as_what_it_is() -> None:
    """A black frame in each person's clip."""
    rows = [("a", f"{who}-{k}" if k else "black", f"S{who}", None, None) for who in range(12) for k in range(10)]
    blank = pa.array([0.0 if r[1] == "black" else 0.2 for r in rows], pa.float32())
    whole = table(*rows)
    whole = whole.set_column(whole.schema.get_field_index("contrast"), "contrast", blank)
    with pytest.raises(BadOption) as refused:
        find_groups(whole)
    assert "same pixels, a blank picture - a:" in refused.value.message
    assert refused.value.hint.startswith("Blank pictures are joined since")
    assert "frame.contrast >= 0.03" in refused.value.hint
    seen = whole.filter(pc.greater_equal(whole["contrast"], BLANK))  # what the hint makes of it
    assert find_groups(seen).count == 12


def test_blank_is_what_audit_calls_so() -> None:
    assert {f.name: f.threshold for f in CATALOGUE}["blank"] == BLANK


def test_how_many_versions_a_picture_has_at_most_is_counted() -> None:
    rows = table(*[("a", h, None, None, None) for h in "xyzxw"])
    found = find_groups(rows, pairs=np.array([[1, 2], [2, 3]]))
    assert (found.versions, found.versions_of) == (3, "a:0")  # x, y, z
    assert (find_groups(rows).versions, find_groups(table()).versions) == (1, 0)


def test_in_small_tables_a_share_says_nothing() -> None:
    assert find_groups(table(*[("a", "1", None, None, None)] * FEW), most=0.01).largest == FEW


def test_a_chain_longer_than_a_screen_is_cut() -> None:
    rows = table(*[("a", str(k), None, None, None) for k in range(FEW + 50)])
    pairs = np.stack([np.arange(FEW + 49), np.arange(1, FEW + 50)], 1)
    with pytest.raises(BadOption, match="more links"):
        find_groups(rows, pairs=pairs)


def test_a_manifest_is_written_again_with_its_groups_and_nothing_else_changed(
    make_manifest: MakeManifest, tmp_path: Path
) -> None:
    path = make_manifest({"seed": 1, "subject": "S"}, {"seed": 1}, {"seed": 2, "subject": "S"}, {"seed": 3})
    result = group(path, out=tmp_path / "out.parquet", by=("pixels", "subject"))
    opened, before = Manifest(tmp_path / "out.parquet"), Manifest(path)
    assert opened.table("group")["group"].to_pylist() == [0, 0, 0, 1]
    assert (result.groups, result.largest, result.identical) == (2, 3, 1)
    unchanged = [c for c in before.table().column_names if c not in ("group", "picture")]
    assert opened.table(*unchanged).equals(before.table(*unchanged))
    step = opened.metadata["lineage"][0]
    assert (step["step"], step["options"]["by"]) == ("group", "pixels,subject")
    assert step["inputs"][0]["fingerprint"] == before.fingerprint
    with pytest.raises(AlreadyExists):
        group(path, out=tmp_path / "out.parquet")
    with pytest.raises(AlreadyExists, match="input"):
        group(path, out=path, force=True)


def test_groups_on_two_sides_of_the_manifests_own_split_are_leaks(make_manifest: MakeManifest) -> None:
    path = make_manifest(
        {"seed": 1, "group": 0, "split": "train"}, {"seed": 1, "group": 1, "split": "test"}, {"seed": 2}
    )
    result = group(path)
    assert result.out is None
    assert result.sides == {"train-test": 1}


words = st.sampled_from([None, "x", "y", "z"])
rows = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("123456"), words, words, words.map(lambda w: None)), max_size=14
)


@given(rows)
def test_groups_are_the_connected_components_that_a_graph_library_finds(given_rows: list[tuple]) -> None:
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(given_rows)))
    for i, a in enumerate(given_rows):
        for j, b in enumerate(given_rows[:i]):
            person = a[0] == b[0] and a[2] is not None and a[2] == b[2]
            clip = a[0] == b[0] and a[3] is not None and a[3] == b[3]
            if a[1] == b[1] or person or clip:
                graph.add_edge(i, j)
    found = find_groups(table(*given_rows)).group.tolist()
    parts = {frozenset(i for i, g in enumerate(found) if g == n) for n in set(found)}
    assert parts == {frozenset(c) for c in networkx.connected_components(graph)}
    assert list(dict.fromkeys(found)) == sorted(set(found))  # numbered by first appearance
