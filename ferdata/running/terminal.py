"""Words that come from files, made fit to be shown: in them may stand codes that a terminal obeys.

Names, labels and metadata are other people's. Codes colour, clear or retitle a terminal, or turn the order of the
letters round, so that it shows what is not there.
"""

import json
import re
import unicodedata

_LOOKED_AT = re.compile(r"[^ -~]")  # all but plain ASCII
# Unicode's kinds of characters that do something: controls, marks of direction, halves of characters, ends of lines.
_DOING = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # which some scripts' words need


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in _DOING or character in _JOINERS


def printable(text: str) -> str:
    """Return `text` with what a terminal would obey (escapes, line ends, marks of direction) spelt out: `\\x1b`."""
    return _LOOKED_AT.sub(
        lambda found: found[0] if _is_shown(found[0]) else found[0].encode("unicode_escape").decode(), text
    )


def printable_lines(text: str) -> str:
    """Return `text` with its line ends as they are, and everything else that a terminal would obey spelt out."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(document: str) -> str:
    """Return JSON whose texts hold nothing that a terminal would obey, and which means the same to a program."""
    return _LOOKED_AT.sub(
        lambda found: found[0] if found[0] == "\n" or _is_shown(found[0]) else json.dumps(found[0])[1:-1], document
    )
