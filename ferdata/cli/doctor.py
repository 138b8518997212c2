"""`ferdata doctor`."""

import sys

import click

from ferdata.cli.layout import echo, room, wrapped
from ferdata.cli.options import json_option
from ferdata.cli.output import print_json
from ferdata.steps.doctor import Finding, doctor

FINDINGS = 3
MARKS = {"ok": ("green", "ok"), "warn": ("yellow", "warn"), "bad": ("red", "bad"), "absent": (None, "-")}


@click.command("doctor")
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """What is installed and found here, and what to do about the rest; exit 3 if something stands in the way.

    \b
    ferdata doctor
    """
    findings = doctor()
    if as_json:
        print_json(findings)
    else:
        report(findings)
    if any(f.state == "bad" for f in findings):
        context.exit(FINDINGS)


def report(findings: list[Finding]) -> None:
    """Print a line per finding, and under it what to do."""
    longest, width = max(len(f.name) for f in findings), room(sys.stdout)
    below = " " * (longest + 7)
    for finding in findings:
        colour, mark = MARKS[finding.state]
        first, *rest = wrapped(finding.what, width, f"{mark:<5}{finding.name:<{longest}}  ", below)
        echo(first[:5], nl=False, fg=colour)
        echo("\n".join((first[5:], *rest)))
        if finding.remedy and finding.state != "ok":
            echo("\n".join(wrapped(finding.remedy, width, below)), dim=True)
