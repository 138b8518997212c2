"""Files of charts: a format that is named, fonts that publishers take, and the same bytes each time."""

import re
import zlib
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ferdata.charts.style import FORMATS, as_bytes, check_formats, heading, write
from ferdata.errors import BadOption

BEGINS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


def chart(form: str) -> bytes:
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.subplots().plot([0, 1], [1, 0])
    heading(figure, "first: test, n = 7")
    return as_bytes(figure, form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_chart_is_a_file_of_its_format_and_the_same_each_time(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = chart(form)
    assert first.startswith(BEGINS[form])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")  # another day, as matplotlib sees it
    assert chart(form) == first


def test_a_pdf_has_its_letters_as_truetype_and_not_as_type_3_which_publishers_refuse() -> None:
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data := chart("pdf"), re.DOTALL)
    whole = data + b"".join(zlib.decompress(s) for s in streams if s[:1] == b"x")
    assert b"/Type3" not in whole
    assert b"/FontFile2" in whole


def test_each_chart_is_written_once_in_each_format(tmp_path: Path) -> None:
    written = write(tmp_path, {"a": chart, "b": chart}, ("png", "pdf", "pdf"))
    assert [path.name for path in written] == ["a.png", "a.pdf", "b.png", "b.pdf"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)


def test_a_format_that_no_chart_has_is_refused_before_the_work() -> None:
    check_formats(FORMATS)
    with pytest.raises(BadOption, match="'gif'"):
        check_formats(("pdf", "gif"))
