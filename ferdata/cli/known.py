"""`ferdata known`: the indexes of known faces that `ferdata ingest` looks a dataset up in."""

from pathlib import Path

import click

from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option
from ferdata.cli.output import print_json, table
from ferdata.schema import SPLITS
from ferdata.steps.known import Listed, add, known, remove


@click.group("known", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Indexes of known faces, hashes alone: whose faces a folder of unknown origin holds.

    `ferdata ingest folder`, `csv`, `hf` and `detection` look every face up in them, and say which are a published
    dataset's, and of which of its splits.

    \b
    ferdata known
    ferdata known add manifests/rafdb.parquet
    ferdata known remove rafdb
    """
    if context.invoked_subcommand is None:
        found = known()
        print_json(found) if as_json else report(found)


@command.command("add")
@click.argument("manifest", type=click.Path(path_type=Path))
@option(add, "--name", help="The index's name [default: the dataset's].")
@option(add, "--force", help="Replace an index of that name.")
@json_option
def added(manifest: Path, as_json: bool, **given: object) -> None:
    """Make an index of a manifest's faces, so that they are recognised from now on."""
    made = add(manifest, **given)  # type: ignore[arg-type]  # as click declares them
    print_json(made) if as_json else report([made])


@command.command("remove")
@click.argument("name")
@json_option
def removed(name: str, as_json: bool) -> None:
    """Remove an index that you have added."""
    path = remove(name)
    print_json({"removed": name, "path": path}) if as_json else echo(f"Removed: {path}")


def report(found: list[Listed]) -> None:
    """Print the indexes."""
    rows = [
        (each.name, each.rows, *(each.splits.get(split, 0) for split in SPLITS), "yours" if each.own else "the package")
        for each in found
    ]
    table("Known faces", ("name", "rows", *SPLITS, "from"), rows)
    prose("Hashes alone are kept: no face can be got back from them.")
