"""Cells of CSV files: no formula, and the way back."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.running.spreadsheet import as_cell, as_cells, from_cell, from_cells

BEGINNINGS = st.text(st.sampled_from("'=+-@\t\r\na"), max_size=4)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_begins_as_a_formula_does(text):
    assert as_cell(text) == "'" + text


def test_numbers_and_words_are_left_as_they_are():
    assert [as_cell(value) for value in (-1.5, None, "", "a=b", "'quoted'")] == [-1.5, None, "", "a=b", "'quoted'"]


@given(BEGINNINGS, st.text())
def test_every_text_comes_back(beginning, rest):
    assert from_cell(as_cell(beginning + rest)) == beginning + rest


@given(st.lists(st.none() | st.builds(str.__add__, BEGINNINGS, st.text(st.characters(exclude_categories=("Cs",))))))
def test_a_column_is_made_of_the_same_cells(texts):
    column = pa.array(texts, pa.string())
    assert as_cells(column).to_pylist() == [as_cell(text) for text in texts]
    assert from_cells(as_cells(column)).to_pylist() == texts
