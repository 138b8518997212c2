"""A measurement in a fresh process: how long its work took, and the most memory that it held.

    python -m speed.process MODULE:FUNCTION OUT ARGUMENTS

is the other end: it calls the function with the arguments (JSON) and writes what it returns (JSON) to OUT. Functions
import what they need before they take the time, so that only the work counts.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent.parent
MB = 1 << 20


@dataclass(frozen=True)
class Measured:
    """What a function returned; `seconds` of the whole process, start included; `mb` that it and its children held."""

    found: dict[str, Any]
    seconds: float
    mb: float


class Failed(Exception):
    """A measurement that did not end well; the message is the end of what it said."""


def environment(work: Path, threads: int) -> dict[str, str]:
    """Return the variables that every measurement runs under: all caches below `work`, nothing sent anywhere."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(BENCHMARKS), str(BENCHMARKS.parent)]),
        "OMP_NUM_THREADS": str(threads),
        "FERDATA_CACHE": str(work / "cache"),
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(work / "hf"),
        "FIFTYONE_DATABASE_DIR": str(work / "mongo"),
        "FIFTYONE_DO_NOT_TRACK": "true",
        "FIFTYONE_SHOW_PROGRESS_BARS": "false",
        "FIFTYONE_CONFIG_PATH": str(work / "fiftyone.json"),
    }


def measure(env: dict[str, str], case: str, python: str = sys.executable, **arguments: Any) -> Measured:
    """Run `case`, "module:function" of this folder, in a process of its own. Raises Failed."""
    with tempfile.TemporaryDirectory() as temporary:
        out, said = Path(temporary, "found.json"), Path(temporary, "said.txt")
        given = json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in arguments.items()})
        code, seconds, mb = run([python, "-m", "speed.process", f"speed.{case}", str(out), given], env, said)
        if code or not out.exists():
            end = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-8:]
            raise Failed(f"{case} ended with {code}:\n" + "\n".join(end))
        return Measured(json.loads(out.read_text(encoding="utf-8")), seconds, mb)


def run(command: list[str], env: dict[str, str], said: Path) -> tuple[int, float, float]:
    """Run a command, its output going to the file `said`; return exit code, seconds and most memory in MB.

    Memory is that of the process and of all that it started, together, pages that they share counted once, looked at
    ten times a second; and no less than the most that the process itself ever had. Linux counts the memory of
    whoever starts a process as the new one's own until it has begun: the caller must be small, and imports nothing
    heavy.
    """
    with said.open("wb") as file:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        ended, most = threading.Event(), [0.0]
        watch = threading.Thread(target=_watch, args=(process.pid, ended, most))
        watch.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            seconds = time.perf_counter() - begin
            ended.set()
            watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = MB if sys.platform == "darwin" else 1024
    return process.returncode, seconds, max(most[0], usage.ru_maxrss / scale)


def _watch(pid: int, ended: threading.Event, most: list[float]) -> None:
    while not ended.wait(0.1):
        most[0] = max(most[0], sum(_held(each) for each in _with_children(pid)))


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split():
                yield from _with_children(int(child))


def _held(pid: int) -> float:
    """Return a process's share of the memory that it uses, in MB."""
    with contextlib.suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        return float(rollup.partition("\nPss:")[2].split(maxsplit=1)[0]) / 1024
    return 0.0


def main() -> None:
    """Be the other end."""
    case, out, given = sys.argv[1:]
    module, function = case.split(":")
    found = getattr(importlib.import_module(module), function)(**json.loads(given))
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
