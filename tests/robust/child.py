"""One case in a child of its own: forked from a parent that has imported everything, under limits, its end reported."""

import contextlib
import faulthandler
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferdata.errors import FerdataError

DONE, REFUSED, TRACEBACK, KILLED = "done", "refused", "traceback", "killed"
CLOCK = "the clock"
GIGABYTE = 1 << 30
LOG = os.O_WRONLY | os.O_CREAT | os.O_APPEND
STRANGER = 12345  # a user without root's rights, which no folder is closed to
LONGEST_MESSAGE = 4000  # characters


@dataclass(frozen=True)
class Ended:
    """How a child ended: `how`, what it returned, or what it raised and where."""

    how: str
    value: Any = None
    kind: str = ""
    message: str = ""
    hint: str = ""
    where: str = ""
    seconds: float = 0.0
    megabytes: int = 0

    @property
    def fault(self) -> str:
        """What no input may lead to, in words; "" where it ended as it may."""
        if self.how == TRACEBACK:
            return f"{self.kind} at {self.where}: {self.message[:300]!r}"
        if self.how == KILLED:
            return f"killed by {self.kind} after {self.seconds:.1f} s: {self.message}"
        if self.how == REFUSED and not (self.message.strip() and self.hint.strip()):
            return "an error without a message or a hint"
        if self.how == REFUSED and len(self.message) + len(self.hint) > LONGEST_MESSAGE:
            return f"an error of {len(self.message) + len(self.hint):,} characters: {self.message[:120]!r}"
        return ""


def in_child(
    work: Callable[[], Any],
    folder: Path,
    *,
    seconds: float = 30.0,
    memory: int | None = 4 * GIGABYTE,
    user: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run `work` in a forked child in `folder`, with so much address space and time, and say how it ended.

    A child that the clock kills is tried once more: one that was forked beside another thread may wait for a lock that
    nobody in it holds, and a work that hangs by itself hangs again.
    """
    first = _in_child(work, folder, seconds, memory, user, environment or {})
    return _in_child(work, folder, seconds, memory, user, environment or {}) if first.kind == CLOCK else first


def _in_child(
    work: Callable[[], Any],
    folder: Path,
    seconds: float,
    memory: int | None,
    user: int | None,
    environment: Mapping[str, str],
) -> Ended:
    answer = folder.parent / f"{folder.name}.answer.json"
    log = folder.parent / f"{folder.name}.log"
    answer.unlink(missing_ok=True)
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(0.8 * seconds, file=os.fdopen(os.open(log, LOG, 0o666), "w"))
        _be_child(work, folder, answer, log, memory, user, environment)
    status = _wait(pid, started + seconds)
    took = time.monotonic() - started
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # workers that it left
    if status is None or os.WIFSIGNALED(status):
        kind = CLOCK if status is None else f"signal {os.WTERMSIG(status)}"
        return Ended(KILLED, kind=kind, message=log.read_text("utf-8", "replace")[-2000:], seconds=took)
    try:
        return Ended(**json.loads(answer.read_bytes()), seconds=took)
    except (OSError, ValueError):
        return Ended(TRACEBACK, kind="no answer", message=log.read_text("utf-8", "replace")[-800:], seconds=took)


def killed(
    work: Callable[[], Any], folder: Path, after: float, everybody: bool, environment: Mapping[str, str]
) -> bool:
    """Run `work` in a child and kill it, or it and its workers, after some seconds; return whether it had ended."""
    pid = os.fork()
    if pid == 0:
        answer, log = (folder.parent / f"{folder.name}.{kind}" for kind in ("answer.json", "log"))
        _be_child(work, folder, answer, log, None, None, environment)
    time.sleep(after)
    ended = os.waitpid(pid, os.WNOHANG)[0] != 0
    if not ended:
        if everybody:
            with contextlib.suppress(ProcessLookupError):  # it may not have made a group of its own yet
                os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)  # it is there until it is waited for
        os.waitpid(pid, 0)
    time.sleep(0.05)  # its workers see the pipe close
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return ended


def _wait(pid: int, until: float) -> int | None:
    """Return a child's status; None where it had to be killed."""
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > until:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0.002)


def _be_child(
    work: Callable[[], Any],
    folder: Path,
    answer: Path,
    log: Path,
    memory: int | None,
    user: int | None,
    environment: Mapping[str, str],
) -> None:
    code = 70
    try:
        os.setpgid(0, 0)
        opened = os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        _redirect(log)
        _limit(memory)
        os.environ.update(environment)
        os.chdir(folder)
        if user:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        told = {**_run(work), "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}
        os.write(opened, json.dumps(told, default=str).encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(log: Path) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for opened, stream in ((null, 0), (out, 1), (out, 2)):
        os.dup2(opened, stream)
    # A test runner has put its own in the place of these.
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", closefd=False) for stream in (1, 2))


def _limit(memory: int | None) -> None:
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * GIGABYTE, 2 * GIGABYTE))


def _run(work: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"how": DONE, "value": work()}
    except FerdataError as error:
        return {"how": REFUSED, "kind": type(error).__name__, "message": error.message, "hint": error.hint}
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/ferdata/" in frame.filename or "/zoo/" in frame.filename]
        last = (ours or frames)[-1]
        where = "/".join(Path(last.filename).parts[-3:]) + f":{last.lineno}"
        return {"how": TRACEBACK, "kind": type(error).__name__, "message": str(error), "where": where}
