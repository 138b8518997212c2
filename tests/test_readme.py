"""The README: every command and block in it runs, its table is the program's, its limits are kept short."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ferdata.cli import COMMANDS
from ferdata.steps.draw import draw
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def hurried(text: str) -> str:
    """The same with one epoch to train, however long that takes here: drawn faces need no ten minutes."""
    return text.replace("--time-limit 10m", "--epochs 1").replace("time_limit=600", "epochs=1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it: with drawn faces where the README has the datasets."""
    folder = tmp_path_factory.mktemp("reader")
    draw(folder / "data", faces=600)
    return folder


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert blocks("sh")[0].split("\n")[:2] == ["make demo", "make test"]
    assert {"demo", "test"} <= targets


@pytest.mark.slow
def test_every_command_of_the_path_runs_word_for_word(place: Path) -> None:
    (path,) = (block for block in blocks("sh") if block.startswith("ferdata datasets\n"))
    for line in hurried(path).splitlines():
        program, *arguments = shlex.split(line)
        assert program == "ferdata"
        command = [sys.executable, "-m", "ferdata.cli", *arguments]
        ran = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"
        assert ran.stdout.strip(), line
    assert (place / "balance.png").is_file()


@pytest.mark.slow
def test_the_three_python_blocks_run_one_after_the_other(place: Path) -> None:
    code = "\n".join(hurried(block) for block in blocks("python"))
    ran = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "test faces, macro-F1" in ran.stdout


def test_the_three_blocks_have_no_more_than_twenty_five_lines() -> None:
    code = [line for block in blocks("python") for line in block.splitlines() if line.strip()]
    assert len(blocks("python")) == 3
    assert len(code) <= 25


def test_the_table_of_commands_is_the_programs_own() -> None:
    rows = re.findall(r"^\| `ferdata ([a-z]+)` \| (.+) \|$", README, re.MULTILINE)
    assert rows == [(name, text) for name, (_, text) in COMMANDS.items()]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def figures(text: str) -> list[str]:
    return re.findall(r"\d+(?:,\d{3})*(?:\.\d)?", text)


def in_three_digits(rate: str) -> str:
    return f"{float(format(float(rate.replace(',', '')), '.3g')):,.0f}"


def test_the_figures_of_training_batches_are_those_of_the_results_that_it_names() -> None:
    (path,) = re.findall(r"\[every figure\]\((benchmarks/.+?)\)", README)
    measured = (REPOSITORY / path).read_text(encoding="utf-8").partition("## Training batches")[2].partition("\n## ")[0]
    rows = [cells(line) for line in measured.splitlines() if line.startswith("| ")]
    rates = {
        who: [row[2] for row in rows if row[1] == who]
        for who in (
            *("torchvision ImageFolder + DataLoader", "torch, in memory"),
            "ferdata, engine device (OpenCV), the default",
        )
    }
    usual, fair, ours = rates.values()
    at = README.index("| training batches of 128 at 48, 112, 224 px")
    beside_usual, beside_fair = (cells(line) for line in README[at:].splitlines()[:2])
    assert figures(beside_usual[1]) == [in_three_digits(rate) for rate in ours]
    for row, theirs in ((beside_usual, usual), (beside_fair, fair)):
        assert figures(row[2]) == [in_three_digits(rate) for rate in theirs]
        times = [float(a.replace(",", "")) / float(b.replace(",", "")) for a, b in zip(ours, theirs, strict=True)]
        assert figures(row[3]) == [f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" for ratio in times]
    assert "decode" in beside_usual[2]
    assert "pack" in beside_usual[0]


def test_every_file_that_the_readme_shows_is_there() -> None:
    for path in re.findall(r"\]\(([^)]+)\)", README):
        assert path.startswith("https://") or (REPOSITORY / path).exists(), path
