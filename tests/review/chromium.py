"""A headless Chromium, driven over its DevTools protocol: what a test of the App needs, and no driver beside it."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", "--window-size=1500,950",
)  # fmt: skip


class Tab:
    """One tab: look at it, point at it, type into it."""

    def __init__(self, socket: ClientConnection, shots: Path) -> None:
        self.socket, self.shots, self.number = socket, shots, 0
        self.call("Page.enable")
        self.call("Runtime.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv(timeout=120))
            if said.get("id") == self.number:
                assert "error" not in said, said
                return said["result"]

    def js(self, code: str) -> Any:
        """Return the value of an expression."""
        said = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def wait(self, code: str, seconds: float = 90) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.js(f"Boolean({code})"):
            assert time.monotonic() < end, f"not so after {seconds} s: {code}\n{self.js('document.body.innerText')}"
            time.sleep(0.2)

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def at(self, element: str, dx: float | None = None, dy: float | None = None) -> tuple[float, float]:
        """Return the middle of the element that an expression gives, or a place from its left upper corner."""
        rectangle = "const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
        seen = f"const e = {element}; e.scrollIntoView({{block: 'nearest'}});"
        x, y, w, h = self.js(f"(() => {{ {seen} {rectangle} }})()")
        return x + (w / 2 if dx is None else dx), y + (h / 2 if dy is None else dy)

    def click(self, element: str, dx: float | None = None, dy: float | None = None) -> None:
        """Move to an element, and click."""
        x, y = self.at(element, dx, dy)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        time.sleep(0.3)  # what appears under the pointer
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, key: str) -> None:
        """Press and release a key."""
        code = {"windowsVirtualKeyCode": ord(key.upper()) if len(key) == 1 else 27}
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **code, **text)

    def shot(self, name: str) -> None:
        """Keep a screenshot."""
        self.shots.mkdir(parents=True, exist_ok=True)
        data = self.call("Page.captureScreenshot", format="png")["data"]
        (self.shots / f"{name}.png").write_bytes(base64.b64decode(data))


@contextmanager
def chromium(shots: Path) -> Iterator[Tab]:
    """Run a Chromium with a fresh profile while the block runs; skipped where there is none."""
    program = next((p for name in NAMES if (p := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    profile = Path(tempfile.mkdtemp(prefix="ferdata-chromium-"))
    running = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _port(profile / "DevToolsActivePort", running)
        with connect(_page(port), max_size=None) as socket:
            yield Tab(socket, shots)
    finally:
        running.terminate()
        running.wait()
        shutil.rmtree(profile, ignore_errors=True)


def _port(file: Path, running: "subprocess.Popen[bytes]") -> int:
    end = time.monotonic() + 60
    while not file.is_file() or not file.read_text():
        assert time.monotonic() < end
        assert running.poll() is None, f"chromium ended with {running.returncode}"
        time.sleep(0.1)
    return int(file.read_text().splitlines()[0])


def _page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
        return str(next(t["webSocketDebuggerUrl"] for t in json.load(answer) if t["type"] == "page"))
