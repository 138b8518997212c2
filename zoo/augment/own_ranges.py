"""Augmentation of one's own: a file of ranges in place of a policy's name, and single ranges over any policy.

A file becomes the policy `own` and its ranges as options, so that a run's `config.toml` needs the file no longer.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, choose_one, did_you_mean
from zoo.augment import policies
from zoo.augment.policies import ABOUT, OWN, POLICIES, RANGES, WHOLE, Policy
from zoo.options.options import TrainConfig, refuse_idle
from zoo.options.recipes import ZOOM, as_option, pairs_of, parse_set, read_toml, refuse_zoom_and_scale

WORDS = ("about", "source")  # what a policy says of itself
# Ranges that do something beside others alone: which, when, and in words.
NEEDS: tuple[tuple[tuple[str, ...], Callable[[Policy], bool], str], ...] = (
    (
        ("rotation_chance",),
        lambda p: bool(p.rotation or p.shear) or p.scale != WHOLE,
        "a rotation, shear or scale",
    ),
    (("shift_chance",), lambda p: bool(p.shift), "a shift"),
    (("crop_aspect",), lambda p: p.crop != WHOLE, "a crop"),
    (("tone_chance",), lambda p: p.tones, "a brightness or contrast"),
    (("erase_area", "erase_aspect"), lambda p: bool(p.erase), "an erase"),
)


@dataclass(frozen=True)
class Named:
    """What a policy's name, or the path of its file, stands for; `ranges` are those that only a file has."""

    name: str
    about: str
    source: str
    ranges: Mapping[str, Any]


def look_up(policy: str | os.PathLike[str]) -> Named:
    """Return what a policy's name, or the path of a TOML file of ranges, stands for. Raises BadOption.

    A file has the keys of `Policy`, Keras' `zoom`, and may have `about` and `source`.
    """
    name = os.fspath(policy)
    if name in POLICIES:
        about, source = ABOUT[name]
        return Named(name, about, source, {})
    path = Path(name)
    if path.suffix != ".toml" and not path.is_file():
        raise BadOption(
            f"There is no augmentation policy {name!r}.", f"{choose_one(name, POLICIES)} Or give a .toml file."
        )
    table = read_toml(path, "policy")
    words = {key: str(table.pop(key, "")) for key in WORDS}
    return Named(OWN, words["about"] or "ranges of your own", words["source"], _ranges(table, str(path)))


def _ranges(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the ranges of a file, checked. Raises BadOption."""
    if inner := [key for key, value in table.items() if isinstance(value, dict)]:
        raise BadOption(
            f"{where} is not a policy: it has a table [{inner[0]}].",
            "Give a recipe, or a run's config.toml, with --recipe."
            if "options" in inner
            else "A file holds one policy, its ranges without a heading.",
        )
    check_names(table, where)
    refuse_zoom_and_scale(table, where)
    ranges = dict(as_option(key, value, f"{where}: {key}") for key, value in table.items())
    if not ranges:
        raise BadOption(f"{where} has no ranges.", f"It may have {', '.join(RANGES)}.")
    try:
        made = Policy(**{key: value for key, value in ranges.items() if value is not None})
    except BadOption as error:
        raise BadOption(f"{where}: {error.message}", error.hint) from None
    for key, needed in _without_effect(made, ranges).items():
        raise BadOption(f"{where}: {key} would have no effect without {needed}.", "Leave it out, or add what it needs.")
    return ranges


def changed(policy: str | os.PathLike[str], options: Mapping[str, Any] | Sequence[str]) -> tuple[Policy, str, str]:
    """Return a policy with the ranges `options` in place of its own, what it is about, and where it is from.

    Raises BadOption.
    """
    check_names(pairs_of(options), "--set")
    above = parse_set(options)
    config = TrainConfig(**lay_over({"augment": policy}, above))
    made, found = of_run(config), look_up(policy)
    refuse_idle(idle(config, above))
    return made, f"{found.about}{', with another ' if above else ''}{', '.join(above)}", found.source


def check_names(keys: Iterable[str], where: str) -> None:
    """Raise BadOption, with the close names, for a key that is no range of a policy."""
    known = (*RANGES, ZOOM)
    for key in keys:
        if key not in known:
            raise BadOption(
                f"A policy has no range {key!r} ({where}).", f"{did_you_mean(key, known)}It has {', '.join(known)}."
            )


def lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options `below` with those `above` in their place. Raises BadOption for a policy that there is not.

    Another policy takes the place of the one below with the ranges that were changed of it; a file that is named as a
    policy is read, and its ranges become options.
    """
    both = {**below, **(dict.fromkeys(RANGES) if "augment" in above else {}), **above}
    if "augment" in both:
        found = look_up(both["augment"])
        both["augment"] = found.name
        both |= {key: value for key, value in found.ranges.items() if both.get(key) is None}
    return both


def of_run(config: TrainConfig) -> Policy:
    """Return the policy that a run augments with, the ranges that are options in place of its own. Raises BadOption."""
    given = {key: value for key in RANGES if (value := getattr(config, key)) is not None}
    if config.augment == OWN and not given:
        raise BadOption(f"The policy {OWN!r} has no ranges.", f"Add some: --augment {OWN} --set rotation=20,zoom=0.15")
    return replace(policies.policy(config.augment), **given)


def in_words(config: TrainConfig) -> dict[str, Any]:
    """Return what a run augments with: the policy's name, the ranges changed, and all that it does, in words."""
    changed = [key for key in RANGES if getattr(config, key) is not None]
    return {"policy": config.augment, "changed": changed, "ranges": dict(policies.in_words(of_run(config)))}


def in_a_line(words: Mapping[str, Any]) -> str:
    """Return what `in_words` has as a line."""
    ranges = "; ".join(f"{name} {text}" for name, text in words["ranges"].items())
    changed = f", with another {', '.join(words['changed'])}" if words["changed"] and words["policy"] != OWN else ""
    return f"{words['policy']}{changed}: {ranges or 'images are not changed'}"


def idle(config: TrainConfig, given: Iterable[str]) -> dict[str, str]:
    """Return those ranges of `given` that do nothing beside the policy's others, each with what it needs, in words."""
    ranges = [key for key in given if key in RANGES]
    return _without_effect(of_run(config), ranges) if ranges else {}


def _without_effect(made: Policy, given: Iterable[str]) -> dict[str, str]:
    needs = {name: (works, words) for names, works, words in NEEDS for name in names}
    return {key: needs[key][1] for key in given if key in needs and not needs[key][0](made)}
