"""Seeded mutations of a text: as editors, spreadsheets, broken downloads and strangers change one."""

import random
from collections.abc import Callable

NUMBERS = (
    *("9" * 30, "2147483648", "1e308", "1e999", "65536", "9" * 5000, "-1", "-2147483649", "nan", "inf", "-inf", "0x10"),
    *("1_0", "٣", "１", "½", "", " ", "1.5", "-0", "+3", "true", "None"),
)
NAMES = (
    *("../../etc/passwd", "/etc/passwd", "..", ".", "a/../../x.png", "C:\\x.png", "..\\..\\x.png", "x\0y.png"),
    *("\x1b[31mred.png", "=cmd|' /C calc'!A0.png", "<script>alert(1)</script>.png", "a\u202egnp.exe"),
    *("x" * 300 + ".png", "\ufffd.png"),
)
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "'
    + b"A" * 1000
    + b'">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + k, b"&%c;" % (97 + k) * 50) for k in range(6))
    + b'<!ENTITY x SYSTEM "file:///etc/passwd">]><Metatag Name="&x;" Value="&g;"/>'
)
Mutation = Callable[[bytes, random.Random], bytes]


def flipped(data: bytes, chance: random.Random, most: int = 8) -> bytes:
    """Flip up to `most` bits."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, most) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    """Cut the end off."""
    return data[: chance.randrange(len(data) + 1)]


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True) or [b""]


def _line_deleted(data: bytes, chance: random.Random) -> bytes:
    lines = _lines(data)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def _line_repeated(data: bytes, chance: random.Random) -> bytes:
    lines = _lines(data)
    at = chance.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


def _lines_swapped(data: bytes, chance: random.Random) -> bytes:
    lines = _lines(data)
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _inserted(data: bytes, what: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + what + data[at:]


def _long_line(data: bytes, chance: random.Random) -> bytes:
    return _inserted(data, chance.choice((b"7", b"a", b'"', b",", b" ")) * chance.choice((200_000, 3_000_000)), chance)


def _line_ending(data: bytes, chance: random.Random) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", chance.choice((b"\r\n", b"\r")))


def _marked(data: bytes, chance: random.Random) -> bytes:
    return chance.choice((b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf", b"\xff\xfe")) + data


def _line_of_no_text(data: bytes, chance: random.Random) -> bytes:
    lines = _lines(data)
    at = chance.randrange(len(lines))
    lines[at] = lines[at].rstrip(b"\r\n") + chance.choice((b"\xe9\xff", b"\xed\xa0\x80")) + b"\n"
    return b"".join(lines)


def _cells(data: bytes, chance: random.Random, change: Callable[[list[bytes], int], None]) -> bytes:
    lines = _lines(data)
    at = chance.randrange(len(lines))
    separator = next((s for s in (b",", b";", b"\t", b" ") if s in lines[at]), b" ")
    cells = lines[at].rstrip(b"\r\n").split(separator)
    change(cells, chance.randrange(len(cells)))
    lines[at] = separator.join(cells) + b"\n"
    return b"".join(lines)


def _cell_set(words: tuple[str, ...]) -> Mutation:
    def change(data: bytes, chance: random.Random) -> bytes:
        word = chance.choice(words).encode("utf-8", "replace")
        return _cells(data, chance, lambda cells, at: cells.__setitem__(at, word))

    return change


def _cell_added(data: bytes, chance: random.Random) -> bytes:
    word = chance.choice((b"", b"1", b"x", b"=1+1"))
    return _cells(data, chance, lambda cells, at: cells.insert(at, word))


def _cell_removed(data: bytes, chance: random.Random) -> bytes:
    return _cells(data, chance, lambda cells, at: cells.__delitem__(at))


MUTATIONS: dict[str, Mutation] = {
    "cut": cut,
    "bits": flipped,
    "line deleted": _line_deleted,
    "line repeated": _line_repeated,
    "lines swapped": _lines_swapped,
    "junk": lambda data, chance: _inserted(data, chance.randbytes(chance.randint(1, 300)), chance),
    "NUL": lambda data, chance: _inserted(data, b"\0" * chance.randint(1, 4), chance),
    "quote": lambda data, chance: _inserted(data, b'"', chance),
    "blank lines": lambda data, chance: _inserted(data, b"\n\n\n   \n", chance),
    "mark": _marked,
    "line ends": _line_ending,
    "long line": _long_line,
    "UTF-16": lambda data, chance: data.decode("utf-8", "replace").encode("utf-16"),
    "no text": _line_of_no_text,
    "number": _cell_set(NUMBERS),
    "another number": _cell_set(NUMBERS),
    "name": _cell_set(NAMES),
    "another name": _cell_set(NAMES),
    "cell added": _cell_added,
    "cell removed": _cell_removed,
    "empty": lambda data, chance: b"",
    "entities": lambda data, chance: LAUGHS,
    "semicolons": lambda data, chance: data.replace(b",", b";"),
    "tabs": lambda data, chance: data.replace(b",", b"\t").replace(b" ", b"\t"),
    "header twice": lambda data, chance: _lines(data)[0] + data,
}


def mutated(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return the name of a mutation, and what it makes of the text."""
    name = chance.choice(sorted(MUTATIONS))
    return name, MUTATIONS[name](data, chance)


def changed_lines(before: bytes, after: bytes) -> str:
    """Return the lines that are in one of two texts alone."""
    one, other = set(before.split(b"\n")), set(after.split(b"\n"))
    return b"\n".join(sorted(one ^ other)).decode("utf-8", "replace")
