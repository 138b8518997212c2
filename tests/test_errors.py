"""Errors: a list in a message says what it leaves out."""

from ferdata.errors import listed


def test_a_list_that_is_cut_says_how_many_are_left_out():
    assert listed([]) == ""
    assert listed("ab", 2) == "a, b"
    assert listed(range(1, 8), 6) == "1, 2, 3, 4, 5, 6 and 1 more"
    assert listed(range(2000), 1) == "0 and 1,999 more"
