"""Ingest that is stopped: no half-written manifest, nothing done twice, whoever stops it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ferdata import images
from ferdata.errors import BadOption, WorkersLost
from ferdata.steps.ingest import ingest
from tests.steps.test_ingest import emotions

SLOW = """
import os, sys, time
from ferdata import images
decode = images.decode
def slow(data):
    os.write(1, b"image\\n")  # a worker prints nothing
    time.sleep(1)
    return decode(data)
images.decode = slow
from ferdata.cli import main
sys.argv[1:] = ["ingest", "folder", "--root", sys.argv[1], "-o", sys.argv[2]]
main()
"""


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_ingest_that_is_stopped_leaves_no_manifest_and_the_next_succeeds(
    tmp_path: Path, how: signal.Signals, code: int
) -> None:
    root = emotions(tmp_path / "data", n=20)
    out = tmp_path / "out" / "m.parquet"
    arguments = [sys.executable, "-c", SLOW, str(root), str(out)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "image\n"
        time.sleep(0.1)
        process.send_signal(how)
        _, said = process.communicate(timeout=120)
    assert process.returncode == code, said
    assert not out.exists()
    if how != signal.SIGKILL:
        assert "Interrupted" in said
    assert ingest("folder", root=root, out=out).rows == 40
    assert [p.name for p in out.parent.iterdir()] == ["m.parquet"]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_worker_that_is_killed_stops_the_ingest_and_resume_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = emotions(tmp_path / "data", n=900)
    whole = ingest("folder", root=root, out=tmp_path / "whole.parquet")
    last = max(p.read_bytes() for p in (root / "Joy").iterdir())
    decode = images.decode

    def die(data):
        if data == last:
            time.sleep(1)  # while others are done
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(data)

    monkeypatch.setattr(images, "decode", die)
    with pytest.raises(WorkersLost, match="killed"):
        ingest("folder", root=root, out=tmp_path / "m.parquet", workers=2)
    assert [p.name for p in tmp_path.glob("*m.parquet*")] == [".m.parquet.resume"]
    monkeypatch.undo()
    done = ingest("folder", root=root, out=tmp_path / "m.parquet", resume=True)
    assert (done.fingerprint, done.rows) == (whole.fingerprint, 1800)


def test_an_interrupted_ingest_goes_on_with_resume_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = emotions(tmp_path / "data", n=900)
    (root / "fear" / "0.png").write_bytes(b"")
    whole = ingest("folder", root=root, out=tmp_path / "whole.parquet")
    decode, calls = images.decode, 0

    def stop(data):
        nonlocal calls
        calls += 1
        if calls == 1200:
            raise KeyboardInterrupt
        return decode(data)

    monkeypatch.setattr(images, "decode", stop)
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        ingest("folder", root=root, out=tmp_path / "m.parquet", workers=1)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".m")) == [".m.parquet.resume"]
    with pytest.raises(BadOption, match="other options"):
        ingest("folder", root=root, out=tmp_path / "m.parquet", resume=True, votes="crossentropy")
    calls = 10_000
    done = ingest("folder", root=root, out=tmp_path / "m.parquet", resume=True, workers=1)
    assert 10_000 < calls < 10_000 + 1799 - 512
    assert (done.fingerprint, done.rows, done.rejected) == (whole.fingerprint, whole.rows, whole.rejected)
    assert not (tmp_path / ".m.parquet.resume").exists()
