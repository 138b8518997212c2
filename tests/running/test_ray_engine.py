"""Cluster: on a real Ray cluster of two worker processes, the rows are those of the local engine, whatever dies."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.steps.align import align
from ferdata.steps.ingest import ingest
from ferdata.steps.pack import pack
from tests.conftest import REPOSITORY
from tests.fakes import face, save

pytestmark = pytest.mark.slow
COPIES, DIFFERENT = 200, 30


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out six thousand files of 30 pictures as class folders, one of them broken: seconds of work for two cores."""
    root = tmp_path_factory.mktemp("pictures")
    for i in range(DIFFERENT):
        first = root / ("fear", "Joy", "sad")[i % 3] / f"{i:02}-000.png"
        save(first, face(i, side=280))
        for copy in range(1, COPIES):
            os.link(first, first.with_name(f"{i:02}-{copy:03}.png"))
    (root / "fear" / "broken.png").write_bytes(b"no picture")
    return root


@contextmanager
def ferdata(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "ferdata.cli", *map(str, arguments)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


def descendants(pid: int) -> dict[int, str]:
    """Return the title of every living process below `pid`."""
    parents: dict[int, int] = {}
    titles: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                titles[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue
            if state != "Z":
                parents[int(folder.name)] = int(parent)
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return {child: titles[child] for child in found}


def running(pids: set[int]) -> dict[int, psutil.Process]:
    """Return these processes as objects that know themselves from others, or threads, that get their numbers later."""
    found = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found[pid] = psutil.Process(pid)
    return found


def at_work(pid: int) -> list[int]:
    """Return the worker processes that are measuring or cutting right now: Ray puts the task in their title."""
    return [child for child, title in descendants(pid).items() if title.startswith("ray::Map")]


def wait_for(what: Callable[[], Any], seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.02)
    raise TimeoutError


def heard_elsewhere(pids: set[int]) -> list[str]:
    """Return the addresses, but the loopback's, on which these processes wait for callers."""
    sockets = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(os.readlink(handle))  # noqa: PTH115
            except OSError:
                continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            host = local.partition(":")[0]
            loopback = host.endswith("0100007F") or host == "00000000000000000000000001000000"
            if state == "0A" and f"socket:[{inode}]" in sockets and not loopback:
                found.append(local)
    return found


def test_a_worker_killed_in_mid_run_costs_its_batch_and_no_row(pictures: Path, tmp_path: Path) -> None:
    local = ingest("folder", root=pictures, out=tmp_path / "local.parquet", workers=2)
    assert (local.rows, local.rejected) == (COPIES * DIFFERENT, {"broken image": 1})
    out = tmp_path / "parts"
    with ferdata("ingest", "folder", "--root", pictures, "-o", out, "--engine", "ray", "--workers", 2, "--json") as run:
        victim = wait_for(lambda: at_work(run.pid))[0]
        os.kill(victim, signal.SIGKILL)
        everyone = running({run.pid, *descendants(run.pid)})
        assert heard_elsewhere(set(everyone)) == []
        wait_for(lambda: victim not in descendants(run.pid))
        assert run.poll() is None, "killed too late to be in mid-run"
        others = wait_for(lambda: at_work(run.pid))
        assert victim not in others
        said, complaints = run.communicate(timeout=240)
    assert run.returncode == 0, complaints
    assert complaints == ""  # Ray keeps quiet
    opened = Manifest(out)
    assert (opened.rows, opened.fingerprint) == (local.rows, local.fingerprint)
    assert opened.metadata["counts"] == Manifest(local.out).metadata["counts"]
    assert opened.metadata["lineage"] == Manifest(local.out).metadata["lineage"]
    assert json.loads(said)["rejected"] == {"broken image": 1}  # and nothing of Ray's beside it
    assert (tmp_path / "parts.rejects.parquet").read_bytes() == (tmp_path / "local.rejects.parquet").read_bytes()
    wait_for(lambda: not any(process.is_running() for process in everyone.values()), 20)


def test_ctrl_c_ends_ray_and_resume_goes_on_with_either_engine(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    with ferdata("ingest", "folder", "--root", pictures, "-o", out, "--engine", "ray", "--workers", 2) as run:
        wait_for(lambda: at_work(run.pid))
        everyone = running({run.pid, *descendants(run.pid)})
        run.send_signal(signal.SIGINT)
        _, complaints = run.communicate(timeout=120)
    assert run.returncode == 130, complaints
    assert complaints.lstrip().startswith("Interrupted.")
    assert not out.exists()
    wait_for(lambda: not any(process.is_running() for process in everyone.values()), 20)
    done = ingest("folder", root=pictures, out=out, workers=2, resume=True)
    assert done.fingerprint == ingest("folder", root=pictures, out=tmp_path / "whole.parquet").fingerprint
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(".rejects.parquet")) == [
        "m.parquet",
        "whole.parquet",
    ]


IN_ONE_CLUSTER = """
import hashlib, os, sys
from pathlib import Path
import numpy as np
from typing import Any
from ferdata.running import ray_engine as cluster
from ferdata.running.ray_engine import Cluster
from ferdata.running.engine import run
from ferdata.errors import BrokenSource, WorkersLost
from ferdata.manifest import Manifest
from ferdata.steps.align import align
from ferdata.steps.pack import pack

made, out = map(Path, sys.argv[1:])
cluster.WINDOW_PIECES = 70
print(list(run(Cluster(2), abs, range(-150, 0))) == list(range(150, 0, -1)))  # three windows

def dies(n):
    os.kill(os.getpid(), 9)

try:
    list(run(Cluster(1), dies, [1]))
except WorkersLost as error:
    print("lost", error.hint)

done = align(made, out=out, size=48, detector="haar", engine="ray", workers=2)
print(done.fingerprint)
os.environ["FERDATA_CACHE"] = str(made.parent / "cache")
(side,) = pack(made, size=32, split=["train"], engine="ray", workers=2).sides
print(side.made, hashlib.sha256(np.load(side.path)).hexdigest())
next(made.parent.glob("data/train/fear/*.png")).write_bytes(b"")
try:
    pack(made, size=40, split=["train"], engine="ray", workers=2)
except BrokenSource as error:
    print(error.message)
import ray
print(Manifest(out).fingerprint, ray.is_initialized(), "RAY_AUTH_TOKEN" in os.environ)
"""


def test_align_and_pack_give_the_same_and_errors_of_ours_come_back(tmp_path: Path) -> None:
    for i in range(150):
        save(tmp_path / "data" / "train" / "fear" / f"{i:03}.png", face(i, side=64))
    made = ingest("folder", root=tmp_path / "data", out=tmp_path / "m").out
    local = align(made, out=tmp_path / "local.parquet", size=48, detector="haar")
    (side,) = pack(made, size=32, split=["train"]).sides
    assert (side.made, side.shape) == (True, (150, 32, 32, 1))
    code = [sys.executable, "-c", IN_ONE_CLUSTER, str(made), str(tmp_path / "ray")]
    ran = subprocess.run(code, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=400)
    assert ran.returncode == 0, ran.stderr
    inside, lost, aligned, packed, changed, after = ran.stdout.splitlines()
    assert inside == "True"
    assert lost.startswith("lost")
    assert "needs no Ray" in lost
    assert aligned == local.fingerprint
    assert packed == f"True {hashlib.sha256(np.load(side.path)).hexdigest()}"
    assert "does not decode: empty file" in changed
    assert after == f"{local.fingerprint} False False"


def test_an_archive_and_a_cluster_elsewhere_do_not_go_together(tmp_path: Path) -> None:
    import shutil

    save(tmp_path / "d" / "fear" / "1.png", face(1))
    shutil.make_archive(str(tmp_path / "faces"), "zip", tmp_path / "d")
    with pytest.raises(BadOption, match="unpacked on this machine"):
        ingest(
            "folder", root=tmp_path / "faces.zip", out=tmp_path / "m.parquet", engine="ray", address="127.0.0.1:6379"
        )


def test_an_address_where_nobody_listens_is_told_at_once(tmp_path: Path) -> None:
    save(tmp_path / "d" / "fear" / "1.png", face(1))
    with pytest.raises(BadOption, match=r"No Ray cluster answers at 127\.0\.0\.1:9: .*refused"):
        ingest("folder", root=tmp_path / "d", out=tmp_path / "m.parquet", engine="ray", address="127.0.0.1:9")
