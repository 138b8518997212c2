"""Commands of a kind of their own: options under headings in `--help`, and a group with a usual command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ferdata.errors import did_you_mean

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


class UsualGroup(click.Group):
    """A group one of whose commands runs where none is named: `ferdata review M` is `ferdata review open M`."""

    def __init__(self, *args: Any, usual: str = "", **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.usual = usual

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the usual command before what is no command, unless that is one misspelt."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            meant = did_you_mean(args[0], self.commands)
            if meant and not Path(args[0]).exists() and not ctx.resilient_parsing:
                ctx.fail(f"There is no command and no file {args[0]!r}. {meant.rstrip()}")
            args = [self.usual, *args]
        return super().parse_args(ctx, args)
