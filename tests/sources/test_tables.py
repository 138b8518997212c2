"""The readers of tables that adapters share."""

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.errors import BrokenSource, UnknownLabel
from ferdata.sources.declaration import Layout
from ferdata.sources.pixel_tables import read_pixel_table
from ferdata.sources.tables import known, read_rows, read_table, read_votes, value
from tests.sources import outcome

WHERE = Path("somewhere.csv")


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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows([[" a ", "b"], cells])
        assert next(iter(read_table(path, "a", "b")))[1] == {"a": cells[0], "b": cells[1]}


def test_a_line_number_is_that_of_the_file_with_empty_lines_counted(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n\r\n3\r\n")
    with pytest.raises(BrokenSource, match=r"t\.csv:5: 1 cells, expected 2"):
        list(read_table(path, "a"))


def test_a_table_that_is_no_text_or_not_there_is_refused_by_name(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n\x81\xfe,1\n")
    with pytest.raises(BrokenSource, match="not text in UTF-8"):
        list(read_table(tmp_path / "t.csv"))
    with pytest.raises(BrokenSource, match="Cannot read"):
        list(read_table(tmp_path / "gone.csv"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_adapters_table_may_be_as_windows_saves_it(tmp_path, encoding, separator):
    path = tmp_path / "t.csv"
    path.write_bytes(
        separator.join(("name", "n")).encode(encoding)
        + f"\r\nJosé{separator}1\r\n".encode(encoding).removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe")
    )
    assert list(read_table(path, "name")) == [(2, {"name": "José", "n": "1"})]


@pytest.mark.parametrize("hint", ["sep=;", '"sep=;"'])
def test_excels_line_on_the_separator_is_no_header(tmp_path, hint):
    (tmp_path / "t.csv").write_bytes(f"{hint}\r\na;b\r\n1,5;2\r\n".encode())
    assert list(read_table(tmp_path / "t.csv", "b")) == [(3, {"a": "1,5", "b": "2"})]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PAR1", "a Parquet file"),
        (b"PK\3\4", "a zip archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"  <!DOCTYPE html><title>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"x" * 257 + b"ustar\0", "a tar archive"),
    ],
)
def test_what_is_no_table_is_called_what_it_is(tmp_path, head, kind):
    (tmp_path / "t.csv").write_bytes(head + b"\n1,2\n")
    with pytest.raises(BrokenSource, match=kind):
        list(read_table(tmp_path / "t.csv", "a"))


def test_a_cell_is_what_it_was_before_pandas_wrote_it():
    assert [value(cell) for cell in ("nan", "NaN", "None", "", " ", "<NA>", "null")] == [None] * 7
    assert [value(cell) for cell in ("3.0", " 3 ", "-1.00", "3.5", "NA", "v1.0", "0")] == [
        "3", "3", "-1", "3.5", "NA", "v1.0", "0",
    ]  # fmt: skip


def test_a_published_label_and_votes_may_have_been_made_fractions_by_pandas():
    layout = Layout("any", (), {"3": "fear"})
    assert known("3.0", layout, WHERE, 1) == "3"
    assert read_votes(["3.0", *["0"] * 9], WHERE, 1) == (3, *[0] * 9)
    for label in ("3.5", "nan", ""):
        with pytest.raises(UnknownLabel, match=r"somewhere\.csv:1"):
            known(label, layout, WHERE, 1)
    with pytest.raises(BrokenSource, match="not whole numbers"):
        read_votes(["nan", *["0"] * 9], WHERE, 1)
