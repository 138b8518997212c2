"""Options whose default is that of the public function that the command is the twin of."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.core import ParameterSource

from ferdata.errors import did_you_mean

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Choice(click.Choice[Any]):
    """A choice of words; one that is none of them is answered with the close ones."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return click's message, and what may be meant."""
        message = super().get_invalid_choice_message(value, ctx)
        return f"{message} {did_you_mean(value, self.choices)}".rstrip()


def option(function: Callable[..., Any], *names: str, **attributes: Any) -> Decorator:
    """Declare an option of a command; its default is the one that `function`'s signature gives the parameter."""
    if isinstance(words := attributes.get("type"), click.Choice):
        attributes["type"] = Choice(words.choices, words.case_sensitive)
    parameter = next(n for n in names if not n.startswith("-")) if not names[-1].startswith("-") else names[-1]
    parameter = parameter.split("/")[0].lstrip("-").replace("-", "_")
    default = inspect.signature(function).parameters[parameter].default
    if default is inspect.Parameter.empty:
        attributes["required"] = True
    elif default == ():
        attributes["default"] = default
    elif default is None:
        attributes["default"] = None  # said outright: click takes a switch that is not given for False
    elif default is not False:
        attributes |= {"default": default, "show_default": True}
    else:
        attributes |= {"is_flag": True, "default": False} if "/" not in names[-1] else {"default": False}
    return click.option(*names, **attributes)


def refuse_idle(parameters: Iterable[str], why: str) -> None:
    """Raise UsageError if an option of the command that runs was given which does nothing here; `why` says where not.

    A parameter that has its value from elsewhere than the command line was not asked for.
    """
    names = {p.name: max(p.opts, key=len) for p in click.get_current_context().command.params}
    given = [names[parameter] for parameter in parameters if was_given(parameter)]
    if given:
        raise click.UsageError(f"{', '.join(given)}: {why}.")


def was_given(parameter: str) -> bool:
    """Return whether an option of the command that runs stands on its command line."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json: one JSON document on stdout in place of tables."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document in place of tables.")(command)
