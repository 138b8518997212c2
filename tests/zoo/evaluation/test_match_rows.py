"""Lines find their rows: by id, by pixels, by a path that may begin elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from zoo.data.rows import read_rows
from zoo.evaluation.match_rows import match
from zoo.evaluation.prediction_table import Table

PATHS = ("train/happy/1.jpg", "test/happy/1.jpg", "test/happy/2.jpg", "test/sad/é.jpg")


@pytest.fixture
def rows(shapes):
    """Four rows whose pictures are in the manifest; their paths are the keys of their ids."""
    made = [
        {"sample_id": f"made:{path}", "native_label": "happiness", "split": path.split("/")[0], "shape": ("anger", i)}
        for i, path in enumerate(PATHS)
    ]
    made.append({**made[2], "sample_id": "made:copy"})  # the same pixels
    return read_rows(Manifest(shapes(made)))


def table(named_by, names, p=None):
    p = np.full((len(names), 2), 0.5) if p is None else np.array(p)
    return Table(Path("k.csv"), named_by, list(names), p, ("happy", "sad"), ("happiness", "sadness"), ())


TEST = np.array([1, 2, 3])


@pytest.mark.parametrize(
    "names",
    [
        ("test/sad/é.jpg", "test/happy/1.jpg", "test/happy/2.jpg"),
        ("./test/sad/e\u0301.jpg", "test\\happy\\1.jpg", "C:\\data\\test\\happy\\2.jpg"),
        ("/data/fer/test/sad/é.jpg", "/data/fer/test/happy/1.jpg", "happy/2.jpg"),
    ],
)
def test_a_path_finds_its_row_wherever_it_begins(rows, names):
    assert match(table("path", names), rows, TEST).line.tolist() == [1, 2, 0]


def test_a_row_is_found_by_its_id_and_the_pixels_find_all_of_their_rows(rows):
    ids = rows.table["sample_id"].to_pylist()
    assert match(table("sample_id", ids[::-1]), rows, TEST).line.tolist() == [3, 2, 1]
    pixels = rows.table["pixel_hash"].to_pylist()
    found = match(table("pixel_hash", pixels[:4]), rows, np.arange(5))
    assert found.line.tolist() == [0, 1, 2, 3, 2]
    again = match(table("pixel_hash", pixels), rows, np.arange(5))  # a line per row, of which two say the same
    assert again.line.tolist() == [0, 1, 2, 3, 2]
    assert again.others == 0


def test_lines_of_other_rows_are_counted_and_those_of_no_row_named(rows):
    found = match(table("path", [*PATHS, "test/happy/9.jpg"]), rows, TEST)
    assert (found.others, found.unknown) == (1, ("test/happy/9.jpg",))
    assert match(table("path", PATHS[:2]), rows, TEST).line.tolist() == [1, -1, -1]


def test_a_path_that_may_be_several_rows_is_refused(rows):
    with pytest.raises(BadOption, match=r"happy/1\.jpg may be any of 2 rows: made:train/happy/1\.jpg") as refused:
        match(table("path", ["happy/1.jpg"]), rows, TEST)
    assert "sample_id" in refused.value.hint


@pytest.mark.parametrize("named_by", ["path", "sample_id", "pixel_hash"])
def test_two_lines_about_one_row_are_refused(rows, named_by):
    pixels = rows.table["pixel_hash"][1].as_py()
    names = {"path": PATHS[1:2], "sample_id": ["made:" + PATHS[1]], "pixel_hash": [pixels]}[named_by]
    with pytest.raises(BadOption, match=f"two lines about {names[0]}"):
        match(table(named_by, [*names] * 2, [[0.5, 0.5], [0.4, 0.6]]), rows, TEST)


def test_one_row_under_two_spellings_of_its_path_is_refused_too(rows):
    with pytest.raises(BadOption, match="two lines about"):
        match(table("path", ["test/happy/2.jpg", "happy/2.jpg"]), rows, TEST)


@pytest.mark.parametrize("named_by", ["path", "sample_id", "pixel_hash"])
def test_a_table_of_another_manifest_is_refused(rows, named_by):
    with pytest.raises(BadOption, match=r"None of the 2 lines of k.csv is about a row of .*: .* is x, y; rows there"):
        match(table(named_by, ["x", "y"]), rows, TEST)
