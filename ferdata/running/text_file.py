"""Text files as people's programs save them: in which encoding.

Windows' programs write a byte-order mark, UTF-16, or their own code page where UTF-8 is meant; all of it is read.
"""

import codecs
import io
from pathlib import Path
from typing import IO

from ferdata.running.file_kind import HEAD, kind_of
from ferdata.running.plain_file import open_plain

WINDOWS = "ferdata-windows-1252"


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """Read as Windows-1252 what is no UTF-8; five bytes are no character there either, and raise."""
    if not isinstance(error, UnicodeDecodeError) or not error.encoding.startswith("utf-8"):
        raise error
    return error.object[error.start : error.end].decode("cp1252"), error.end


codecs.register_error(WINDOWS, _as_windows)


def encoding_of(head: bytes) -> str:
    """Return the encoding of a text that begins with `head`. Raises UnicodeError, which says what it is instead."""
    if kind := kind_of(head):
        raise UnicodeError(kind)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Without a mark, every other byte of text in UTF-16 is 0 where the letters are Latin ones.
    low, high = (bool(half) and 2 * half.count(0) >= len(half) for half in (head[::2], head[1::2]))
    if low and high:
        raise UnicodeError("not text")
    return "utf-16-be" if low else "utf-16-le" if high else "utf-8-sig"


def open_text(path: Path) -> IO[str]:
    """Open a text, its line ends as they are. Raises OSError, and UnicodeError where it is no text."""
    with open_plain(path) as file:
        encoding = encoding_of(file.read(HEAD))
    return io.TextIOWrapper(open_plain(path), encoding, WINDOWS, newline="")


def is_windows(path: Path) -> bool:
    """Return whether a text holds bytes that are read as Windows-1252. Raises OSError, UnicodeError."""
    with open_plain(path) as file:
        encoding = encoding_of(file.read(HEAD))
    try:
        with io.TextIOWrapper(open_plain(path), encoding) as text:
            while text.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return True
    return False
