"""A real browser without a window: Chromium over its pipe, in the DevTools protocol's own JSON."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# The browser reads from 3 and writes to 4, whatever the pipes' own numbers are.
AT_3_AND_4 = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 64) for end in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-quic", "--remote-debugging-pipe",
    "--window-size=1200,800",
)  # fmt: skip
ESCAPE = 27  # its virtual key code; a letter's or digit's is that of its capital


class Browser:
    """One page of a running Chromium."""

    def __init__(self, read: int, write: int) -> None:
        self.read, self.write, self.held, self.number, self.session = read, write, b"", 0, ""
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.held:
            assert select.select([self.read], [], [], 120)[0], "the browser says nothing"
            data = os.read(self.read, 1 << 16)
            assert data, "the browser has gone"
            self.held += data
        one, self.held = self.held.split(b"\0", 1)
        return json.loads(one)

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what a console would show in red: errors, and what the page's policy forbids."""
        entry = event.get("params", {}).get("entry", {})
        if event.get("method") == "Runtime.exceptionThrown" or entry.get("level") == "error":
            self.complaints.append(json.dumps(event["params"])[:500])

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page, awaited; as if a person had just clicked."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def until(self, script: str, seconds: float = 90) -> Any:
        """Return the value of an expression (null, a truth value, number or text) as soon as it is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            said = f"not so after {seconds} s: {script}"
            assert time.monotonic() < end, f"{said}\n{self.run('document.body.innerText')}"
            time.sleep(0.2)
        return value

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def at(self, element: str, dx: float | None = None, dy: float | None = None) -> tuple[float, float]:
        """Return the middle of the element that an expression gives, or a place from its left upper corner, in px."""
        rectangle = "const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
        seen = f"const e = {element}; e.scrollIntoView({{block: 'nearest'}});"
        x, y, w, h = self.run(f"(() => {{ {seen} {rectangle} }})()")
        return x + (w / 2 if dx is None else dx), y + (h / 2 if dy is None else dy)

    def click(self, element: str, dx: float | None = None, dy: float | None = None) -> None:
        """Move to an element (see `at`), and click."""
        x, y = self.at(element, dx, dy)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        time.sleep(0.3)  # what appears under the pointer
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, key: str) -> None:
        """Press and release a key: a letter, a digit, or Escape."""
        assert len(key) == 1 or key == "Escape", key
        code = ord(key.upper()) if len(key) == 1 else ESCAPE
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    def screenshot(self, path: Path) -> None:
        """Save what a person would see, as PNG; its folder is made where there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def browser(folder: Path, *flags: str) -> Iterator[Browser]:
    """Start Chromium with a profile in `folder` (a flag overrides one of FLAGS); skip the test where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)}")
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    command = [
        sys.executable, "-c", AT_3_AND_4, str(theirs_in), str(theirs_out),
        program, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags,
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder)}
    process = subprocess.Popen(
        command, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment
    )
    for end in (theirs_in, theirs_out):
        os.close(end)
    try:
        yield Browser(ours_in, ours_out)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        for end in (ours_in, ours_out):
            os.close(end)
