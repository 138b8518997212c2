"""What an adapter declares."""

import pytest

from ferdata.errors import BadOption
from ferdata.sources.declaration import Layout, Licence, Option, Source, metadata


def source(*layouts: Layout) -> Source:
    return Source("made", "", "", Licence("", ""), "", "", (), "", "", layouts, (Option("one", "", "a", ("a", "b")),))


def test_an_option_has_its_default_and_refuses_what_is_no_choice():
    made = source()
    assert made.option({}, "one") == made.option({"one": None}, "one") == "a"
    with pytest.raises(BadOption, match="--one cannot be 'c'"):
        made.option({"one": "c"}, "one")


def test_what_a_manifest_keeps_of_a_source_is_enough_to_cite_it_and_to_read_its_labels():
    kept = metadata(source(), Layout("one", (), {"happy": "happiness"}))
    assert kept["licence"] == ""
    assert kept["redistribution"] is kept["commercial"] is False
    assert (kept["release"], kept["labels"]) == ("one", {"happy": "happiness"})
