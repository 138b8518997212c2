"""Words of other people's as cells of a CSV file, of which a spreadsheet makes no formula, and the way back.

A cell that begins with =, +, -, @ or a control character is worked out when the file is opened: a file's name could
start programs. An apostrophe before it makes a spreadsheet leave it; one more is put before those that begin so.
"""

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

FORMULA = r"('*[=+\-@\t\r\n])"  # at the beginning
_FORMULA, _MARKED = re.compile(FORMULA), re.compile(f"'{FORMULA}")
T = TypeVar("T")


def as_cell(value: T) -> T | str:
    """Return what stands for `value` in a cell; what is no text is itself."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def from_cell(text: str) -> str:
    """Return the text that a cell of `as_cell`'s stands for."""
    return text[1:] if _MARKED.match(text) else text


def as_cells(texts: "pa.Array | pa.ChunkedArray") -> "pa.Array | pa.ChunkedArray":
    """Return `as_cell` of each text of a column."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(texts, f"\\A{FORMULA}", r"'\1")


def from_cells(texts: "pa.Array | pa.ChunkedArray") -> "pa.Array | pa.ChunkedArray":
    """Return `from_cell` of each text of a column."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(texts, f"\\A'{FORMULA}", r"\1")
