"""Options whose default is that of the public function that the command is the twin of."""

import inspect
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def option(function: Callable[..., Any], *names: str, **attributes: Any) -> Decorator:
    """Declare an option of a command; its default is the one that `function`'s signature gives the parameter."""
    parameter = next(n for n in names if not n.startswith("-")) if not names[-1].startswith("-") else names[-1]
    parameter = parameter.split("/")[0].lstrip("-").replace("-", "_")
    default = inspect.signature(function).parameters[parameter].default
    if default is inspect.Parameter.empty:
        attributes["required"] = True
    elif default == ():
        attributes["default"] = default
    elif default is not None and default is not False:
        attributes |= {"default": default, "show_default": True}
    elif default is False:
        attributes |= {"is_flag": True, "default": False} if "/" not in names[-1] else {"default": False}
    return click.option(*names, **attributes)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json: one JSON document on stdout in place of tables."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document in place of tables.")(command)


def refuse_idle(why: str, *names: str) -> None:
    """Raise a usage error, with the reason, if one of the options was given though it would do nothing."""
    context = click.get_current_context()
    spelt = {parameter.name: max(parameter.opts, key=len) for parameter in context.command.params}
    idle = [spelt[name] for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if idle:
        raise click.UsageError(f"{', '.join(idle)}: {why}")
