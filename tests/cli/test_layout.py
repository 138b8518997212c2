"""What a terminal of 80 columns shows: whole numbers, whole words, every word; and what a pipe gets."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import click
import pytest

from ferdata.cli.layout import paragraphs, tabulated, wrapped
from tests.conftest import MakeManifest

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
COUNTS = (8460, 7304, 2735, 2794, 1933, 228, 465, 142)


def drawn(columns: tuple[str, ...], rows: list[tuple[str, ...]], text: int = 1, width: int | None = 80) -> list[str]:
    return [click.unstyle(line) for line in tabulated(columns, rows, text, width)]


def in_a_terminal(columns: int, *arguments: str) -> list[str]:
    """The lines that `ferdata` prints into a terminal so wide, which a terminal would not break any further."""
    screen, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    where = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "ferdata.cli", *arguments]
    running = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=where)
    os.close(there)
    said = b""
    while True:
        try:
            part = os.read(screen, 1 << 16)
        except OSError:  # how Linux tells that the other end is closed
            break
        if not part:
            break
        said += part
    running.wait()
    os.close(screen)
    return click.unstyle(said.decode()).replace("\r\n", "\n").splitlines()


def test_a_table_that_is_too_wide_is_turned_so_that_a_class_has_a_row() -> None:
    columns = ("split", "rows", *CLASSES, "max/min", "entropy")
    row = ("train", "27,297", *(f"{n:,}" for n in COUNTS), "59.6", "0.760")
    lines = drawn(columns, [row, ("val", *row[1:])])
    assert lines[0].split() == ["split", "train", "val"]
    assert [line.split() for line in lines[1:]] == [
        [name, cell, cell] for name, cell in zip(columns[1:], row[1:], strict=True)
    ]
    assert len({len(line) for line in lines[1:]}) == 1  # numbers end below one another


def test_sentences_among_numbers_go_below_the_table() -> None:
    why = "3,165 no_majority, 69 unknown, 2 not_a_face"
    lines = drawn(("split", "rows", "labelled", *CLASSES[:3], "without a class"), [("train", *"12345", why)], width=70)
    assert lines[0].split() == ["split", "rows", "labelled", *CLASSES[:3]]
    assert lines[-2:] == ["without a class", f"  train  {why}"]


def test_what_fits_neither_way_is_a_list_for_each_row() -> None:
    rows = [("affectnet", "287,651 training and 3,999 validation faces in eight classes, with valence", "signed")] * 2
    lines = drawn(("name", "content", "licence"), rows, text=3, width=34)
    assert lines == [
        "affectnet",
        "  content  287,651 training and",
        "           3,999 validation faces",
        "           in eight classes, with",
        "           valence",
        "  licence  signed",
        "",
        *lines[:6],
    ]


def test_text_in_a_table_breaks_between_words_and_is_all_there() -> None:
    what = "A spatial transformer before four layers of ten feature maps each, for faces"
    lines = drawn(("name", "what it is", "parameters"), [("deep_emotion", what, "66,877")], text=2, width=60)
    assert max(map(len, lines)) <= 60
    assert " ".join(line[14:48].strip() for line in lines[1:]) == what
    assert lines[1].endswith("66,877")


def test_no_cell_is_ever_cut() -> None:
    columns = ("picture", "face at", *CLASSES)
    row = ("/data/photographs/of/somebody/" + "x" * 40 + ".png", "12,30 48x48", *(f"{n:,}" for n in COUNTS))
    for width in (*range(10, 200, 7), None):
        said = "\n".join(drawn(columns, [row], width=width))
        assert [cell for cell in (row[0], *row[2:]) if cell not in said] == [], width


def test_a_pipe_gets_a_line_for_each_row_however_long() -> None:
    rows = [("one", "word " * 60, "1"), ("two", "", "22")]
    assert [line.split()[0] for line in drawn(("name", "text", "n"), rows, text=2, width=None)] == [
        "name",
        "one",
        "two",
    ]


def test_wide_signs_take_the_room_that_they_take() -> None:
    first, second = drawn(("name", "n"), [("顔", "1"), ("face", "22")])[1:]
    assert (first, second) == ("顔     1", "face  22")


def test_a_command_to_copy_stays_on_one_line() -> None:
    command = "ferdata merge manifests/ferplus.parquet -o manifests/merged.parquet --votes majority"
    assert wrapped(f"There are no groups. Make them first: {command}", 60) == [
        "There are no groups. Make them first:",
        command,
    ]
    assert (
        "`ferdata datasets show rafdb`"
        in wrapped("to see how to obtain it, look at `ferdata datasets show rafdb`", 50)[1]
    )


def test_lines_of_a_text_keep_their_indent() -> None:
    assert paragraphs("How:\n  1. Read the terms on the homepage", 24) == [
        "How:",
        "  1. Read the terms on",
        "     the homepage",
    ]


def test_stats_fits_a_terminal_of_eighty_columns_with_whole_numbers(make_manifest: MakeManifest) -> None:
    splits = ("train", "val", "test")
    made = make_manifest(*({"native_label": label, "official_split": s} for label in CLASSES for s in splits))
    lines = in_a_terminal(80, "stats", str(made))
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines if line.startswith("labelled")] == [["labelled", "8", "8", "8", "24"]]
    first_words = [line.split()[0] for line in lines if line]
    assert [word for word in first_words if word in CLASSES][: len(CLASSES)] == list(CLASSES)


@pytest.mark.parametrize("width", [80, 120])
def test_show_prints_all_of_its_lineage_at_any_width(width: int, make_manifest: MakeManifest, tmp_path: Path) -> None:
    from ferdata.manifest import Manifest
    from ferdata.steps.merge import merge

    made = make_manifest({"native_label": "fear"})
    merge(made, out=tmp_path / "merged.parquet")
    step = Manifest(tmp_path / "merged.parquet").metadata["lineage"][0]
    lines = in_a_terminal(width, "show", str(tmp_path / "merged.parquet"))
    assert [line for line in lines if len(line) > width and str(tmp_path) not in line] == []
    words = set(" ".join(lines).split())
    said = [f"{key}={value}" for key, value in step["options"].items() if value is not None]
    assert [word for text in said for word in text.split() if word not in words] == []
    assert step["inputs"][0]["fingerprint"] in re.sub(r"\s", " ", " ".join(lines))
