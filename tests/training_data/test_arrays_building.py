"""Building a pack: two at once, one that is killed, a disk that fills; never half there."""

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ferdata.errors import CannotWrite
from ferdata.running import cache
from ferdata.training_data.arrays import prepare
from tests.conftest import picture
from tests.training_data.packing import MIXED, colour, leftovers, pack, write

MAKE = """
import sys, time, json
from pathlib import Path
import numpy as np
from ferdata.manifest import Manifest
from ferdata.training_data.arrays import packs
print("ready", flush=True)
sys.stdin.readline()
opened = Manifest(Path(sys.argv[1]))
half = opened.rows // 2
wanted = {"train": np.arange(half), "val": np.arange(half, opened.rows)}
if sys.argv[2] == "val first":
    wanted = dict(reversed(wanted.items()))
done = packs(opened, wanted, 64, 3)
print(json.dumps({n: [p.made, int(p.pixels.astype(np.int64).sum())] for n, p in done.items()}))
"""


def test_two_trainings_build_one_pack_at_once_and_both_are_right(tmp_path: Path, place: Path) -> None:
    path = write(tmp_path / "m.parquet", [picture(i) for i in range(1500)])
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, str(path), order], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for order in ("train first", "val first")
    ]
    for run in runs:
        assert run.stdout
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin
        run.stdin.write("go\n")
        run.stdin.flush()
    told = [json.loads(run.communicate()[0]) for run in runs]
    expected = {
        name: int(sum(prepare(picture(i), 64, 3).astype(np.int64).sum() for i in range(*ends)))
        for name, ends in {"train": (0, 750), "val": (750, 1500)}.items()
    }
    for name in expected:
        assert [each[name][1] for each in told] == [expected[name]] * 2
        assert sorted(each[name][0] for each in told) == [False, True]  # one built, the other waited
    assert leftovers(place) == []


def test_a_build_that_was_killed_leaves_nothing_that_the_next_one_trips_over(tmp_path: Path, place: Path) -> None:
    path = write(tmp_path / "m.parquet", [colour(i, 64, 64) for i in range(1500)])
    code = MAKE.replace("64, 3)", "256, 3)")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdin
        run.stdin.write("go\n")
        run.stdin.flush()
        until = time.monotonic() + 60
        while not list(place.glob("pack/.*.part/pixels.npy")) and time.monotonic() < until:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
    assert cache.entries() == []
    assert leftovers(place)
    assert pack(path, [0, 1]).made
    assert leftovers(place) == []


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache on a disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here")
    monkeypatch.setenv("FERDATA_CACHE", str(folder / "cache"))
    yield folder / "cache"
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_cache_disk_that_fills_is_a_clear_error_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    path = write(tmp_path / "m.parquet", [picture(i) for i in range(40)])
    fits = pack(path, list(range(10)), 224)
    with pytest.raises(CannotWrite, match="No space left on device") as refused:
        pack(path, list(range(40)), 224)  # 2 MB
    assert "ferdata cache clear" in refused.value.hint
    assert "FERDATA_CACHE" in refused.value.hint
    assert leftovers(small_disk) == []
    assert [entry.key for entry in cache.entries()] == [fits.key]


def test_a_training_goes_on_in_memory_when_the_cache_disk_is_full(tmp_path: Path, small_disk: Path) -> None:
    path = write(tmp_path / "m.parquet", [picture(i) for i in range(40)])
    with pytest.warns(UserWarning, match=r"No space left.*kept in memory"):
        done = pack(path, list(range(40)), 224, spare=True)
    assert done.path is None
    assert np.array_equal(done.pixels, np.stack([prepare(picture(i), 224, 1) for i in range(40)]))
    assert leftovers(small_disk) == []


def test_a_file_that_may_not_grow_is_a_clear_error_and_leaves_nothing(tmp_path: Path, place: Path) -> None:
    path = write(tmp_path / "m.parquet", [picture(i) for i in range(40)])
    code = (
        "import sys, resource\nfrom pathlib import Path\nimport numpy as np\n"
        "from ferdata.errors import CannotWrite\nfrom ferdata.manifest import Manifest\n"
        "from ferdata.training_data.arrays import packs\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))\n"
        "try:\n    packs(Manifest(Path(sys.argv[1])), {'train': np.arange(40)}, 224, 1)\n"
        "except CannotWrite as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert "ferdata cache clear" in done.stdout
    assert list(place.rglob("pixels.npy")) == []
    assert leftovers(place) == []


def test_a_set_that_neither_cache_nor_memory_can_hold_is_refused_before_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", MIXED)
    with pytest.raises(CannotWrite, match="is full"):
        pack(path, [0, 1, 2, 3, 4], 200_000, 3, spare=True)


def test_a_pack_larger_than_what_a_process_may_have_in_memory_is_opened(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", [picture(i) for i in range(64)])
    pack(path, list(range(64)), 1024, 3)  # 200 MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    opened = pack(path, list(range(64)), 1024, 3)
    assert opened.pixels[63, 0, 0, 0] >= 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB: pages come when they are used
