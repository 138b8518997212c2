"""Progress: a bar where a person looks, one at a time."""

import io
import sys

import pytest

from ferdata.running import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_within_anothers_block_is_not_drawn_and_the_next_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress.bar("outer", 2) as advance, progress.bar("inner", 2) as within:
        within()
        advance()
    with progress.bar("after", 1) as advance:
        advance()
    drawn = screen.getvalue()
    assert "outer" in drawn
    assert "inner" not in drawn
    assert "after" in drawn
