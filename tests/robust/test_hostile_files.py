"""What no command should open: pipes, devices and links to themselves, in place of each file that a command reads."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ferdata.cli import run as command_line
from tests.robust.child import DONE, GIGABYTE, in_child
from tests.robust.made import Made

pytestmark = pytest.mark.slow
HOSTILE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": lambda path: path.mkdir(),
}
COMMANDS: dict[str, tuple[str, list[str]]] = {  # the file that is hostile, and who reads it
    "show": ("m.parquet", ["show", "m.parquet"]),
    "validate": ("m.parquet", ["validate", "m.parquet"]),
    "merge": ("m.parquet", ["merge", "m.parquet", "-o", "o.parquet"]),
    "review apply": ("l.jsonl", ["review", "apply", "WHOLE", "--ledger", "l.jsonl", "-o", "o.parquet"]),
    "review import": ("s.csv", ["review", "import", "WHOLE", "s.csv", "--by", "a", "-o", "o.parquet"]),
    "rehydrate": ("s.json", ["rehydrate", "s.json", "-o", "o.parquet"]),
    "label map": ("l.toml", ["ingest", "folder", "--root", "FACES", "--labels", "l.toml", "-o", "o.parquet"]),
    "taxonomy": ("t.toml", ["merge", "WHOLE", "--taxonomy", "t.toml", "-o", "o.parquet"]),
    "recipe": ("r.toml", ["train", "--manifest", "MERGED", "--recipe", "r.toml", "-o", "run", "--dry-run"]),
    "weights": ("w.pth", ["train", "--manifest", "MERGED", "--weights", "w.pth", "-o", "run", "--dry-run"]),
    "model": ("model.safetensors", ["predict", "model.safetensors", "FACE"]),
    "predictions": ("p.parquet", ["compare", "p.parquet", "p.parquet"]),
    "frozen splits": ("ids.csv", ["split", "MERGED", "--from", "ids.csv", "-o", "o.parquet"]),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_no_file_is_refused_and_not_waited_on(name: str, kind: str, made: Made, open_place: Path) -> None:
    hostile, words = COMMANDS[name]
    here = open_place / "here"
    here.mkdir()
    shutil.copy(made.whole, here / "whole.parquet")
    HOSTILE[kind](here / hostile)
    face = next(made.faces.rglob("*.png"))
    places = {"WHOLE": "whole.parquet", "MERGED": str(made.merged), "FACES": str(made.faces), "FACE": str(face)}
    line = [places.get(word, word) for word in words]
    ended = in_child(lambda: command_line(line), here, seconds=60, memory=16 * GIGABYTE)
    log = open_place.joinpath("here.log").read_text("utf-8", "replace")
    assert ended.how == DONE, ended
    assert ended.value in (1, 2), log
    assert "Error" in log
