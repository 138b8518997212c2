"""`ferdata predict --serve` under attack, on the loopback alone: it refuses what is no honest question, and goes on."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.robust import mutate_text, pictures
from tests.robust.extent import cases, chance, record
from tests.robust.made import Made

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(trained: Made) -> Iterator[tuple[str, int]]:
    """Serve the run, and give the server's address; it ends by Ctrl-C, without a traceback."""
    line = [
        sys.executable,
        "-m",
        "ferdata.cli",
        "predict",
        str(trained.run),
        "--serve",
        "--port",
        "0",
        "--detect",
        "none",
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+)", process.stdout.readline())
        assert found
        yield "127.0.0.1", int(found[1])
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.communicate(timeout=60)[1]


def ask(server: tuple[str, int], method: str, path: str, body: bytes = b"", **headers: str) -> int:
    """Ask, and return the answer's status; 0 where the server hung up."""
    link = http.client.HTTPConnection(*server, timeout=30)
    try:
        link.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return link.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        link.close()


def raw(server: tuple[str, int], data: bytes) -> bytes:
    """Send bytes as they are, and return the first of the answer."""
    with socket.create_connection(server, 30) as link:
        link.sendall(data)
        link.shutdown(socket.SHUT_WR)
        return link.recv(200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"Host": "127.0.0.1:1"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"}, {"Content_Type": "text/plain"}, {"Content_Type": "multipart/form-data"},
    ],
    ids=str,
)  # fmt: skip
def test_a_strangers_page_gets_no_answer(server: tuple[str, int], trained: Made, headers: dict[str, str]) -> None:
    face = next(trained.faces.rglob("*.png")).read_bytes()
    assert ask(server, "POST", "/faces", face, Content_Type="image/png") == 200
    assert ask(server, "POST", "/faces", face, **{"Content_Type": "image/png", **headers}) in (400, 403, 415, 421)


@pytest.mark.parametrize("length", ["-1", "9" * 5000, "1e3", "0x10"])
def test_a_length_that_is_none_is_refused(server: tuple[str, int], length: str) -> None:
    host = f"{server[0]}:{server[1]}"
    head = f"POST /faces HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\nx"
    assert re.match(rb"HTTP/1\.[01] 4\d\d", raw(server, head.encode()))


@pytest.mark.parametrize("path", ["/../../etc/passwd", "//etc/passwd", "/%2e%2e/etc/passwd", "/" + "a" * 70000])
def test_a_path_that_leads_elsewhere_is_refused(server: tuple[str, int], path: str) -> None:
    assert ask(server, "GET", path) in (0, 400, 404, 414, 421)


def test_odd_pictures_are_answered_with_faces_or_refused(server: tuple[str, int], trained: Made) -> None:
    face = next(trained.faces.rglob("*.png")).read_bytes()
    numbers = cases(short=8, whole=120)
    for number in numbers:
        luck = chance("serve", number)
        what, data = pictures.odd(luck) if luck.random() < 0.5 else ("bits", mutate_text.flipped(face, luck))
        assert ask(server, "POST", "/faces", data, Content_Type="image/png") in (200, 400), (number, what)
    record("serve", Counter({"tried": len(numbers)}))
    assert ask(server, "POST", "/faces", face, Content_Type="image/png") == 200
