"""The App on its port: refused where it is taken, ended by Ctrl-C, and what is said when the database dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ferdata.errors import BadOption, NoApp, NoDatabase
from ferdata.reviewing.fiftyone import decide, start
from ferdata.steps.pull import pull
from ferdata.steps.review import review
from tests.reviewing.fiftyone.conftest import Mongod
from tests.reviewing.fiftyone.loaded import free_port, ids, load, shown


def test_a_port_that_is_taken_is_told_before_the_work(made: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadOption, match=f"Port {port}") as told:
            review(made, port=port)
    assert f"--port {port + 1}" in told.value.hint


def test_a_server_that_does_not_start_in_time_is_a_clear_word(
    fo: Any, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone.core import service

    def late(*given: object, **named: object) -> None:
        raise service.ServiceListenTimeout("ServerService", 5151)

    monkeypatch.setattr(service.Service, "_wait_for_child_port", late)
    with pytest.raises(NoApp, match="server did not start on port") as told:
        review(made, port=free_port(), browser=False)
    assert "run the same command again" in told.value.hint


LATE = """
import requests
from fiftyone.core.session import client
real, failed = client._ping, []
def ping(url):
    if not failed:
        failed.append(url)
        raise requests.ConnectionError("not yet")
    real(url)
client._ping = ping
from ferdata.cli import main
main()
"""


@pytest.mark.slow
def test_the_address_is_told_once_fiftyones_session_has_joined_and_nothing_else_with_it(fo: Any, made: Path) -> None:
    """It fails once here, as on a busy machine, and then waits for ten seconds; joining closes every open face."""
    import psutil

    port = free_port()
    running = subprocess.Popen(
        [sys.executable, "-c", LATE, "review", str(made), "--no-browser", "--port", str(port), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert running.stdout is not None
    lines = []
    try:
        for line in running.stdout:
            lines.append(line)
            if line == "}\n":
                break
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30)
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self' ")  # no font from elsewhere
        connections = psutil.Process(running.pid).net_connections()
        assert [c for c in connections if c.raddr and c.raddr.port == port and c.status == "ESTABLISHED"]
    finally:
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=90)
    assert json.loads("".join(lines))["url"].startswith(f"http://127.0.0.1:{port}/datasets/")
    assert err == ""
    assert running.returncode == 0, err


@pytest.mark.slow
def test_a_mongod_that_dies_in_mid_review_is_a_clear_word_and_loses_nothing(
    fo: Any, made: Path, mongod: Mongod
) -> None:
    """It dies while the App is open; what was decided is there when it is started again."""
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    script = "import sys; from ferdata.cli import main; main()"
    arguments = ["review", str(made), "--no-browser", "--port", str(free_port())]
    running = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("App"):
            break
    try:
        mongod.stop("kill")
        _, err = running.communicate(timeout=90)
        assert running.returncode == 1, err
        assert "database does not answer any more" in err
        assert "Run the same command again" in err
        assert "Traceback" not in err
        with pytest.raises(NoDatabase, match=r"No MongoDB answers at mongodb://127\.0\.0\.1"):
            start._connect(fo)
    finally:
        mongod.start()
    assert pull(made).new == 1


@pytest.mark.slow
def test_ctrl_c_ends_the_app_and_the_mongod_that_it_started(made: Path, tmp_path: Path, mongod: Mongod) -> None:
    import psutil

    environment = {k: v for k, v in os.environ.items() if k not in ("FIFTYONE_DATABASE_URI", "FIFTYONE_PLUGINS_DIR")}
    environment |= {"FIFTYONE_DATABASE_DIR": str(tmp_path / "db"), "PYTHONUNBUFFERED": "1"}
    port = free_port()
    running = subprocess.Popen(
        [sys.executable, "-m", "ferdata.cli", "review", str(made), "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment,
    )  # fmt: skip
    assert running.stdout is not None
    try:
        for line in running.stdout:
            if line.startswith("App"):
                break
        with socket.create_connection(("127.0.0.1", port)):
            pass  # it listens
        addresses = {c.laddr.ip for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port}
        assert addresses <= {"127.0.0.1"}
    finally:
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=90)
    assert running.returncode == 0, out + err
    assert "Nothing to pull" in out
    assert "Traceback" not in err, err
    end = time.monotonic() + 30
    while left := [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path / "db") in (p.info["cmdline"] or ())]:
        assert time.monotonic() < end, left
        time.sleep(0.2)
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        pass
