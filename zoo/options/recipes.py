"""Recipes: a system's options with the reasons for them, as TOML that a person reads; and `--set KEY=VALUE`.

A recipe is data. Reading one sets options of `TrainConfig` and does nothing else, wherever the file comes from.
"""

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from ferdata.errors import BadOption, did_you_mean, paths_like
from ferdata.running.documents import parse_toml
from ferdata.running.plain_file import open_plain
from ferdata.schema import escapes
from zoo.options.options import KEYS, TrainConfig

DEFAULT = "default"
ABOUT = ("title", "source", "data", "published", "protocol", "note", "changed")
# What every run does otherwise than the code of most systems: said of each recipe that it is true of.
NO_DECAY = "one-dimensional parameters (biases, normalisation layers) have no weight decay; most code decays these too"
LARGEST = 100_000  # bytes of a file: no recipe has as many
PAGES = {"recipe": "docs/recipes.md", "policy": "docs/training.md"}
# A run's own, which another run is not given by a file.
MACHINE = ("device", "devices", "precision")
# What would be fetched or opened: said on the command line too, since a file that is sent may name anything.
PLACES: Mapping[str, str] = {"weights": "a file", "init": "a run", "backbone": "a source"}
# What is permitted is said on the command line, each time: a file that someone sends is not asked.
PERMISSIONS = ("allow_leak", "allow_scale", "trust_files")
TYPES = {key: hint for key, hint in get_type_hints(TrainConfig).items() if key in KEYS}
KINDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}
ZOOM = "zoom"  # Keras' word for a scale
NEXT = re.compile(r",\s*(?=[A-Za-z][\w-]*\s*=)")  # between the options of one --set: lists have commas too
WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Recipe:
    """A recipe: `about` has the keys of ABOUT that it gives, `options` those of TrainConfig that it sets.

    `file` is where it was read, "" for one of the package's.
    """

    name: str
    about: Mapping[str, Any]
    options: Mapping[str, Any]
    file: str = ""

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return str(self.about.get("title", self.name))

    @property
    def changed(self) -> tuple[str, ...]:
        """What is done otherwise than by the original: what the file says, then what every run does."""
        return (*self.about.get("changed", ()), *((NO_DECAY,) if self.options.get("weight_decay") else ()))

    def as_dict(self) -> dict[str, Any]:
        """Return name, words and options as plain values."""
        return {"name": self.name, **self.about, "changed": list(self.changed), "options": dict(self.options)}


def names() -> tuple[str, ...]:
    """Return the recipes that can be named, the default one first."""
    found = sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))
    return tuple(sorted(found, key=lambda name: name != DEFAULT))


def load(name: str | os.PathLike[str]) -> Recipe:
    """Return the recipe `name`, or the one in a file (`*.toml`, such as a run's config.toml) or a run's folder.

    Raises BadOption for a name that there is not, a file that cannot be read, an option that there is not, and a value
    of the wrong kind or out of range.
    """
    wanted = os.fspath(name)
    known = wanted.replace("_", "-")  # multi_target has one, and recipes have none
    if known in names():
        return _recipe(known, known, _folder().joinpath(f"{known}.toml").read_bytes())
    path = Path(wanted)
    if path.is_dir():
        path = path / "config.toml"
    if path.suffix != ".toml" and not path.is_file():
        raise BadOption(
            f"There is no recipe {wanted!r}.",
            f"{did_you_mean(wanted, names())}Choose one of {', '.join(names())}; or give a file.",
        )
    found = replace(_recipe(path.stem, str(path), _read(path, "recipe")), file=str(path))
    policy = str(found.options.get("augment") or "")
    if not policy.endswith(".toml") and "/" not in policy and "\\" not in policy:
        return found
    if escapes(policy):
        raise BadOption(
            f"{path}: augment is {policy!r}, which leads out of the recipe's folder.",
            f"Remove the line, and add --augment {policy} to the command.",
        )
    return replace(found, options={**found.options, "augment": str(path.parent / policy)})  # it lies beside the recipe


