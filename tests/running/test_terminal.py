"""What other people wrote, as it may stand on a terminal."""

import json

import pytest

from ferdata.running.terminal import printable, printable_json, printable_lines

TITLE, CLEAR, ONE_CHARACTER = "\x1b]0;owned\x07", "\x1b[2J", "\x9b31m"
TURNED = "\u202egnp.exe"  # shown from right to left
CODES = (TITLE, CLEAR, ONE_CHARACTER, TURNED, "\x7f", "\r", "\ud800", "\U000e0041")


@pytest.mark.parametrize("code", CODES, ids=ascii)
def test_what_a_terminal_obeys_is_spelt_out(code: str) -> None:
    assert all(c.isprintable() for c in printable(f"a{code}b"))
    assert all(c.isprintable() or c == "\n" for c in printable_lines(f"a\n{code}b"))
    assert printable_lines(f"a\n{code}b").count("\n") == 1


def test_words_of_any_script_and_blanks_of_any_width_stay_as_they_are() -> None:
    words = "Zażółć gęślą jaźń, 中性, 12\xa0345, \u3000, 🙂, \U0010fffd, क्\u200dष"
    assert printable(words) == words


@pytest.mark.parametrize("code", CODES, ids=ascii)
def test_a_json_document_means_the_same_and_holds_no_code(code: str) -> None:
    value = {f"key {code}": [f"text {code}", "中性"]}
    document = printable_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert all(c.isprintable() or c == "\n" for c in document)
    assert "中性" in document
    assert json.loads(document) == value
