"""A card says how a model is fed and read; what it cannot mean is refused, and what it means survives being written."""

import pytest

from ferdata.errors import BadOption
from ferdata.labels import spelled
from zoo.models.foreign import card
from zoo.models.foreign.card import Card

WHOLE = {
    "name": "Theirs", "classes": ["angry", "happy"], "size": 64, "channels": 3, "pixels": [-1, 1], "order": "BGR",
    "layout": "NHWC", "output": "logits", "crop": "box", "margin": 0.2, "cut": 96, "source": "there", "terms": "MIT",
}  # fmt: skip


def written(tmp_path, text):
    path = tmp_path / "theirs.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_survives_being_written_and_read(tmp_path):
    known = card.of(WHOLE, "here")
    assert card.read(written(tmp_path, card.as_toml(known))) == known
    stats = card.of({"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}, "here")
    assert card.read(written(tmp_path, card.as_toml(stats))) == stats


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255), (1, 0)])
def test_pixels_are_what_0_and_255_become(low, high):
    known = card.of({"pixels": [low, high]}, "here")
    assert card.range_of(known) == (low, high)
    (mean,), (std,) = known.mean, known.std
    assert (0 - mean) / std == pytest.approx(low)
    assert (1 - mean) / std == pytest.approx(high)


def test_of_two_cards_the_first_is_heard_and_where_it_is_silent_the_second():
    assert Card(size=48).over(Card(size=64, channels=1)) == Card(size=48, channels=1)


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"clases": ["a", "b"]}, "a card has no clases", "Did you mean classes"),
        ({"layout": "NHCW"}, "layout cannot be 'NHCW'", "NHWC"),
        ({"output": "softmax"}, "output cannot be 'softmax'", "probabilities, logits"),
        ({"order": 1}, "order cannot be 1", "RGB, BGR"),
        ({"layout": ["NCHW"]}, "layout cannot be", "NCHW"),
        ({"crop": "mtcnn"}, "crop cannot be 'mtcnn'", "published"),
        ({"classes": "angry, happy"}, "classes are 'angry, happy'", "a list of words"),
        ({"classes": ["angry"]}, "classes are angry", "two or more"),
        ({"classes": ["angry", "happy", "angry"]}, "classes are angry, happy, angry", "its own word"),
        ({"classes": ["angry", 3]}, "classes are", "a list of words"),
        ({"size": "48"}, "size is '48'", "a number of pixels from 8 to 4096"),
        ({"size": 4}, "size is 4", "a number of pixels"),
        ({"size": True}, "size is True", "a number of pixels"),
        ({"channels": 2}, "channels is 2", "1 or 3"),
        ({"pixels": [0]}, r"pixels is \[0\.0\]", "0, 1 or -1, 1"),
        ({"pixels": [1, 1]}, "pixels is", "0, 1 or -1, 1"),
        ({"pixels": [0, "x"]}, "pixels is", "Give numbers"),
        ({"pixels": [0, float("nan")]}, "pixels is", "Give numbers"),
        ({"pixels": [0, 1], "mean": [0.5]}, "pixels, and mean or std", "Keep one"),
        ({"mean": [0.5]}, "one of mean and std", "Give both"),
        ({"mean": [0.5, 0.5], "std": [1]}, "mean is", "one for each of three channels"),
        ({"mean": [0.5], "std": [0]}, "std is", "one for each of three channels"),
        ({"margin": "wide"}, "margin is", "Give numbers"),
        ({"margin": 7}, "margin is 7", "-0.25 to 2"),
        ({"name": ""}, "name is ''", "name ="),
        ({"terms": 3}, "terms is 3", "terms ="),
    ],
)
def test_what_a_card_cannot_mean_is_refused(given, message, hint):
    with pytest.raises(BadOption, match=message) as refused:
        card.of(given, "theirs.toml")
    assert hint in refused.value.hint
    assert "theirs.toml" in refused.value.message


def test_a_card_that_is_not_there_or_no_toml_is_named_with_the_close_ones(tmp_path):
    with pytest.raises(BadOption, match="There is no card face_api") as refused:
        card.read("face_api")
    assert "Did you mean face-api?" in refused.value.hint
    with pytest.raises(BadOption, match=r"Cannot read the card .*theirs\.toml"):
        card.read(tmp_path / "theirs.toml")
    for text in ("size = ", "[[[", "size: 48"):
        with pytest.raises(BadOption, match="is no card"):
            card.read(written(tmp_path, text))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(BadOption, match="Cannot read the card"):
        card.read(tmp_path / "folder.toml")


@pytest.mark.parametrize("name", card.shipped())
def test_every_shipped_card_is_whole_names_its_source_and_words_that_are_known(name):
    known = card.shipped()[name]
    for setting in ("name", "classes", "size", "channels", "mean", "std", "layout", "output", "source", "terms"):
        assert getattr(known, setting) is not None, setting
    assert None not in [spelled(word) for word in known.classes]
    assert len({spelled(word) for word in known.classes}) == len(known.classes)
    assert "github.com/" in known.source or "npm " in known.source
    assert (known.channels == 3) == (known.order is not None)


def test_a_shipped_card_has_twelve_lines_at_most():
    from importlib.resources import files

    cards = [f for f in files("zoo.models.foreign").joinpath("cards").iterdir() if f.name.endswith(".toml")]
    assert len(cards) == len(card.shipped()) >= 8
    assert [f.name for f in cards if len(f.read_text(encoding="utf-8").splitlines()) > 13] == []


def test_the_pages_table_is_that_of_the_cards():
    import runpy

    from tests.conftest import REPOSITORY

    made = runpy.run_path(str(REPOSITORY / "docs" / "make_cards.py"))["page"]()
    assert (REPOSITORY / "docs" / "adopting.md").read_text(encoding="utf-8") == made, "python docs/make_cards.py"
