"""Group: same pixels, same person, same clip; chains are one group; numbering is the same everywhere."""

import networkx
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ferdata.schema import arrow_schema
from ferdata.steps.group import group

COLUMNS = ("sample_id", "dataset", "pixel_hash", "subject", "sequence", "official_split")


def table(*rows: tuple) -> pa.Table:
    """Make a table of (dataset, pixel hash, subject, sequence, official split)."""
    full = [dict(zip(COLUMNS, (f"{r[0]}:{i}", *r), strict=True)) for i, r in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=arrow_schema(*COLUMNS))


def test_equal_pixels_are_one_group_across_datasets() -> None:
    found = group(
        table(("a", "h1", None, None, "train"), ("b", "h1", None, None, "test"), ("a", "h2", None, None, None))
    )
    assert found.group.tolist() == [0, 0, 1]
    assert (found.identical, found.images, found.across) == (1, 2, {"train-test": 1})


def test_one_persons_pictures_are_one_group_but_only_within_a_dataset() -> None:
    found = group(table(("a", "1", "S1", None, None), ("a", "2", "S1", None, None), ("b", "3", "S1", None, None)))
    assert found.group.tolist() == [0, 0, 1]
    assert found.identical == 0


def test_a_clip_without_a_subject_is_a_group() -> None:
    found = group(table(("a", "1", None, "v1", None), ("a", "2", None, "v1", None), ("a", "3", None, "v2", None)))
    assert found.group.tolist() == [0, 0, 1]


def test_a_chain_of_reasons_is_one_group() -> None:
    found = group(
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
    found = group(table())
    assert (found.count, found.largest) == (0, 0)


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
            clip = a[0] == b[0] and a[2] == b[2] and a[3] is not None and a[3] == b[3]
            if a[1] == b[1] or person or clip:
                graph.add_edge(i, j)
    found = group(table(*given_rows)).group.tolist()
    parts = {frozenset(i for i, g in enumerate(found) if g == n) for n in set(found)}
    assert parts == {frozenset(c) for c in networkx.connected_components(graph)}
    assert list(dict.fromkeys(found)) == sorted(set(found))  # numbered by first appearance
