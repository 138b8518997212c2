"""Two of everything at once: into one output, on one ledger, on one cache."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ferdata.manifest import Manifest
from tests.robust.extent import record
from tests.robust.made import Made
from tests.robust.test_kills import content_of, stray

pytestmark = pytest.mark.slow


def at_once(here: Path, *lines: list[object]) -> list[int]:
    """Run command lines side by side; return their exit codes. None may end in a traceback."""
    environment = {**os.environ, "FERDATA_CACHE": str(here / "cache"), "OMP_NUM_THREADS": "1"}
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", "ferdata.cli", *map(str, line)],
            cwd=here,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in lines
    ]
    ends = [(process, process.communicate(timeout=300)[1]) for process in begun]
    assert [said for _, said in ends if "Traceback" in said] == []
    record("at once", Counter({"tried": 1}))
    return sorted(process.returncode for process, _ in ends)


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
@pytest.mark.parametrize("out", ["m.parquet", "m"])
def test_two_ingests_into_one_output_leave_one_whole_manifest(
    out: str, force: list[str], made: Made, tmp_path: Path
) -> None:
    line: list[object] = [
        "ingest",
        "ferplus",
        "--root",
        made.faces,
        "--images",
        "embed",
        "--workers",
        1,
        "-o",
        out,
        *force,
    ]
    codes = at_once(tmp_path, line, line)
    assert codes == [0, 0] or (not force and codes == [0, 1])
    assert content_of(tmp_path / out) == Manifest(made.whole).fingerprint
    assert stray(tmp_path) == []


def test_two_packs_of_the_same_rows_are_one(made: Made, tmp_path: Path) -> None:
    line: list[object] = ["pack", made.merged, "--size", 48]
    alone, both = tmp_path / "alone", tmp_path / "both"
    alone.mkdir()
    both.mkdir()
    assert at_once(alone, line) == [0]
    assert at_once(both, line, line) == [0, 0]
    assert content_of(both / "cache") == content_of(alone / "cache") is not None
    assert stray(both / "cache") == []


def test_three_reviewers_who_hand_in_at_once_lose_no_line(made: Made, tmp_path: Path) -> None:
    shutil.copy(made.whole, tmp_path / "m.parquet")
    head, *lines = made.sheet.read_text().splitlines(keepends=True)
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text(head + "".join(lines[number::3]))
    codes = at_once(tmp_path, *[["review", "import", "m.parquet", f"{n}.csv", "--by", f"r{n}"] for n in range(3)])
    assert set(codes) <= {0, 3}
    written = [json.loads(line)["sample_id"] for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert len(written) == len(set(written)) == len(lines)
