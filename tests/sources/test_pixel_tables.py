"""Tables of pixels as text: parsed many rows at once, and refused with the line of the first that is damaged."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ferdata.errors import BrokenSource
from ferdata.sources.pixel_tables import ROWS_AT_ONCE, _Cells, _rows, parse, read_pixel_table, read_pixels
from ferdata.sources.tables import read_table
from tests.sources import outcome

WHERE = Path("somewhere.csv")
ROW = " ".join(["7"] * 2304)


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path


@given(
    arrays.arrays(np.uint8, (3, 4, 4)), st.sampled_from(["{}", "{:02}", "{:03}"]), st.sampled_from([" ", "  ", "\t "])
)
def test_many_cells_come_back_as_they_were_written(images, form, blank):
    cells = [blank.join(form.format(v) for v in image.ravel()).encode() for image in images]
    assert np.array_equal(parse(cells, 4), images)


@given(st.lists(st.text("0123456789 \tx", max_size=12), min_size=1, max_size=4))
def test_cells_are_parsed_together_only_if_each_of_them_is_an_image(texts):
    got = parse([text.encode() for text in texts], 2)
    words = [text.split() for text in texts]
    good = all(len(w) == 4 and all(v.isdigit() and len(v) < 4 and int(v) < 256 for v in w) for w in words)
    assert (got is not None) == good
    if got is not None:
        assert got.reshape(-1, 4).tolist() == [[int(v) for v in w] for w in words]


def test_a_pixel_short_in_one_row_and_one_too_many_in_the_next_is_refused():
    assert parse([b"1 2 3", b"4 5 6 7 8"], 2) is None


def test_numbers_of_many_digits_are_read_if_they_are_small():
    assert read_pixels("0007 " + "0" * 5000 + "1 255 0", Path("t.csv"), 1, side=2).tolist() == [[7, 1], [255, 0]]


@pytest.mark.parametrize("bad", [0, 5, ROWS_AT_ONCE, ROWS_AT_ONCE + 3])
def test_the_rows_before_a_damaged_one_come_first_wherever_it_is(tmp_path, bad):
    rows = [f"0,{ROW},Training" for _ in range(2 * ROWS_AT_ONCE)]
    for row, said in ((f"0,{ROW} 1,Training", "2,305 pixels"), ("0,1", "2 cells, expected 3")):
        got = []
        path = table(tmp_path / "t.csv", *rows[:bad], row, *rows[bad:])
        with pytest.raises(BrokenSource, match=rf"t\.csv:{bad + 2}: {said}"):
            got.extend((each.line, each.index) for each in read_pixel_table(path))
        assert got == [(i + 2, i) for i in range(bad)]


@example(text=",\r,")
@given(st.text('07, "x\r\né', max_size=30))
def test_rows_are_just_those_of_the_reader_of_tables_up_to_the_same_error(tmp_path_factory, text):
    """Plain lines are split by hand, in a third of the time; whatever is not plain is left to the reader."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(f"emotion,pixels,Usage\n0,7 7,Training\n{text}".encode())
    slow = (_Cells(n, c["emotion"], c["Usage"], c["pixels"].encode()) for n, c in read_table(path, "pixels", "Usage"))
    assert until_error(_rows(path, ("Usage",))) == until_error(slow)


def until_error(rows):
    """Return the rows, and the message of the error that ends them."""
    found = []
    try:
        found.extend(rows)
    except BrokenSource as error:
        return found, error.message
    return found, None


@pytest.mark.parametrize(
    "header", ["emotion,pixels", "pixels,usage", '"emotion","pixels","Usage"', "émotion,pixels,Usage"]
)
def test_a_header_that_lacks_a_column_is_refused_and_one_in_quotes_is_read(tmp_path, header):
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n" + ",".join(["0", ROW, "Training"][: header.count(",") + 1]) + "\n")
    got = outcome(lambda: [(r.line, r.emotion, r.split) for r in read_pixel_table(path, "emotion", "Usage")])
    assert got == [(2, "0", "train")] if header.startswith('"') else "no column" in got


def test_quoted_pixels_and_a_quote_in_the_middle_of_the_table_are_read_alike(tmp_path):
    plain = f"3,{ROW},Training"
    path = table(tmp_path / "t.csv", plain, f'"4","{ROW}","PublicTest"', plain)
    assert [(r.line, r.emotion, r.split) for r in read_pixel_table(path)] == [
        (2, "3", "train"),
        (3, "4", "val"),
        (4, "3", "train"),
    ]
    assert all((r.pixels == 7).all() for r in read_pixel_table(path))


@given(arrays.arrays(np.uint8, (6, 6)), st.sampled_from([" ", "  ", "\t"]))
def test_pixels_come_back_as_they_were_written(image, blank):
    text = blank.join(map(str, image.ravel()))
    read = read_pixels(text, WHERE, 1, side=6)
    assert read.dtype == np.uint8
    assert np.array_equal(read, image)


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
