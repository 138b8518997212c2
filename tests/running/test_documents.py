"""TOML and JSON of other people's: read as they are, or refused in words, in no time whatever stands in them."""

import json
import os
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.errors import NotAFile
from ferdata.running.documents import DEEPEST, LARGEST_TOML, parse_json, parse_toml, read_json, read_toml

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")
LONG_KEY = b"a" + b".a" * 50_000
TOML_BOMBS = {
    "brackets": (b"x = " + b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "tables in tables": (b"x = " + b"{x = " * 5_000, "nested too deeply"),
    "a key of many parts": (LONG_KEY + b" = 1", "a key of more than"),
    "a heading of many parts": (b"[" + LONG_KEY + b"]", "a key of more than"),
    "a key with blanks": (b"a" + b" . a" * 50_000 + b" = 1", "a key of more than"),
    "a key of quoted parts": (b'"a"' + b".'b'" * 50_000 + b" = 1", "a key of more than"),
    "a key behind a text": (b'b = """x\\\\"""\n' + LONG_KEY + b' = 1\nc = """y"""', "a key of more than"),
    "a long number": (b"x = " + b"9" * 20_000, "thousands of digits"),
    "a long hexadecimal number": (b"x = 0x" + b"f" * 20_000, "more than 64 bits"),
    "a megabyte": (b"#" * (LARGEST_TOML + 1), "larger than 1,048,576 bytes"),
}
JSON_BOMBS = {
    "far too deep": (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
    "too deep for what writes it": (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "nested too deeply"),
    "a long number": (b"9" * 10_000, "thousands of digits"),
    "a large number": (str(2**64).encode(), "more than 64 bits"),
    "half a character": (b'["\\ud800"]', "half a character"),
    "half a character as a name": (b'{"\\ud800": 1}', "half a character"),
    "no JSON": (b"{", "property name"),
    "no text": (b"\xff", "not text"),
}


@pytest.mark.parametrize(("data", "why"), TOML_BOMBS.values(), ids=TOML_BOMBS)
def test_a_toml_bomb_is_refused_in_words_at_once(data: bytes, why: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=why):
        parse_toml(data)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(("data", "why"), JSON_BOMBS.values(), ids=JSON_BOMBS)
def test_a_json_bomb_is_refused_in_words_at_once(data: bytes, why: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=why):
        parse_json(data)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_of_a_file_that_is_too_large_no_more_is_read_than_shows_it(tmp_path: Path, read) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of zeros, that takes no room
    with pytest.raises(ValueError, match="larger than 1,000 bytes"):
        read(tmp_path / "large", 1_000)


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_a_pipe_and_a_device_are_not_waited_on(tmp_path: Path, read) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(NotAFile, match="not a file"):
            read(path)


@pytest.mark.parametrize(
    "text",
    [
        'title = "a' + ".a" * 1_000 + '"',
        "x = [" + ", ".join(f"{i}.5" for i in range(5_000)) + "]",
        "# a" + ".a" * 1_000 + "\nx = 1",
        "x = 'a" + ".a" * 1_000 + "'",
        'x = """\n' + "a.b.c " * 1_000 + '\n"""',
        "a.b.c.d = 1\n[e.f.g]\nh = 0.1",
        "large = 18446744073709551615\nsmall = -9223372036854775808",
    ],
)
def test_dots_in_texts_numbers_and_comments_are_no_keys(text: str) -> None:
    assert parse_toml(text.encode()) == tomllib.loads(text)


WORDS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()


@given(st.recursive(WORDS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_document_within_the_limits_comes_back_as_it_was(value) -> None:
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_toml_is_read_as_windows_saves_it(encoding):
    assert parse_toml('[labels]\r\n"böse" = "anger"\r\n'.encode(encoding)) == {"labels": {"böse": "anger"}}


@pytest.mark.parametrize("data", [b"PAR1", b"a = \x81", b"\xff\xfe\x00", b"a = " + b"[" * 40_000, b"= 3"])
def test_what_is_no_toml_is_a_value_error_in_words(data):
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_toml(data)
    assert type(caught.value) is not UnicodeDecodeError
