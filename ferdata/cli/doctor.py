"""`ferdata doctor`."""

import click

from ferdata.cli.options import json_option
from ferdata.cli.output import console, print_json
from ferdata.steps.doctor import Finding, doctor

FINDINGS = 3
MARKS = {"ok": ("green", "ok"), "warn": ("yellow", "mind"), "bad": ("red", "bad"), "absent": ("dim", "-")}


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
    width = max(len(f.name) for f in findings)
    screen = console()
    for finding in findings:
        style, mark = MARKS[finding.state]
        screen.print(f"[{style}]{mark:<5}[/]{finding.name:<{width}}  ", end="")
        screen.print(finding.what, markup=False, soft_wrap=True)
        if finding.remedy and finding.state != "ok":
            screen.print(f"{'':<{width + 7}}{finding.remedy}", markup=False, soft_wrap=True, style="dim")
