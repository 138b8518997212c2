"""A card: in ten lines of TOML, how a model that others trained is to be fed and read. Some are shipped (`cards/`)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, choose_one, did_you_mean, paths_like
from ferdata.images.alignment import TEMPLATES
from ferdata.running.documents import parse_toml, read_toml

LAYOUTS = ("NCHW", "NHWC")
ORDERS = ("RGB", "BGR")
OUTPUTS = ("probabilities", "logits")
CROPS = ("published", *TEMPLATES)
WORDS = {"layout": LAYOUTS, "order": ORDERS, "output": OUTPUTS, "crop": CROPS}
SIZES = (8, 4096)  # pixels
MARGINS = (-0.25, 2.0)  # of a face's side, as `predict` takes them
FORM = (
    "A card has lines like classes = ['neutral', 'happiness', ...], size = 112, channels = 3, pixels = [0, 255] "
    "(or mean and std of pixels in 0..1), layout = 'NCHW', output = 'probabilities': docs/adopting.md."
)


@dataclass(frozen=True)
class Card:
    """What is said of a model's input and output; None where nothing is.

    `classes` are the model's own words, in the order of its outputs. It takes `size` x `size` pixels of `channels` (1
    or 3), of which `mean` is subtracted and by `std` divided, per channel, after they were brought to 0..1; in a file
    `pixels = [low, high]` stands for both, what 0 and 255 become. `order` is that of three channels, `layout` that of
    the axes; `output` what comes out. `crop` is `published` for face crops as a dataset has them, or the template that
    faces are cut by (`ferdata.images.alignment`), with a `margin`, to `cut` pixels, `size` unless said. `file` is the
    name that the publisher gave, `source` where it is to be had, `terms` what may be done with it.
    """

    name: str | None = None
    file: str | None = None
    classes: tuple[str, ...] | None = None
    size: int | None = None
    channels: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    order: str | None = None
    layout: str | None = None
    output: str | None = None
    crop: str | None = None
    margin: float | None = None
    cut: int | None = None
    source: str | None = None
    terms: str | None = None

    def over(self, other: "Card") -> "Card":
        """Return what this card says, and where it says nothing what `other` does."""
        said = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(other, **said)


def read(spec: str | Path) -> Card:
    """Return the card that `spec` names: a shipped one, or a TOML file. Raises BadOption."""
    if str(spec) in (known := shipped()):
        return known[str(spec)]
    path = Path(spec)
    if path.suffix != ".toml":
        raise BadOption(f"There is no card {spec}.", choose_one(spec, known)[:-1] + ", or name a .toml file.")
    try:
        return of(read_toml(path), str(path))
    except OSError as error:
        raise BadOption(
            f"Cannot read the card {path}: {error.strerror}.", f"{paths_like(path)}Check the path."
        ) from None
    except ValueError as error:
        raise BadOption(f"{path} is no card: {error}.", FORM) from None


def shipped() -> dict[str, Card]:
    """Return the cards that come with the project, by name."""
    there = sorted(files("zoo.models.foreign").joinpath("cards").iterdir(), key=lambda found: found.name)
    return {
        found.name[: -len(".toml")]: of(parse_toml(found.read_bytes()), found.name)
        for found in there
        if found.name.endswith(".toml")
    }


def of(data: Mapping[str, Any], where: str) -> Card:
    """Return the card of these settings, checked. `where` names them in errors. Raises BadOption."""
    given = dict(data)
    known = [field.name for field in fields(Card)]
    for name in given:
        if name not in (*known, "pixels"):
            hint = did_you_mean(name, (*known, "pixels")) + FORM
            raise BadOption(f"{where}: a card has no {name}.", hint)
    if (ends := given.pop("pixels", None)) is not None:
        if "mean" in given or "std" in given:
            raise BadOption(f"{where} has pixels, and mean or std beside it.", "Keep one of the two.")
        given |= of_range(_numbers(ends, "pixels", where), where)
    card = Card(**{name: _checked(name, value, where) for name, value in given.items()})
    if (card.mean is None) != (card.std is None):
        raise BadOption(f"{where} has one of mean and std.", "Give both, or pixels = [low, high] in their place.")
    return card


def of_range(ends: tuple[float, ...], where: str) -> dict[str, tuple[float, ...]]:
    """Return the `mean` and `std` that turn 0..255 into low..high. Raises BadOption."""
    if len(ends) != 2 or ends[0] == ends[1]:
        raise BadOption(f"{where}: pixels is {list(ends)}.", "Give two numbers, what 0 and 255 become: 0, 1 or -1, 1.")
    low, high = ends
    return {"mean": (low / (low - high) + 0.0,), "std": (1 / (high - low),)}


def range_of(card: Card) -> tuple[float, float] | None:
    """Return what 0 and 255 become, where that is the same in all channels and in whole numbers; None otherwise."""
    if card.mean is None or card.std is None or len({*card.mean}) != 1 or len({*card.std}) != 1:
        return None
    low, high = -card.mean[0] / card.std[0], (1 - card.mean[0]) / card.std[0]
    whole = all(isclose(end, round(end), abs_tol=1e-6) for end in (low, high))
    return (float(round(low)), float(round(high))) if whole else None


def as_toml(card: Card) -> str:
    """Return a card as the text of a TOML file, a line for each thing that it says."""
    said = {name: value for name, value in asdict(card).items() if value is not None}
    if ends := range_of(card):
        said = {("pixels" if n == "mean" else n): (ends if n == "mean" else v) for n, v in said.items() if n != "std"}
    lines = (f"{name} = {_as_toml(value)}\n" for name, value in said.items())
    return "".join(lines)


def _as_toml(value: Any) -> str:
    """Return a value as TOML writes it; JSON's strings are TOML's too."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_as_toml, value))}]"
    if isinstance(value, float):
        return f"{value:g}" if value == float(f"{value:g}") else repr(value)
    return json.dumps(value, ensure_ascii=False)


