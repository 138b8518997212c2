"""Augmentation as data: named tables of ranges (`policies.toml`), which both engines draw from."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

from ferdata.errors import BadOption, choose_one

Range = tuple[float, float]
WHOLE: Range = (1.0, 1.0)  # a factor, or a share, that changes nothing
OWN = "own"  # the policy that changes nothing but what options say
# What a range may hold; beyond it nothing is left of a face, or nothing can be drawn.
LIMITS: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (
    (("rotation",), lambda v: 0 <= v <= 180, "0 to 180 degrees"),
    (("shear",), lambda v: 0 <= v < 90, "at least 0 and below 90 degrees"),
    (("shift",), lambda v: 0 <= v < 1, "a share of the side, at least 0 and below 1"),
    (
        ("flip", "erase", "rotation_chance", "shift_chance", "tone_chance"),
        lambda v: 0 <= v <= 1,
        "a chance, from 0 to 1",
    ),
    (("crop", "erase_area"), lambda v: 0 < v <= 1, "shares of the area, above 0 and at most 1"),
    (("scale", "crop_aspect", "erase_aspect"), lambda v: 0.1 <= v <= 10, "factors from 0.1 to 10"),
    (("brightness", "contrast"), lambda v: 0 <= v <= 10, "factors from 0 to 10"),
)


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

    Raises BadOption for a range that cannot be drawn from, or leaves nothing of a face.
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

    def __post_init__(self) -> None:
        """Raise BadOption for a range that cannot work."""
        for names, fits, words in LIMITS:
            for name in names:
                self._check(name, fits, words)
        if self.crop[0] * max(self.crop_aspect[0], 1 / self.crop_aspect[1]) > 1:
            raise BadOption(
                f"No crop of {_share(self.crop)} of the area is {_span(self.crop_aspect)} times as wide as high.",
                "Lower crop, or give a crop_aspect nearer to 1.",
            )
        most = min(self.erase_aspect[0], 1 / self.erase_aspect[1], 1.0)
        if self.erase_area[0] > most:
            raise BadOption(
                f"erase_area begins at {self.erase_area[0]:g}, and a rectangle {_span(self.erase_aspect)} times as "
                "wide as high does not fit.",
                f"At that erase_aspect it can be at most {most:.2f}.",
            )

    def _check(self, name: str, fits: Callable[[float], bool], words: str) -> None:
        value = getattr(self, name)
        pair = isinstance(value, tuple)
        if pair and len(value) != 2:
            raise BadOption(f"{name} is {_plain(value)}.", "Give two numbers, the lowest and the highest: 0.8,1.2")
        if not all(map(fits, value if pair else (value,))):
            raise BadOption(f"{name} is {_plain(value)}.", f"It must be {words}.")
        if pair and value[0] > value[1]:
            raise BadOption(f"{name} is {_plain(value)}: from high to low.", f"Give {_plain(value[::-1])}.")

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


RANGES = tuple(f.name for f in fields(Policy))


def _read() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("zoo.augment").joinpath("policies.toml").read_text(encoding="utf-8"))


def _policy(table: Mapping[str, Any]) -> Policy:
    given: dict[str, Any] = {
        name: tuple(map(float, value)) if isinstance(value, list) else float(value)
        for name, value in table.items()
        if name not in ("about", "source")
    }
    if strangers := sorted(set(given) - set(RANGES)):
        raise ValueError(f"policies.toml knows no range {', '.join(strangers)}; a policy has {', '.join(RANGES)}")
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


def _plain(value: float | tuple[float, ...]) -> str:
    """Return numbers as they are written behind `--set KEY=`."""
    return ",".join(f"{v:g}" for v in (value if isinstance(value, tuple) else (value,)))


def _span(value: Range, sign: str = "") -> str:
    low, high = value
    return f"{sign}{low:g}" if low == high else f"{sign}{low:g} to {sign}{high:g}"


def _share(value: Range) -> str:
    low, high = (f"{100 * v:.0f}" for v in value)
    return f"{low}%" if low == high else f"{low} to {high}%"


def _often(chance: float) -> str:
    return "" if chance == 1 else f", {chance:.0%} of the time"
