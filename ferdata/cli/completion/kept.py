"""The commands as the Tab key needs them: options and words without what runs, read from `commands.json`.

A command itself may import torch, which takes seconds; a completion has a tenth of one. `make` writes the file, and a
test says when it is old.
"""

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ferdata.cli.groups import UsualGroup
from ferdata.errors import MissingExtra

FILE = Path(__file__).with_name("commands.json")


def kept(name: str) -> click.Command | None:
    """Return the command `name` as it is kept, None for one that is not."""
    told = _commands().get(name)
    return None if told is None else _command(name, told)


@functools.cache
def _commands() -> Mapping[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _command(name: str, told: Mapping[str, Any]) -> click.Command:
    parameters = [_parameter(each) for each in told["parameters"]]
    if "commands" not in told:
        return click.Command(name, params=parameters, short_help=told["help"])
    inner = {each: _command(each, command) for each, command in told["commands"].items()}
    if "usual" in told:
        return UsualGroup(name, usual=told["usual"], params=parameters, commands=inner, short_help=told["help"])
    return click.Group(name, params=parameters, commands=inner, short_help=told["help"])


def _parameter(told: Mapping[str, Any]) -> click.Parameter:
    kind = click.Path() if told.get("file") else click.STRING
    complete = _completing(told) if "words" in told or "names" in told else None
    if "argument" in told:
        return click.Argument(
            [told["argument"]], type=kind, nargs=told["nargs"], required=False, shell_complete=complete
        )
    flag: dict[str, Any] = {"is_flag": True} if told.get("flag") else {"type": kind}
    multiple = bool(told.get("multiple"))
    return click.Option(told["options"], help=told["help"], multiple=multiple, shell_complete=complete, **flag)


def _completing(told: Mapping[str, Any]) -> Callable[..., list[CompletionItem[str]]]:
    """Return what completes one of the words; of several with commas between, the last; or a file, if it may be one."""

    def complete(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem[str]]:
        del ctx, parameter
        before, comma, last = begun.rpartition(",") if told.get("commas") else ("", "", begun)
        words = told["words"] if "words" in told else _named(told["names"])
        found = [CompletionItem(before + comma + word) for word in words if word.startswith(last)]
        return found or ([CompletionItem(begun, type="file")] if told.get("file") else [])

    return complete


def _named(what: str) -> Iterable[str]:
    try:
        return NAMES[what]()
    except MissingExtra:  # the command itself says what is missing; a completion has no place for it
        return ()


def _datasets() -> Iterable[str]:
    from ferdata import adapters

    return adapters.names()


def _backbones() -> Iterable[str]:
    from zoo.models import catalogue, timm_nets

    return [*sorted(catalogue.own()), *timm_nets.kept()[1]]


def _recipes() -> Iterable[str]:
    from zoo.options import recipes

    return recipes.names()


# Lists that are read when they are asked for: other packages add datasets, and the backbones are many.
NAMES: Mapping[str, Callable[[], Iterable[str]]] = {
    "datasets": _datasets,
    "backbones": _backbones,
    "recipes": _recipes,
}
