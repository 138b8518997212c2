"""What a published folder says of itself, as its readers read it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml


def front_matter(folder: Path) -> dict[str, Any]:
    """Return the YAML at the head of a card."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text.split("---\n")[1]))


def table(folder: Path) -> dict[str, list[int]]:
    """Return the card's table of rows: the counts of each line, one for each split and their sum."""
    text = (folder / "README.md").read_text(encoding="utf-8").partition("## Rows")[2].partition("## ")[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| \w", line)]
    return {name: [int(n.replace(",", "")) for n in counts] for name, *counts in lines}


def croissant(folder: Path) -> dict[str, Any]:
    """Return croissant.json."""
    return dict(json.loads((folder / "croissant.json").read_text(encoding="utf-8")))


def records(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the data of a record set of croissant.json, by the fields' own names."""
    (found,) = (each for each in document["recordSet"] if each["@id"] == name)
    return [{field.partition("/")[2]: value for field, value in row.items()} for row in found["data"]]


def opened(folder: Path, code: str, cache: Path) -> str:
    """Run `code` on `data`, which datasets.load_dataset gives, in a process of its own; return what it prints."""
    whole = (
        "import sys, datasets; datasets.disable_progress_bars()\n"
        f"data = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])\n{code}"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", whole, str(folder), str(cache)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
