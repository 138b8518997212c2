"""What is known of each backbone, in words and figures: the cards that lie beside the nets, read without torch."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "architectures"


@dataclass(frozen=True)
class Published:
    """A figure that someone reports: `accuracy` in per cent, and what must be known of how it came about."""

    data: str
    accuracy: float
    protocol: str


@dataclass(frozen=True)
class Counted:
    """A number of parameters, and the input and classes that it was counted with."""

    parameters: int
    size: int
    channels: int
    classes: int


@dataclass(frozen=True)
class Card:
    """A backbone's card. `size` is its own input side in pixels; `lr` suits `optimizer` at a batch of 128.

    `library` is where its layers come from: ferdata, torchvision or timm. A card of timm's has no `size`, rate and
    count of its own: timm knows them.
    """

    name: str
    title: str
    source: str
    licence: str
    weights: str
    library: str = "ferdata"
    size: int | None = None
    optimizer: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    counted: Counted | None = None
    published: tuple[Published, ...] = ()
    caveat: str = ""


@functools.cache
def cards() -> dict[str, Card]:
    """Return every card, by name: ours, torchvision's, and those of timm's that were tried on faces."""
    found: dict[str, Card] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for name, fields in tomllib.loads(path.read_text(encoding="utf-8")).items():
            found[name] = _card(name, fields)
    return found


def _card(name: str, fields: dict[str, Any]) -> Card:
    published = tuple(Published(**figure) for figure in fields.pop("published", ()))
    counted = Counted(**fields.pop("counted")) if "counted" in fields else None
    return Card(name=name, counted=counted, published=published, **fields)


def own() -> dict[str, Card]:
    """Return the cards of the nets that this package registers with timm: ours and torchvision's."""
    return {name: card for name, card in cards().items() if card.library != "timm"}
