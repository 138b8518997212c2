"""The readers that adapters share, and how a folder is recognised."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ferdata.errors import BadOption, BrokenSource, FerdataError, NotThisDataset
from ferdata.sources.declaration import (
    Layout,
    Licence,
    Option,
    Source,
    images_below,
    read_rows,
    read_table,
    read_votes,
    recognise,
)
from ferdata.sources.pixel_tables import read_pixel_table, read_pixels

WHERE = Path("somewhere.csv")


def source(*layouts: Layout) -> Source:
    return Source("made", "", "", Licence("", ""), "", "", (), "", "", layouts, (Option("one", "", "a", ("a", "b")),))


@given(arrays.arrays(np.uint8, (6, 6)), st.sampled_from([" ", "  ", "\t"]))
def test_pixels_come_back_as_they_were_written(image, blank):
    text = blank.join(map(str, image.ravel()))
    read = read_pixels(text, WHERE, 1, side=6)
    assert read.dtype == np.uint8
    assert np.array_equal(read, image)


def outcome(call: Callable[[], Any]) -> Any:
    """Return what `call` returns, or the message with which it refuses."""
    try:
        return call()
    except FerdataError as error:
        return error.message


@given(st.text("0123456789 \t\n-.x٣"), st.integers(1, 2))
def test_any_text_is_pixels_or_refused_with_its_line(text, side):
    got = outcome(lambda: read_pixels(text, WHERE, 7, side))
    if isinstance(got, str):
        assert got.startswith("somewhere.csv:7: ")
    else:
        assert got.shape == (side, side)
        assert [int(word) for word in text.split()] == got.ravel().tolist()


@pytest.mark.parametrize(
    "junk", ["12x", "1.5", "1e2", "-1", "+1", "1_0", "256", "٣", "0x1", "nan", "4294967296", "9" * 40, "\u00a0", "1\n"]
)
def test_one_bad_pixel_among_good_ones_is_refused(junk):
    with pytest.raises(BrokenSource, match=r"somewhere\.csv:3: "):
        read_pixels(f"1 2 {junk} 4", WHERE, 3, side=2)


@given(st.lists(st.integers(0, 10), min_size=10, max_size=10).filter(lambda votes: sum(votes) <= 10))
def test_votes_come_back_as_they_were_written(votes):
    assert read_votes([str(v) for v in votes], WHERE, 1) == tuple(votes)


@given(st.lists(st.one_of(st.text(max_size=4), st.integers(-3, 12).map(str)), max_size=12))
def test_any_cells_are_ten_votes_or_refused(cells):
    got = outcome(lambda: read_votes(cells, WHERE, 9))
    if isinstance(got, str):
        assert got.startswith("somewhere.csv:9: ")
    else:
        assert len(got) == 10
        assert min(got) >= 0


@pytest.mark.parametrize("reader", [read_table, read_rows, read_pixel_table])
@given(data=st.binary(max_size=100))
def test_any_bytes_are_a_table_or_refused_by_name(reader, data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    got = outcome(lambda: list(reader(path)))
    assert isinstance(got, list) or "any.csv" in got


@given(st.lists(st.text("abc ,;\"'é\n", max_size=6), min_size=2, max_size=2).filter(any))
def test_cells_come_back_from_a_table_as_they_were_written(cells):
    import csv
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows([[" a ", "b"], cells])
        assert next(iter(read_table(path, "a", "b")))[1] == {"a": cells[0], "b": cells[1]}


def test_a_line_number_is_that_of_the_file_with_empty_lines_counted(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n\r\n3\r\n")
    with pytest.raises(BrokenSource, match=r"t\.csv:5: 1 cells where 2 belong"):
        list(read_table(path, "a"))


def test_a_table_that_is_no_text_or_not_there_is_refused_by_name(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(BrokenSource, match="not text in UTF-8"):
        list(read_table(tmp_path / "t.csv"))
    with pytest.raises(BrokenSource, match="Cannot read"):
        list(read_table(tmp_path / "gone.csv"))


def test_a_layout_is_found_two_folders_below_and_the_first_declared_wins(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one.csv").touch()
    (tmp_path / "two.csv").touch()
    first, second = Layout("one", ("one.csv",), {}), Layout("two", ("two.csv",), {})
    assert recognise(source(first, second), tmp_path) == (first, tmp_path / "a" / "b")
    assert recognise(source(second, first), tmp_path) == (second, tmp_path)
    assert recognise(source(second), tmp_path / "a") is None


def test_every_mark_must_match_in_the_same_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.csv").touch()
    (tmp_path / "two.csv").touch()
    assert recognise(source(Layout("both", ("one.csv", "two.csv"), {})), tmp_path) is None


def test_images_are_found_by_suffix_in_any_case_and_leftovers_are_not(tmp_path):
    for name in ("b.PNG", "a.jpeg", ".hidden.png", "._a.png", "Thumbs.db", "__MACOSX/a.png", ".git/a.png", "c/d.JPG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.name for p in images_below(tmp_path)] == ["a.jpeg", "b.PNG", "d.JPG"]


def test_an_option_has_its_default_and_refuses_what_is_no_choice():
    made = source()
    assert made.option({}, "one") == made.option({"one": None}, "one") == "a"
    with pytest.raises(BadOption, match="--one cannot be 'c'"):
        made.option({"one": "c"}, "one")


def test_a_root_without_rights_is_said_so(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(NotThisDataset, match="No right to read"):
        recognise(source(Layout("one", ("one.csv",), {})), tmp_path)
