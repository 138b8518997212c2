import subprocess
import sys
from pathlib import Path

import pytest
import timm

import zoo.models.architectures  # noqa: F401  # registers ours
from zoo.models.catalogue import FOLDER, cards, own


def test_every_net_beside_a_card_has_one_and_every_card_a_net():
    here = {
        name
        for name in timm.list_models()
        if timm.model_entrypoint(name).__module__.startswith("zoo.models.architectures.")
    }
    assert here == set(own())
    assert {path.stem for path in FOLDER.glob("*.toml")} - {"timm"} == {
        Path(sys.modules[timm.model_entrypoint(name).__module__].__file__ or "").stem for name in own()
    }


@pytest.mark.parametrize("name", list(cards()))
def test_a_card_says_what_it_must(name):
    card = cards()[name]
    assert timm.is_model(name)
    assert card.title
    assert card.source
    assert card.licence
    assert card.weights
    assert card.library in ("ferdata", "torchvision", "timm")
    assert all(0 < figure.accuracy <= 100 and figure.data and figure.protocol for figure in card.published)
    if card.library != "timm":
        assert card.size
        assert card.counted
        assert card.lr > 0
        assert card.optimizer in ("sgd", "momentum", "adam", "adamw", "muon")
    known = timm.models.get_pretrained_cfg(name)
    assert known.has_weights != card.weights.startswith("none")


def test_a_figure_that_was_chosen_on_test_says_so():
    for card in cards().values():
        for figure in card.published:
            if figure.data == "FER2013 PrivateTest":
                assert (
                    "PrivateTest itself" in figure.protocol
                    or "PublicTest" in figure.protocol
                    or "reports" in figure.protocol
                )


def test_the_cards_are_read_without_torch():
    code = "import sys; from zoo.models.catalogue import cards; cards(); print({'torch', 'timm'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
