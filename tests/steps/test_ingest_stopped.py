"""Ingest that is stopped: no half-written manifest, nothing done twice, whoever stops it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ferdata import images
from ferdata.errors import BadOption, WorkersLost
from ferdata.manifest import Manifest, conform, file
from ferdata.steps.ingest import ingest
from tests.fakes import face, save
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


def stopped_by(call: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the image with this number raise `error` when it is decoded."""
    decode, calls = images.decode, 0

    def stop(data):
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return decode(data)

    monkeypatch.setattr(images, "decode", stop)


@pytest.mark.parametrize("name", ["Joy/0a", "fear/9z"], ids=["before", "after"])
def test_files_that_were_added_meanwhile_are_rows_once_and_no_other_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    root = emotions(tmp_path / "data", n=20)
    with monkeypatch.context() as patched:
        stopped_by(30, KeyboardInterrupt, patched)
        with pytest.raises(KeyboardInterrupt):
            ingest("folder", root=root, out=tmp_path / "m.parquet", workers=1)
    for k in range(2):
        save(root / f"{name}{k}.png", face(500 + k))
    done = ingest("folder", root=root, out=tmp_path / "m.parquet", resume=True)
    ids = Manifest(done.out).table("sample_id")["sample_id"].to_pylist()
    assert sorted(ids) == sorted(f"folder:{p.relative_to(root).as_posix()}" for p in root.rglob("*.*g"))
    assert done.fingerprint == ingest("folder", root=root, out=tmp_path / "whole.parquet").fingerprint
    assert 0 <= done.unused <= done.resumed > 0
    assert (done.unused > 0) == (name == "Joy/0a")


def test_a_file_that_was_taken_away_meanwhile_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = emotions(tmp_path / "data", n=20)
    with monkeypatch.context() as patched:
        stopped_by(30, KeyboardInterrupt, patched)
        with pytest.raises(KeyboardInterrupt):
            ingest("folder", root=root, out=tmp_path / "m.parquet", workers=1)
    (root / "Joy" / "10.jpg").unlink()
    done = ingest("folder", root=root, out=tmp_path / "m.parquet", resume=True)
    assert (done.rows, done.rejected) == (39, {})
    assert done.fingerprint == ingest("folder", root=root, out=tmp_path / "whole.parquet").fingerprint


def test_an_ingest_that_is_stopped_again_while_it_copies_keeps_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = emotions(tmp_path / "data", n=900)
    with monkeypatch.context() as patched:
        stopped_by(1700, KeyboardInterrupt, patched)
        with pytest.raises(KeyboardInterrupt):
            ingest("folder", root=root, out=tmp_path / "m.parquet", workers=1)
    kept = pq.ParquetFile(tmp_path / ".m.parquet.resume").metadata.num_rows
    with monkeypatch.context() as patched:
        batches = iter(range(2))

        def second(batch):
            if next(batches, None) is None:
                raise KeyboardInterrupt
            return conform(batch)

        patched.setattr(file, "conform", second)
        with pytest.raises(KeyboardInterrupt, match="--resume to continue"):
            ingest("folder", root=root, out=tmp_path / "m.parquet", workers=1, resume=True)
    assert pq.ParquetFile(tmp_path / ".m.parquet.resume").metadata.num_rows == kept > 1500
    done = ingest("folder", root=root, out=tmp_path / "m.parquet", resume=True, workers=1)
    assert done.resumed == kept
    assert done.rows == 1800


def test_an_error_in_the_middle_keeps_what_was_done_and_resume_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = emotions(tmp_path / "data", n=20)
    with monkeypatch.context() as patched:
        stopped_by(30, MemoryError, patched)
        with pytest.raises(MemoryError):
            ingest("folder", root=root, out=tmp_path / "m.parquet", workers=1)
    assert [p.name for p in tmp_path.iterdir() if "m.parquet" in p.name] == [".m.parquet.resume"]
    done = ingest("folder", root=root, out=tmp_path / "m.parquet", resume=True)
    assert done.resumed > 20
    assert done.rows == 40