def refuse_places(recipe: Recipe, wanted: Mapping[str, Any]) -> None:
    """Raise BadOption where a run would take what a recipe's file names from a place that only the file has named."""
    for key, kind in PLACES.items():
        place = str(recipe.options.get(key) or "")
        named = bool(place) and (key != "backbone" or ":" in place)
        if recipe.file and named and wanted.get(key) == place:
            raise BadOption(
                f"{recipe.file}: {key} names {kind}, {place!r}, which a file may not.",
                f"If that is what you want, say so: add --{key} {place} to the command.",
            )


def read_toml(path: Path, kind: str) -> dict[str, Any]:
    """Return the tables and keys of a TOML file, which is to be a `kind`, one of PAGES. Raises BadOption."""
    return _parsed(str(path), _read(path, kind), kind)


def parse_set(given: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """Return options as TrainConfig has them, from `["lr=1e-3,seed=1", "head_widths=512,256"]` or a mapping.

    Of a key given twice the last holds; `none` leaves an option to the backbone, or to the augmentation policy.
    Raises BadOption for a key that there is not, with the close ones, and for a value that is none of its kind.
    """
    pairs = pairs_of(given)
    if "manifest" in pairs:
        raise BadOption("The manifest cannot be set with --set.", "Give it with --manifest.")
    refuse_zoom_and_scale(pairs, "--set")
    return dict(as_option(key, value, f"--set {key}={value}") for key, value in pairs.items())


def pairs_of(given: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """Return the keys of `parse_set`, which may be none, and their values as they stand. Raises BadOption."""
    pairs: dict[str, Any] = {}
    items = given.items() if isinstance(given, Mapping) else [part for item in given for part in NEXT.split(item)]
    for item in items:
        key, equals, value = item.partition("=") if isinstance(item, str) else (item[0], "=", item[1])
        if not equals:
            raise BadOption(f"--set {item} has no value.", "Write it as KEY=VALUE, such as --set lr=1e-3.")
        pairs[key.strip().replace("-", "_")] = value
    return pairs


def refuse_zoom_and_scale(keys: Iterable[str], where: str) -> None:
    """Raise BadOption for both words of one range: one of them would be dropped."""
    if {ZOOM, "scale"} <= {*keys}:
        raise BadOption(f"{where}: zoom and scale are one range, under Keras' name and ours.", "Keep one of them.")


def as_option(key: str, value: Any, where: str) -> tuple[str, Any]:
    """Return an option's name and its value, from TOML, Python or the command line, as TrainConfig has them.

    `zoom` is Keras' word: 0.15 is a `scale` of 0.85 to 1.15, and two numbers are the scale itself (zoom_range of
    keras.preprocessing.image.ImageDataGenerator, which draws it for each axis on its own, as `scale` is drawn).
    Raises BadOption, which begins with `where`.
    """
    if key != ZOOM:
        return key, _typed(key, value, where)
    try:
        numbers = _as(tuple[float, ...], [value] if isinstance(value, int | float) else value)
        low, high = numbers if len(numbers) == 2 else (round(1 - float(*numbers), 9), round(1 + float(*numbers), 9))
    except (ValueError, TypeError):
        raise BadOption(f"{where}: {value!r} is not a number.", "zoom is a number, such as 0.15.") from None
    return "scale", (low, high)


def _folder() -> Any:
    return resources.files("zoo").joinpath("recipes")


def _read(path: Path, kind: str) -> bytes:
    """Return the file's bytes, and no more of a large one than show that it is. Raises BadOption."""
    try:
        with open_plain(path) as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        close = "" if path.exists() else paths_like(path)
        raise BadOption(f"Cannot read the {kind} {path}: {error.strerror}.", close or "Check the path.") from None


def _parsed(where: str, data: bytes, kind: str) -> dict[str, Any]:
    if len(data) > LARGEST:
        raise BadOption(f"{where} has more than {LARGEST:,} bytes, too many for a {kind}.", "Give another file.")
    try:
        return parse_toml(data)
    except ValueError as error:
        raise BadOption(
            f"{where} is not valid TOML: {error}.", f"See {PAGES[kind]} for how a {kind} is written."
        ) from None


def _recipe(name: str, where: str, data: bytes) -> Recipe:
    """Return the recipe that `data` is, checked. Raises BadOption."""
    tables = _parsed(where, data, "recipe")
    options, about = tables.get("options"), tables.get("about", {})
    strangers = sorted(set(tables) - {"about", "options"})
    if not isinstance(options, dict) or not isinstance(about, dict) or strangers:
        raise BadOption(
            f"{where} is not a recipe: "
            + (f"it has unknown tables {', '.join(strangers)}." if strangers else "it has no [options]."),
            "A recipe has a table [options], and may have a table [about].",
        )
    unknown = sorted(set(about) - set(ABOUT))
    if unknown:
        raise BadOption(f"{where}: [about] has unknown keys {', '.join(unknown)}.", f"It may have {', '.join(ABOUT)}.")
    refuse_zoom_and_scale(options, where)
    typed = dict(as_option(key, value, f"{where}: {key}") for key, value in options.items())
    permitted = [key for key in PERMISSIONS if typed.pop(key, False)]
    if permitted:
        raise BadOption(
            f"{where} sets {', '.join(permitted)}, which a file may not.",
            f"Remove the line, and add --{permitted[0].replace('_', '-')} to the command.",
        )
    if typed.pop("manifest", None) is not None:  # a run's config.toml
        typed = {key: value for key, value in typed.items() if key not in MACHINE}
    try:
        TrainConfig(**typed)
    except BadOption as error:
        raise BadOption(f"{where}: {error.message}", error.hint) from None
    return Recipe(name, about, typed)


def _typed(key: str, value: Any, where: str) -> Any:
    """Return `value`, from TOML, Python or the command line, as the kind that the option is. Raises BadOption."""
    if key not in TYPES:
        hint = did_you_mean(key, (*TYPES, ZOOM))
        raise BadOption(f"There is no option {key!r} ({where}).", f"{hint}All: {', '.join(TYPES)}.")
    hint = TYPES[key]
    kinds = get_args(hint) if NoneType in get_args(hint) else (hint,)
    if NoneType in kinds and (value is None or str(value).strip().lower() == "none"):
        return None
    kind = next(k for k in kinds if k is not NoneType)
    try:
        return _as(kind, value)
    except (ValueError, TypeError, OverflowError):
        raise BadOption(f"{where}: {value!r} is not {_word(kind)}.", f"{key} is {_example(kind)}.") from None


def _as(kind: Any, value: Any) -> Any:
    """Return `value` as `kind`. Raises ValueError or TypeError where it is none."""
    if get_origin(kind) is tuple:
        if isinstance(value, str):
            value = [part for part in value.strip().strip("[]").split(",") if part.strip()]
        elif not isinstance(value, list | tuple):
            raise TypeError
        return tuple(_as(get_args(kind)[0], part) for part in value)
    if kind is bool:
        return (
            WORDS[value.strip().lower()]
            if isinstance(value, str) and value.strip().lower() in WORDS
            else _is(bool, value)
        )
    if isinstance(value, bool):
        raise TypeError
    if kind is str:
        return os.fspath(value).strip() if isinstance(value, str | os.PathLike) else _is(str, value)
    if kind is float and isinstance(value, int | float | str):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
        return number
    return int(value) if isinstance(value, str) else _is(kind, value)


def _is(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _word(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"a list of {KINDS[get_args(kind)[0]].removeprefix('a ')}s"
    return KINDS[kind]


def _example(kind: Any) -> str:
    lists = {int: "512,256", float: "0.25,0.5", str: "ferplus,ckplus"}
    if get_origin(kind) is tuple:
        return f"written as {lists[get_args(kind)[0]]}"
    return {int: "a whole number, such as 10", float: "a number, such as 1e-3", str: "a name"}.get(
        kind, "true or false"
    )
