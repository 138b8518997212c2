"""Names in charts: in a font that has their letters, and as numbers, with a key in text, where no installed one has."""

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache

# They have a glyph for every character, and each is the same box.
NO_LETTERS = ("last resort", "lastresort", "notdef")


@contextmanager
def lettering(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield what to draw for each name; inside, matplotlib's texts are set in fonts that have the letters of all.

    That is the name itself, or its number in the sequence, which `key` explains.
    """
    import matplotlib

    log = logging.getLogger("matplotlib.font_manager")
    level, families = log.level, [*matplotlib.rcParams["font.family"], *_families(_letters(names))]
    log.setLevel(logging.ERROR)  # that a font has no bold face of its own is no news for the user
    try:
        with matplotlib.rc_context({"font.family": families}):
            yield _drawn(names)
    finally:
        log.setLevel(level)


def key(names: Sequence[str]) -> str:
    """Return the sentence that says which numbers charts have in place of these names; "" where they have none."""
    numbered = [f"{drawn} {name}" for name, drawn in _drawn(names).items() if drawn == _number(names, name)]
    if not numbered:
        return ""
    return f"In the charts: {', '.join(numbered)}. No font that is installed here has their letters."


def _drawn(names: Sequence[str]) -> dict[str, str]:
    """Return what is drawn for each name; a dollar sign is no mathematics."""
    lost = _lost(_letters(names))
    return {
        name: _number(names, name) if lost & _letters([name]) else composed(name).replace("$", r"\$")
        for name in dict.fromkeys(names)
    }


def _number(names: Sequence[str], name: str) -> str:
    return f"({list(names).index(name) + 1})"


def composed(name: str) -> str:
    """Return a name with its accents in one character with the letters that they stand on, as fonts have them."""
    return unicodedata.normalize("NFC", name)


def _letters(names: Iterable[str]) -> frozenset[str]:
    return frozenset("".join(map(composed, names)))


def _families(letters: frozenset[str]) -> tuple[str, ...]:
    """Return the families to use beside the usual one."""
    return _fonts(letters)[0]


def _lost(letters: frozenset[str]) -> frozenset[str]:
    """Return the letters that no font has, or that this matplotlib cannot join to words."""
    return _fonts(letters)[1]


@lru_cache(maxsize=64)
def _fonts(letters: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the families that have what the usual font lacks, as few as will do, and the letters that none has."""
    if all(letter.isascii() for letter in letters):
        return (), frozenset()
    from matplotlib import ft2font
    from matplotlib.font_manager import FontProperties, findfont

    joins = hasattr(ft2font, "__libraqm_version__")  # matplotlib 3.11 and later
    lost = frozenset() if joins else frozenset(filter(_is_joined, letters))
    missing = letters - lost - _has(findfont(FontProperties()), letters)[1]
    families = []
    fonts = [_has(path, missing) for path in _installed()] if missing else []
    while missing:
        family, found = max(fonts, key=lambda font: len(font[1] & missing), default=("", frozenset()))
        if not found & missing:
            break
        families.append(family)
        missing -= found
    return tuple(families), lost | missing


def _installed() -> list[str]:
    """Return the paths of all fonts, those that matplotlib has not met yet among them; plain faces first."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {font.fname for font in fontManager.ttflist}
    for path in set(findSystemFonts()) - known:
        with suppress(OSError, RuntimeError):  # one that FreeType does not read
            fontManager.addfont(path)
    fonts = sorted(fontManager.ttflist, key=lambda f: (f.style != "normal", f.weight != 400, "Sans" not in f.name))
    return list(dict.fromkeys(font.fname for font in fonts))


def _has(path: str, letters: frozenset[str]) -> tuple[str, frozenset[str]]:
    """Return the family of a font, and those of the letters that it has a glyph for."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return "", frozenset()
    if any(word in font.family_name.lower() for word in NO_LETTERS):
        return "", frozenset()
    glyphs = font.get_charmap()
    return font.family_name, frozenset(letter for letter in letters if glyphs.get(ord(letter)))


def _is_joined(letter: str) -> bool:
    """Say whether a letter is written from the right, or joined to its neighbours."""
    return unicodedata.bidirectional(letter) in ("R", "AL") or unicodedata.category(letter) in ("Mn", "Mc")