def _checked(name: str, value: Any, where: str) -> Any:
    """Return a setting in its own type. Raises BadOption for one of another, or of no use."""
    if name in WORDS:
        if value not in WORDS[name]:
            raise BadOption(f"{where}: {name} cannot be {value!r}.", choose_one(value, WORDS[name]))
        return value
    if name in ("mean", "std"):
        numbers = _numbers(value, name, where)
        if len(numbers) not in (1, 3) or (name == "std" and 0 in numbers):
            raise BadOption(
                f"{where}: {name} is {list(numbers)}.", "Give one number, or one for each of three channels."
            )
        return numbers
    if name == "margin":
        return _margin(_numbers([value], name, where)[0], where)
    if name in ("size", "channels", "cut"):
        return _whole(name, value, where)
    if name == "classes":
        return _classes(value, where)
    if not isinstance(value, str) or not value.strip():
        raise BadOption(f"{where}: {name} is {value!r}.", f"Give words: {name} = '...'")
    return value


def _margin(value: float, where: str) -> float:
    low, high = MARGINS
    if not low <= value <= high:
        raise BadOption(f"{where}: margin is {value:g}.", f"Give a share of the face's side, {low:g} to {high:g}.")
    return value


def _whole(name: str, value: Any, where: str) -> int:
    low, high = (1, 3) if name == "channels" else SIZES
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or not low <= value <= high
        or (name, value) == ("channels", 2)
    ):
        allowed = "1 or 3" if name == "channels" else f"a number of pixels from {low} to {high}"
        raise BadOption(f"{where}: {name} is {value!r}.", f"Give {allowed}.")
    return value


def _classes(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) and word.strip() for word in value):
        raise BadOption(f"{where}: classes are {value!r}.", "Give a list of words, in the order of the outputs.")
    words = tuple(word.strip() for word in value)
    if len(words) < 2 or len({*words}) < len(words):
        raise BadOption(
            f"{where}: classes are {', '.join(words)}.", "Give each output its own word, two or more of them."
        )
    return words


def _numbers(value: Any, name: str, where: str) -> tuple[float, ...]:
    several = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and isfinite(v) for v in several) or not several:
        raise BadOption(f"{where}: {name} is {value!r}.", "Give numbers.")
    return tuple(map(float, several))
