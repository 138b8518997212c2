"""The two nets that people use today, where their files are at hand: read as their cards say, by their own accuracy."""

import pytest

from ferdata.errors import FerdataWarning
from tests.conftest import real_data
from zoo.deploy.adopt import adopt
from zoo.models.foreign import card


@pytest.mark.parametrize("name", ["face-api", "mini-xception"])
def test_its_card_says_all_there_is_to_say_and_nothing_is_noted_but_its_words(name, tmp_path):
    file = real_data() / "peers" / card.shipped()[name].file
    if not file.is_file():
        pytest.skip(f"{file.name} is not beside the real data")
    done = adopt(file, tmp_path / "run", card=name)
    for setting in ("name", "file", "classes", "size", "channels", "layout", "output", "crop", "source", "terms"):
        assert getattr(done.card, setting) == getattr(card.shipped()[name], setting), setting
    assert card.range_of(done.card) == card.range_of(card.shipped()[name])
    assert [note.partition(":")[0] for note in done.notes] == ["Classes read"]
    with pytest.warns(FerdataWarning, match=f"--card {name}"):
        detected = adopt(file, tmp_path / "asked", classes=done.card.classes, mean=done.card.mean, std=done.card.std)
    assert (detected.card.output, detected.card.layout) == ("probabilities", "NCHW")
