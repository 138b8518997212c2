"""TOML and JSON that somebody else may have written, read within limits: of size, depth, numbers and time.

A few kilobytes are enough to exhaust what reads them: brackets in brackets, a key of fifty thousand parts, a number of
as many digits. Whoever is given such a file gets an error in words, as from any other that is damaged.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from ferdata.running.file_kind import HEAD
from ferdata.running.plain_file import open_plain
from ferdata.running.text_file import WINDOWS, encoding_of

LARGEST_TOML = 1 << 20  # bytes; people write these by hand
LARGEST_JSON = 256 << 20
LARGEST_LINE = 1 << 20  # bytes of one document of a file that has one on each line
DEEPEST = 256  # levels; a manifest that was made of another takes four, and no other file of ours as many as ten
MOST_BITS = 64  # of a whole number, with or without a sign: what columns, arrays and other programs hold
DEEPEST_KEY = 32
# A key of many parts, `a.b.c`, bare ones alone: tomllib takes a time for it that grows with the square of their number.
_LONG_KEY = re.compile(rf"(?:(?<![\w-])[\w-]++[ \t]*+\.[ \t]*+){{{DEEPEST_KEY}}}")
# Texts and comments, in which dots are no more than dots.
_TEXTS = re.compile(
    r"""
    \"{3} (?: [^"\\]++ | \\. | "(?!"") )*+ \"{3}
    | '{3} (?: [^']++ | '(?!'') )*+ '{3}
    | " (?: [^"\\\n]++ | \\. )*+ "
    | ' [^'\n]*+ '
    | [#] [^\n]*+
    """,
    re.VERBOSE | re.DOTALL,
)


def read_toml(path: Path, most: int = LARGEST_TOML) -> dict[str, Any]:
    """Return what a TOML file holds. Raises OSError, and ValueError, which says what is wrong with it."""
    return parse_toml(_bytes(path, most), most)


def read_json(path: Path, most: int = LARGEST_JSON) -> Any:
    """Return what a JSON file holds. Raises OSError, and ValueError, which says what is wrong with it."""
    return parse_json(_bytes(path, most), most)


def parse_toml(data: bytes, most: int = LARGEST_TOML) -> dict[str, Any]:
    """Return what a TOML file of these bytes holds. Raises ValueError, which says what is wrong with it."""
    _check_size(data, most)
    try:
        text = data.decode(encoding_of(data[:HEAD]), WINDOWS)
        if _LONG_KEY.search(_TEXTS.sub("x", text)):
            raise ValueError(f"it has a key of more than {DEEPEST_KEY} parts")
        found = tomllib.loads(text)
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8, UTF-16 or Windows-1252") from None
    except UnicodeError as error:
        raise ValueError(f"it is {error}") from None
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    except ValueError as error:
        raise _in_words(error) from None
    check_plain(found)
    return found


def parse_json(data: bytes | str, most: int = LARGEST_JSON) -> Any:
    """Return what a JSON document holds. Raises ValueError, which says what is wrong with it."""
    _check_size(data, most)
    try:
        found = json.loads(data)
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise _in_words(error) from None
    check_plain(found)
    return found


def check_plain(document: Any) -> None:
    """Raise ValueError for a document that is deep, or holds what cannot be written again or stored.

    Looked through level by level, since deep ones exhaust what goes down into them.
    """
    level = [document]
    for _ in range(DEEPEST):
        if any(type(value) is int and value.bit_length() > MOST_BITS for value in level):
            raise ValueError(f"it has a whole number of more than {MOST_BITS} bits")
        try:
            "".join([value for value in level if isinstance(value, str)]).encode()
        except UnicodeEncodeError:
            raise ValueError("it has half a character, which cannot be written again") from None
        inner = [each for value in level if isinstance(value, dict) for each in (*value, *value.values())]
        level = inner + [each for value in level if isinstance(value, list) for each in value]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _bytes(path: Path, most: int) -> bytes:
    """Return the bytes of a file, and no more of a large one than show that it is."""
    with open_plain(path) as file:
        return file.read(most + 1)


def _check_size(data: bytes | str, most: int) -> None:
    if len(data) > most:
        raise ValueError(f"it is larger than {most:,} bytes")


def _in_words(error: ValueError) -> ValueError:
    """Return the error of a parser; Python's own, of numbers with thousands of digits, is about Python."""
    words = str(error)
    return ValueError("it has a number of thousands of digits" if "integer string conversion" in words else words)
