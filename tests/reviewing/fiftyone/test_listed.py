"""A list of ids as a saved view: the rows that an audit's page has filtered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferdata.errors import BadOption
from ferdata.reviewing.fiftyone import listed
from tests.conftest import Ran
from tests.reviewing.fiftyone.loaded import load, shown


def test_a_list_is_read_by_its_column_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    path.write_text('\ufeffgroup,sample_id\r\n1,"a,b"\r\n1,c\r\n2,c\r\n,\r\n', encoding="utf-8")
    assert listed.ids(path) == ["a,b", "c"]


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("id\na\n")
    with pytest.raises(BadOption, match="no column sample_id"):
        listed.ids(tmp_path / "ids.csv")
    with pytest.raises(BadOption, match="Cannot read the list"):
        listed.ids(tmp_path / "none.csv")


def test_the_rows_of_a_list_are_a_view_in_its_order(
    fo: Any, made: Path, tmp_path: Path, ferdata: Callable[..., Ran]
) -> None:
    path = tmp_path / "dark.csv"
    path.write_text("sample_id\nmade:0003\nmade:0000\n")
    ran = ferdata("review", made, "--no-app", "--ids", path)
    assert "List: dark (2)" in ran.out, ran
    view = shown(fo, made).load_saved_view("List: dark (2)")
    assert view.values("sample_id") == ["made:0003", "made:0000"]

    path.write_text("sample_id\nmade:0004\nelsewhere:1\n")
    views = load(made, ids=path).views
    assert [v for v in views if v.startswith("List")] == ["List: dark (1 of 2 ids)"]

    path.write_text("sample_id\nelsewhere:1\n")
    with pytest.raises(BadOption, match="None of the 1 ids"):
        load(made, ids=path)
