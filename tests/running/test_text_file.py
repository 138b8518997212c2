"""Text as people's programs save it: encodings that are seen, and what is called by its name instead."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.running.file_kind import HEAD, kind_of
from ferdata.running.text_file import encoding_of, is_windows, open_text

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_is_read_in_any_encoding_that_people_save(tmp_path, encoding):
    text = "path;label\r\nImágenes/ä.png;fröhlich\r\n" * 40
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    with open_text(tmp_path / "t.csv") as file:
        assert file.read() == text
    assert is_windows(tmp_path / "t.csv") == (encoding == "cp1252")


def test_windows_letters_are_read_wherever_they_stand(tmp_path):
    (tmp_path / "t.csv").write_bytes("gut ü".encode() + b"\n" * 200_000 + b"schlecht \xfc")
    with open_text(tmp_path / "t.csv") as file:
        assert file.read().replace("\n", "") == "gut üschlecht ü"


def test_bytes_that_are_no_letters_in_windows_either_are_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a\x81b")
    with open_text(tmp_path / "t.csv") as file, pytest.raises(UnicodeDecodeError):
        file.read()


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1))
def test_any_text_in_utf_8_comes_back_as_it_was(text):
    data = text.encode()
    if kind_of(data[:HEAD]) is None and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        assert data.decode(encoding_of(data[:HEAD])) == text.removeprefix("\ufeff")


@pytest.mark.parametrize("zeros", [b"\0\0\0\0", b"\1\0\0\0" * 50])
def test_numbers_in_binary_are_no_text(zeros):
    with pytest.raises(UnicodeError, match="not text"):
        encoding_of(zeros)
