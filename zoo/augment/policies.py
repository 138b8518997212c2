"""Augmentation as data: named tables of ranges (`policies.toml`), which both engines draw from."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

from ferdata.errors import BadOption, choose_one

Range = tuple[float, float]
WHOLE: Range = (1.0, 1.0)  # a factor, or a share, that changes nothing


@dataclass(frozen=True)
class Policy:
    """Ranges that are drawn from evenly, for each image on its own; in the order in which they are applied.

    `scale` (a factor, each axis on its own), `rotation` (degrees either way) and `shear` (degrees either way, of the
    upright axis) happen together in `rotation_chance` of the images, about the middle; then `shift` (a share of the
    side either way, each axis on its own) in `shift_chance` of them; what comes in from outside is the mirror image.
    `crop` is the share of the area that is kept and enlarged back to the whole, `crop_aspect` the crop's width over
    its height, drawn evenly on a log scale (torchvision's RandomResizedCrop). `flip` is the chance of the mirror image.
    `brightness` multiplies the pixels, `contrast` their distance from the picture's mean, in `tone_chance` of the
    images. `erase` is the chance that a rectangle of `erase_area` of the area and `erase_aspect` of width over height
    becomes the mean colour (Zhong et al. 2017, arXiv 1708.04896).
    """

    scale: Range = WHOLE
    rotation: float = 0.0
    shear: float = 0.0
    rotation_chance: float = 1.0
    shift: float = 0.0
    shift_chance: float = 1.0
    crop: Range = WHOLE
    crop_aspect: Range = WHOLE
    flip: float = 0.0
    brightness: Range = WHOLE
    contrast: Range = WHOLE
    tone_chance: float = 1.0
    erase: float = 0.0
    erase_area: Range = (0.02, 0.33)
    erase_aspect: Range = (0.3, 3.3)

    @property
    def bends(self) -> bool:
        """Whether pixels move by anything but the mirror."""
        return bool(self.rotation or self.shear or self.shift) or self.scale != WHOLE or self.crops

    @property
    def crops(self) -> bool:
        """Whether only a part of the picture is kept."""
        return self.crop != WHOLE or self.crop_aspect != WHOLE

    @property
    def tones(self) -> bool:
        """Whether brightness or contrast change."""
        return self.brightness != WHOLE or self.contrast != WHOLE


def _read() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("zoo.augment").joinpath("policies.toml").read_text(encoding="utf-8"))


def _policy(table: Mapping[str, Any]) -> Policy:
    names = {f.name for f in fields(Policy)}
    given: dict[str, Any] = {
        name: tuple(map(float, value)) if isinstance(value, list) else float(value)
        for name, value in table.items()
        if name not in ("about", "source")
    }
    if strangers := sorted(set(given) - names):
        raise ValueError(f"policies.toml knows no range {', '.join(strangers)}; a policy has {', '.join(names)}")
    return Policy(**given)


_TABLES = _read()
POLICIES: Mapping[str, Policy] = {name: _policy(table) for name, table in _TABLES.items()}
ABOUT: Mapping[str, tuple[str, str]] = {
    name: (table["about"], table.get("source", "")) for name, table in _TABLES.items()
}


def policy(name: str) -> Policy:
    """Return the policy `name`. Raises BadOption."""
    if name not in POLICIES:
        raise BadOption(f"There is no augmentation policy {name!r}.", choose_one(name, POLICIES))
    return POLICIES[name]


def in_words(chosen: Policy) -> list[tuple[str, str]]:
    """Return what a policy does, as (name, range) in the order of work; nothing that it leaves alone."""
    turn, tone, moved = (_often(c) for c in (chosen.rotation_chance, chosen.tone_chance, chosen.shift_chance))
    hole = f"{_share(chosen.erase_area)} of the area, width / height {_span(chosen.erase_aspect)}"
    words = [
        ("scale", f"{_span(chosen.scale, '×')}, each axis separately{turn}", chosen.scale != WHOLE),
        ("rotation", f"±{chosen.rotation:g}°{turn}", bool(chosen.rotation)),
        ("shear", f"±{chosen.shear:g}°{turn}", bool(chosen.shear)),
        ("shift", f"±{chosen.shift:.0%} of the side, each axis separately{moved}", bool(chosen.shift)),
        ("crop", f"{_share(chosen.crop)} of the area kept, width / height {_span(chosen.crop_aspect)}", chosen.crops),
        ("flip", f"{chosen.flip:.0%} of the time", bool(chosen.flip)),
        ("brightness", f"{_span(chosen.brightness, '×')}{tone}", chosen.brightness != WHOLE),
        ("contrast", f"{_span(chosen.contrast, '×')}{tone}", chosen.contrast != WHOLE),
        ("erase", f"{hole}{_often(chosen.erase)}", bool(chosen.erase)),
    ]
    return [(name, text) for name, text, happens in words if happens]


def _span(value: Range, sign: str = "") -> str:
    low, high = value
    return f"{sign}{low:g}" if low == high else f"{sign}{low:g} to {sign}{high:g}"


def _share(value: Range) -> str:
    low, high = (f"{100 * v:.0f}" for v in value)
    return f"{low}%" if low == high else f"{low} to {high}%"


def _often(chance: float) -> str:
    return "" if chance == 1 else f", {chance:.0%} of the time"
