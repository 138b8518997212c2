"""What was measured, on the screen and as Markdown: a table a section, and one of what was wanted."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Check:
    """Something wanted, what was found, and whether that holds; None where it was not run."""

    what: str
    wanted: str
    found: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """Return the word for it."""
        return "not run" if self.holds is None else "yes" if self.holds else "NO"


@dataclass
class Section:
    """A table: cells under `words` are names, those under `numbers` are figures."""

    title: str
    words: list[str]
    numbers: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def at_least(self, what: str, found: float, wanted: float, unit: str = " times") -> None:
        """Note that `found` should be `wanted` or more."""
        self.checks.append(Check(what, f"{wanted:g}{unit} or more", f"{found:.2f}{unit}", found >= wanted))

    def at_most(self, what: str, found: float, wanted: float, unit: str) -> None:
        """Note that `found` should be `wanted` or less."""
        self.checks.append(Check(what, f"{wanted:g}{unit} or less", f"{found:.3g}{unit}", found <= wanted))

    def not_run(self, what: str, wanted: str, why: str) -> None:
        """Note what could not be measured."""
        self.checks.append(Check(what, wanted, why, None))


def markdown(section: Section) -> str:
    """Return the section as Markdown."""
    lines = [f"## {section.title}", ""]
    if section.rows:
        lines += [
            f"| {' | '.join([*section.words, *section.numbers])} |",
            f"|{'---|' * len(section.words)}{'---:|' * len(section.numbers)}",
            *(f"| {' | '.join(row)} |" for row in section.rows),
            "",
        ]
    lines += [*(f"- {note}" for note in section.notes)] + [""] * bool(section.notes)
    return "\n".join(lines)


def wanted(sections: list[Section]) -> Section:
    """Return the table of all that was wanted."""
    made = Section("What was wanted", ["", "wanted", "found", "holds"], [])
    made.rows = [[c.what, c.wanted, c.found, c.verdict] for section in sections for c in section.checks]
    return made


def show(section: Section, console: "Console") -> None:
    """Print the section."""
    from rich.table import Table

    console.print(f"\n[bold]{section.title}[/]")
    table = Table(*section.words, box=None, header_style="bold")
    for head in section.numbers:
        table.add_column(head, justify="right")
    for row in section.rows:
        table.add_row(*row)
    if section.rows:
        console.print(table)
    for note in section.notes:
        console.print(note, style="dim", highlight=False)
