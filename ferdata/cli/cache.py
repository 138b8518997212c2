"""`ferdata cache`, `ferdata cache clear` and `ferdata cache limit`."""

import click

from ferdata.cli.layout import echo
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json, table
from ferdata.running.cache import gigabytes
from ferdata.steps import cache as steps


@click.group("cache", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """What is in the cache, its limit, and how to clear it.

    \b
    ferdata cache
    ferdata cache clear --older-than 30d
    ferdata cache limit 50GB
    """
    if context.invoked_subcommand:
        return
    found = steps.contents()
    if as_json:
        print_json(found)
        return
    if found.items:
        rows = [
            (
                i.key[:8],
                i.kind,
                i.what,
                i.manifest,
                i.used + (", in use" if i.in_use else ""),
                i.size,
                gigabytes(i.bytes),
            )
            for i in found.items
        ]
        table("Cache", ("key", "kind", "what", "manifest", "last used", "px", "size"), rows, text=5)
    told = {"folder": found.folder, "size": gigabytes(found.bytes), "limit": gigabytes(found.limit)}
    if found.unfinished:
        half = f"{gigabytes(found.unfinished)}, being written, or left by a killed process (clear removes that)"
        told["unfinished"] = half
    facts(told)


@command.command("clear")
@click.argument("keys", nargs=-1)
@option(steps.clear, "--older-than", metavar="AGE", help="Only what was not used for that long: 90m, 12h, 30d, 2w.")
@json_option
def clear(as_json: bool, keys: tuple[str, ...], older_than: str | None) -> None:
    """Delete everything, or the entries whose KEYS begin so; what is in use stays."""
    result = steps.clear(keys, older_than)
    if as_json:
        print_json(result)
        return
    kept = f"{len(result.in_use):,}, in use" if result.in_use else None
    facts({"deleted": f"{len(result.gone):,}, {gigabytes(result.bytes)}", "kept": kept})


@command.command("limit")
@click.argument("size", required=False)
@json_option
def limit(as_json: bool, size: str | None) -> None:
    """Show the cache's limit, or set it to SIZE, such as 50GB."""
    most = steps.limit(size)
    print_json({"limit": most}) if as_json else echo(f"The cache may hold {gigabytes(most)}.")
