"""How long a person waits for the first word: `ferdata --help`, and `ferdata stats` on a whole manifest."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from speed.inputs import Inputs
from speed.process import Failed, run
from speed.report import Section
from speed.settings import Settings, median

HEAVY = ("torch", "fiftyone", "pandas", "pyarrow", "cv2", "matplotlib", "scipy", "sklearn", "timm", "numpy", "ray")
TIMES = 10


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure the commands as a person runs them, start of Python included."""
    manifest = inputs.manifest()
    rows = settings.measure("start:count", manifest=manifest).found["rows"]
    bare, _ = _timed([settings.python, "-c", ""], settings)
    helped, _ = _timed([*_ferdata(settings), "--help"], settings)
    counted, memory = _timed([*_ferdata(settings), "stats", str(manifest)], settings)
    loaded = settings.measure("start:loaded_by_help").found["modules"]
    made = Section("Start, as a person runs it", ["command"], ["seconds", "MB"])
    made.rows = [
        ["python -c ''", f"{bare:.3f}", ""],
        ["ferdata --help", f"{helped:.3f}", ""],
        [f"ferdata stats, {rows:,} rows", f"{counted:.3f}", f"{memory:.0f}"],
    ]
    made.at_most("ferdata --help", helped, 0.25, " s")
    made.at_most("ferdata --help, heavy modules", len(loaded), 0, " modules")
    made.at_most(f"ferdata stats, {rows:,} rows", counted, 1.5, " s")
    made.notes.append(f"Median of {TIMES}. Heavy modules that --help loads: {', '.join(loaded) or 'none'}.")
    return made


def _ferdata(settings: Settings) -> list[str]:
    script = Path(settings.python).with_name("ferdata")
    return [str(script)] if script.exists() else [settings.python, "-m", "ferdata.cli"]


def _timed(command: list[str], settings: Settings) -> tuple[float, float]:
    """Return the median seconds, after one untimed time, and the most memory."""
    seconds, memory = [], 0.0
    with tempfile.TemporaryDirectory() as temporary:
        said = Path(temporary, "said.txt")
        for _ in range(TIMES + 1):
            code, taken, mb = run(command, settings.env, said)
            if code:
                raise Failed(f"{' '.join(command)} ended with {code}:\n{said.read_text(encoding='utf-8')[-800:]}")
            seconds.append(taken)
            memory = max(memory, mb)
    return median(seconds[1:]), memory


def count(manifest: str) -> dict[str, Any]:
    """Return how many rows a manifest has."""
    from ferdata.manifest import Manifest

    return {"rows": Manifest(Path(manifest)).rows}


def loaded_by_help() -> dict[str, Any]:
    """Return which heavy modules `ferdata --help` loads."""
    from ferdata.cli import run as ferdata

    ferdata(["--help"])
    return {"modules": sorted(set(HEAVY) & set(sys.modules))}
