"""A full disk under each command's output: an error that speaks of space, the earlier output whole, nothing left."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferdata.cli import run as command_line
from tests.robust.child import DONE, in_child
from tests.robust.extent import record
from tests.robust.made import Made
from tests.robust.test_kills import content_of, stray

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")]
SIZE = 4 << 20
COMMANDS = {  # what is run, what it writes, and how many bytes are free
    "ingest at 0": (
        ["ingest", "ferplus", "--root", "FACES", "--images", "embed", "-o", "DISK/m.parquet"],
        "m.parquet",
        0,
    ),
    "ingest": (
        ["ingest", "ferplus", "--root", "FACES", "--images", "embed", "-o", "DISK/m.parquet"],
        "m.parquet",
        60_000,
    ),
    "ingest a folder": (["ingest", "ferplus", "--root", "FACES", "--images", "embed", "-o", "DISK/m"], "m", 60_000),
    "merge": (["merge", "WHOLE", "-o", "DISK/m.parquet"], "m.parquet", 60_000),
    "audit": (["audit", "WHOLE", "-o", "DISK/m.parquet"], "m.parquet", 60_000),
    "share": (["share", "MERGED", "-o", "DISK/s.json"], "s.json", 2_000),
    "stats": (["stats", "MERGED", "--plot", "DISK/p.png"], "p.png", 2_000),
    "review export": (["review", "export", "WHOLE", "-o", "DISK/r.csv"], "r.csv", 2_000),
    "pack": (["pack", "MERGED", "--size", "48"], "cache", 60_000),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of four megabytes, or skip the test where the system lets nobody mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], capture_output=True, check=True)


def _fill(disk: Path, free: int) -> None:
    state = os.statvfs(disk)
    with (disk / "filler").open("wb") as file:
        file.write(b"\0" * max(0, state.f_bavail * state.f_frsize - free))


@pytest.mark.parametrize("earlier", [False, True], ids=["nothing there", "over an earlier one"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_an_error_and_leaves_what_was_there(
    name: str, earlier: bool, disk: Path, made: Made, tmp_path: Path
) -> None:
    words, out, free = COMMANDS[name]
    if earlier and out != "m.parquet":
        pytest.skip("one kind of output is enough")
    if earlier:
        shutil.copy(made.merged, disk / out)
        words = [*words, "--force"]
    before = content_of(disk / out)
    _fill(disk, free)
    places = {"FACES": made.faces, "WHOLE": made.whole, "MERGED": made.merged}
    line = [str(places.get(word, word)).replace("DISK", str(disk)) for word in words]
    (tmp_path / "here").mkdir()
    cache = disk / "cache" if out == "cache" else tmp_path / "cache"
    ended = in_child(
        lambda: command_line(line), tmp_path / "here", memory=None, environment={"FERDATA_CACHE": str(cache)}
    )
    log = (tmp_path / "here.log").read_text("utf-8", "replace")
    record("full disk", Counter({"tried": 1}))
    assert ended.how == DONE, ended
    assert ended.value == 1, log
    assert "space" in log.lower(), log
    assert content_of(disk / out) == before
    assert stray(disk) == []
