"""Write `commands.json` from the commands themselves: python -m ferdata.cli.completion.make."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from ferdata.cli import COMMANDS, cli
from ferdata.cli.completion.kept import FILE

# Parameters whose words are a list that is read when it is asked for, by name; `COMMAND name` is that command's alone.
LISTS: Mapping[str, str] = {
    "backbone": "backbones",
    "recipe": "recipes",
    "datasets": "datasets",
    "dataset": "datasets",
    "datasets show name": "datasets",
    "datasets get name": "datasets",
    "zoo show name": "backbones",
    "zoo recipes name": "recipes",
}


def _findings() -> Iterable[str]:
    from ferdata.auditing.catalogue import BY_NAME

    return BY_NAME


def _settings() -> Iterable[str]:
    from zoo.options.options import KEYS

    return sorted(f"{key}=" for key in KEYS if key != "manifest")


def _policies() -> Iterable[str]:
    from zoo.augment.policies import POLICIES

    return POLICIES


def _ranges() -> Iterable[str]:
    from zoo.augment.policies import RANGES

    return sorted(f"{key}=" for key in RANGES)


def _optimizers() -> Iterable[str]:
    from zoo.training.optimizer import names

    return names()


def _taxonomies() -> Iterable[str]:
    from ferdata.labels import TAXONOMIES

    return TAXONOMIES


def _reasons() -> Iterable[str]:
    from ferdata.duplicates.groups import BY

    return BY


def _rules() -> Iterable[str]:
    from ferdata.duplicates.label_conflicts import WORDS as RULES

    return [rule + ":" * (rule == "first") for rule in RULES]


def _capped() -> Iterable[str]:
    from ferdata.labels import EMOTIONS

    return [*(f"{emotion}=" for emotion in EMOTIONS), "dataset:"]


def _devices() -> Iterable[str]:
    from zoo.run.device import DEVICES

    return DEVICES


def _columns() -> Iterable[str]:
    from ferdata.schema import COLUMNS

    return [column.name for column in COLUMNS if column.type in ("string", "bool", "int16", "int32")]


# Parameters whose words are all known when the file is written.
WORDS: Mapping[str, Callable[[], Iterable[str]]] = {
    "fail_on": _findings,
    "threshold": lambda: [f"{name}=" for name in _findings()],
    "options": _settings,
    "over": _settings,
    "augment": _policies,
    "augment policy": _policies,
    "augment options": _ranges,
    "optimizer": _optimizers,
    "taxonomy": _taxonomies,
    "cap": _capped,
    "merge conflicts": _rules,
    "split conflicts": _rules,
    "device": _devices,
    "group by": _reasons,
    "merge by": _reasons,
    "stats by": _columns,
}
COMMAS = {"group by", "merge by", "fail_on"}


def told() -> dict[str, Any]:
    """Return every command: its summary, its parameters, and its own commands."""
    context = click.Context(cli)
    return {name: _told(name, cli.get_command(context, name)) for name in COMMANDS}


def _told(path: str, command: click.Command | None) -> dict[str, Any]:
    assert command is not None
    found: dict[str, Any] = {"help": command.get_short_help_str(80)}
    found["parameters"] = [_parameter(path, each) for each in command.params]
    if isinstance(command, click.Group):
        context = click.Context(command)
        names = command.list_commands(context)
        found["commands"] = {name: _told(f"{path} {name}", command.get_command(context, name)) for name in names}
        if usual := getattr(command, "usual", None):
            found["usual"] = usual
    return found


def _parameter(path: str, parameter: click.Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(parameter, click.Option):
        found = {"options": [*parameter.opts, *parameter.secondary_opts], "help": parameter.help or ""}
        if parameter.secondary_opts:
            found["options"] = [f"{'/'.join((*parameter.opts, *parameter.secondary_opts))}"]
        found |= {"flag": True} if parameter.is_flag else {}
        found |= {"multiple": True} if parameter.multiple else {}
    else:
        found = {"argument": parameter.name, "nargs": parameter.nargs}
    keys = (f"{path} {parameter.name}", parameter.name or "")
    if isinstance(parameter.type, click.Choice):
        found["words"] = [str(word) for word in parameter.type.choices]
    elif isinstance(parameter.type, click.Path):
        found["file"] = True
    elif key := next((key for key in keys if key in LISTS), None):
        found["names"] = LISTS[key]
    elif key := next((key for key in keys if key in WORDS), None):
        found["words"] = list(WORDS[key]())
        found |= {"commas": True} if key in COMMAS else {}
    if "FILE" in (getattr(parameter, "metavar", None) or ""):
        found["file"] = True
    return found


def main() -> None:
    """Write the file."""
    FILE.write_text(json.dumps(told(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
