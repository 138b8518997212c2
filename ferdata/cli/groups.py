"""A command whose many options are listed under headings in `--help`."""

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def under(heading: str, *options: Decorator) -> Decorator:
    """Put options under a heading; they are listed in the order given."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
            declared: list[click.Option] = command.__click_params__  # type: ignore[attr-defined]
            setattr(declared[-1], "heading", heading)  # noqa: B010
        return command

    return decorate


class GroupedCommand(click.Command):
    """Lists its options by heading, those without one last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section per heading."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "heading", "Options"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)
