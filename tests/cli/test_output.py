"""What commands print of other people's words: no code that a terminal obeys, and no megabytes."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from ferdata.errors import LONGEST, LONGEST_LINE, BadOption
from ferdata.manifest import write
from tests.conftest import Ran, make_rows, metadata_of

Run = Callable[..., Ran]
CODE = "\x1b]0;owned\x07\x9b2J\u202e"
CLI = Path(__file__).parents[2] / "ferdata" / "cli"
# Where text goes to the terminal, past which nothing goes.
ONLY_HERE = ("layout.py", "output.py")
# Prints a program for a shell, ours from the first letter to the last, and with tabs in it.
OURS = ("completion/__init__.py",)


def plain(ran: Ran) -> bool:
    return all(c.isprintable() or c == "\n" for c in ran.out + ran.err)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A manifest whose every word is hostile, in a folder of such a name."""
    batch = make_rows([{"sample_id": f"made:{i}{CODE}", "subject": CODE, "split": "train"} for i in range(3)])
    said = metadata_of(batch)
    said["sources"]["made"] |= {"title": CODE, "citation": f"@misc{{x,\n  title = {CODE}}}", "licence": CODE}
    said["taxonomy"]["name"] = CODE
    said["lineage"] = [{"step": f"ingest{CODE}", "ferdata": "0", "options": {"images": CODE}, "inputs": []}]
    folder = tmp_path / f"folder{CODE}"
    folder.mkdir()
    write(folder / "m.parquet", [batch], said)
    return folder / "m.parquet"


@pytest.mark.parametrize(
    "command",
    [
        ("show",),
        ("show", "--columns"),
        ("show", "--json"),
        ("stats",),
        ("stats", "--format", "markdown"),
        ("validate",),
        ("group",),
        ("audit", "--only", "blurred"),
        ("align", "-o", "out.parquet"),
    ],
    ids=" ".join,
)
def test_a_foreign_manifest_says_nothing_to_the_terminal(ferdata: Run, foreign: Path, command: tuple[str, ...]) -> None:
    assert plain(ferdata(command[0], foreign, *command[1:]))


@pytest.mark.parametrize(
    "command",
    [("show", f"no{CODE}.parquet"), (f"sh{CODE}",), ("show", "x", f"--{CODE}"), ("stats", "x", f"--by={CODE}")],
)
def test_an_error_says_nothing_to_the_terminal(ferdata: Run, command: tuple[str, ...]) -> None:
    ran = ferdata(*command)
    assert ran.code in (1, 2)
    assert plain(ran)


def test_nothing_is_printed_but_through_the_rooms_that_spell_codes_out() -> None:
    """A file of the command line that printed by itself would print codes."""
    past = []
    for path in sorted(CLI.rglob("*.py")):
        name = path.relative_to(CLI).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in ("print", "click.echo", "click.secho") and name not in (*ONLY_HERE, *OURS):
                past.append(f"{name}:{node.lineno}: {called}")
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich.console"):
                past.append(f"{name}:{node.lineno}: {node.module}")
    assert past == []


def test_an_error_that_quotes_megabytes_is_cut_to_what_a_person_reads() -> None:
    error = BadOption(f"begins {'x' * 3_000_000} ends", "\n".join("y" * 5_000 for _ in range(1_000)))
    assert error.message.startswith("begins x")
    assert error.message.endswith("x ends")
    assert "2,999" in error.message  # how much is left out
    assert len(error.message) < LONGEST_LINE + 100
    assert len(error.hint) < LONGEST + 100


def test_a_list_of_many_short_lines_is_not_cut() -> None:
    lines = "\n".join(f"line {i}: no label" for i in range(300))
    assert BadOption(lines, "Mend them.").message == lines
