"""`ferdata datasets` and `ferdata datasets show NAME`."""

import click

from ferdata.adapters import load, names
from ferdata.cli.options import json_option
from ferdata.cli.output import facts, print_json, table
from ferdata.roots import how_to_obtain


@click.group("datasets", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """The catalogue: who may have which dataset, and how to obtain it.

    \b
    ferdata datasets
    ferdata datasets show rafdb
    """
    if context.invoked_subcommand:
        return
    sources = [load(name).SOURCE for name in names()]
    if as_json:
        print_json(sources)
        return
    rows = [(s.name, s.title, s.content, s.access, s.licence.name) for s in sources]
    table("Datasets", ("name", "title", "content", "who may have it", "licence"), rows, text=5)
    click.echo("More of one: ferdata datasets show NAME")


@command.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One dataset: steps to obtain it, where to put it, layouts known, citation."""
    source = load(name).SOURCE
    if as_json:
        print_json(source)
        return
    facts({source.name: source.title, "content": source.content, "home": source.homepage})
    click.echo(f"\n{how_to_obtain(source)}\n\nLayouts known:")
    for layout in source.layouts:
        marks = " and ".join(layout.marks) or "any"
        click.echo(f"  {layout.name}: {marks}" + (f"\n    {layout.note}" if layout.note else ""))
    if source.options:
        click.echo("\nOptions of `ferdata ingest`:")
        for option in source.options:
            click.echo(f"  --{option.name.replace('_', '-')}: {option.help}")
    click.echo(f"\nCitation:\n{source.citation}")
