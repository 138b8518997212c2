"""What is printed into a pipe that nobody reads to its end: the command ends well, and says nothing of it."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ferdata.cli import COMMANDS, run
from ferdata.cli.pipes import say
from tests.conftest import MakeManifest


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    """Yield the writing end of a pipe whose reader has gone, as `head` goes when it has its lines."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_every_command_ends_with_0_where_nobody_reads_on(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe_without_reader() as writer, os.fdopen(os.dup(writer), "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert run(arguments) == 0
        print("a last word")  # the stream can still be written to, and closed, without an error


@pytest.mark.parametrize("line", ["show MANIFEST", "stats MANIFEST", "stats MANIFEST --json", "datasets"])
def test_a_process_whose_output_nobody_reads_is_quiet(make_manifest: MakeManifest, line: str) -> None:
    manifest = make_manifest({"native_label": "happiness"}, {"native_label": "anger"})
    words = [str(manifest) if word == "MANIFEST" else word for word in line.split()]
    with pipe_without_reader() as writer:
        done = subprocess.run([sys.executable, "-m", "ferdata.cli", *words], stdout=writer, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_process_whose_output_and_errors_nobody_reads_ends_with_0() -> None:
    with pipe_without_reader() as writer:
        done = subprocess.run([sys.executable, "-m", "ferdata.cli", "datasets"], stdout=writer, stderr=writer)
    assert done.returncode == 0


def test_work_under_way_goes_on_where_nobody_reads_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe_without_reader() as writer, os.fdopen(os.dup(writer), "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        for epoch in range(3):
            say(f"epoch {epoch}")
        print("and what it came to")


def test_another_pipe_that_breaks_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise BrokenPipeError(errno.EPIPE, "a database has gone")

    monkeypatch.setattr("ferdata.cli.datasets.catalogue", broken)
    with pytest.raises(SystemExit) as end:
        run(["datasets"])
    assert end.value.code == 1
