"""`ferdata datasets`, and `ferdata datasets show NAME`, `get NAME` and `compare M...`."""

from pathlib import Path

import click

from ferdata.adapters import catalogue, load
from ferdata.cli import compare_datasets
from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json, table
from ferdata.sources.location import how_to_obtain
from ferdata.steps.get import HUB, get


@click.group("datasets", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """The catalogue: who may have which dataset, how to obtain it; and how those that you have differ.

    \b
    ferdata datasets
    ferdata datasets show rafdb
    ferdata datasets get kaggle_face_expression
    ferdata datasets compare manifests/ferplus.parquet manifests/ckplus.parquet
    """
    if context.invoked_subcommand:
        return
    sources, broken = catalogue()
    for error in broken:
        prose(f"{error.message} {error.hint}", err=True)
    if as_json:
        print_json(sources)
        return
    rows = [(s.name, s.content, s.access, s.licence.name) for s in sources]
    table("Datasets", ("name", "content", "who may have it", "licence"), rows, text=4)
    echo("More of one: ferdata datasets show NAME")


@command.command("get")
@click.argument("name")
@option(get, "-o", "--out", type=click.Path(path_type=Path), help="Where to [default: where ingest looks for it].")
@option(get, "--force", help="Download again.")
@json_option
def fetch(name: str, out: Path | None, force: bool, as_json: bool) -> None:
    """Download a dataset that is free on Kaggle, with your own account, or one of the Hugging Face Hub.

    It needs the extra `kaggle`, or `hub`.

    \b
    ferdata datasets get kaggle_face_expression
    ferdata datasets get hf:OWNER/NAME
    """
    folder = get(name, out=out, force=force)
    if as_json:
        print_json({"dataset": name, "folder": folder})
        return
    adapter = "hf" if name.startswith(HUB) else name
    echo(f"{name} is in {folder}\n\nNext: ferdata ingest {adapter} --root {folder}")


@command.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One dataset: steps to obtain it, where to put it, layouts known, citation."""
    source = load(name).SOURCE
    if as_json:
        print_json(source)
        return
    facts({source.name: source.title, "content": source.content})
    prose(f"\n{how_to_obtain(source)}\n\nKnown layouts:")
    for layout in source.layouts:
        marks = layout.marks_in_words() or "any"
        prose(f"  {layout.name}: {marks}" + (f"\n    {layout.note}" if layout.note else ""))
    if source.kaggle:
        echo(f"\nFree on Kaggle, with an account: ferdata datasets get {source.name}")
    if source.options:
        echo("\nOptions of `ferdata ingest`:")
        for own in source.options:
            prose(f"  --{own.name.replace('_', '-')}: {own.help}")
    if source.citation:
        prose(f"\nCitation:\n{source.citation}")


command.add_command(compare_datasets.command)
