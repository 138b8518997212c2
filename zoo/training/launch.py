"""A process for each of several devices: started, heard, and ended together.

The caller's process is none of them. Whatever one dies of, and whatever the others then wait for in their group (NCCL's
kernels wait for ever, and its watchdog ends the process it is in), the caller is free to end them all and to say why.
"""

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import torch

from ferdata.errors import BrokenRun, FerdataError, FerdataWarning, WorkersLost
from zoo.options.options import TrainConfig
from zoo.training.distributed import Place, meet

if TYPE_CHECKING:
    from zoo.training.state import Say

STOPPING = 60.0  # seconds for keeping the weights after Ctrl-C
LEAVING = 10.0  # seconds for leaving the group
SPREADING = 0.5  # seconds in which one that was killed is seen to be gone, where the others report a lost connection
LAST_WORDS = 4000  # characters
LEAVE: Literal["leave"] = "leave"
AGAIN = "--resume goes on from the last whole epoch."

T = TypeVar("T")
Work = Callable[[Place, "Say"], T]
# What a process sends: what it says, what it warns of, its result, or why there is none.
Message = tuple[Literal["says", "warns", "done", "failed"], Any]


def launch(config: TrainConfig, work: Work[T], say: "Say") -> T:
    """Do `work`, a function that can be pickled, in a process for each device; return what the leading one returns.

    `say` is given what the leading one says. The first that fails ends all, at once. Raises what it raised if that is
    one of FerdataError's kinds or the system's refusal, else BrokenRun with its traceback; WorkersLost for one that
    was killed. On Ctrl-C the leading one is asked to stop, and its KeyboardInterrupt goes on.
    """
    with tempfile.TemporaryDirectory(prefix="ferdata-") as meeting:
        crew = [_Process(Place(rank, config.devices), config, work, Path(meeting)) for rank in range(config.devices)]
        try:
            with _holding_ctrl_c_back():
                for process in crew:
                    process.start()
            try:
                kind, value = _attend(crew, say)
            except KeyboardInterrupt:
                kind, value = crew[0].stop(say)
        finally:
            _end(crew)
    if kind == "failed":
        raise value
    made: T = value
    return made


@contextmanager
def _holding_ctrl_c_back() -> Iterator[None]:
    """Start processes that never hear of Ctrl-C: it is for this one, which asks the leading one to stop."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # until Python 3.12 its start lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _attend(crew: "Sequence[_Process]", say: "Say") -> Message:
    """Hear all of them until their work is done or one has failed; return what the leading one made, or why not."""
    working, made = list(crew), None
    while working:
        ready = wait([process.pipe for process in working])
        for process in [process for process in working if process.pipe in ready]:
            kind, value = process.hear(say)
            if kind == "failed":
                return kind, _cause(crew, value)
            if kind == "done":
                working.remove(process)
                made = value if process.place.leads else made
    for process in crew:
        process.answer(LEAVE)
    for process in crew:
        process.process.join(LEAVING)
    return "done", made


def _cause(crew: "Sequence[_Process]", error: BaseException) -> BaseException:
    """Return why all ends: one that is gone explains the errors of those that wait for it."""
    wait([process.process.sentinel for process in crew], SPREADING)
    return next((process.lost() for process in crew if not process.process.is_alive()), error)


def _end(crew: "Sequence[_Process]") -> None:
    """End those that have not ended, whatever they are at."""
    begun = [process.process for process in crew if process.process.pid is not None]
    for process in begun:
        process.kill()
    for process in begun:
        process.join()


class _Process:
    """The process of a device, as the caller's process has it."""

    def __init__(self, place: Place, config: TrainConfig, work: Work[Any], meeting: Path) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self.place, self.log = place, meeting / f"device-{place.rank}.log"
        self.pipe, self._theirs = context.Pipe()
        threads = max(1, torch.get_num_threads() // place.devices)
        given = (place, config, work, meeting / "store", self.log, threads, self._theirs)
        self.process = context.Process(target=_serve, args=given, name=f"ferdata train, device {place.rank}")

    def start(self) -> None:
        """Start it. From here on its end of the pipe is its own, so that its end is seen."""
        self.process.start()
        self._theirs.close()

    def hear(self, say: "Say") -> Message:
        """Return its next message, passed on if it is words; one that is gone has failed."""
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            return "failed", self.lost()
        if kind == "says":
            say(value)
            self.answer()
        elif kind == "warns":
            warnings.warn(value, stacklevel=2)
        return kind, value

    def answer(self, word: Literal["go on", "leave"] = "go on") -> None:
        """Let it go on, or leave, if it has not."""
        with contextlib.suppress(OSError):
            self.pipe.send(word)

    def lost(self) -> WorkersLost:
        """Return that it is gone, by what, and what it last wrote."""
        self.process.join(LEAVING)
        code = self.process.exitcode or 0
        how = f"ended by itself, with exit code {code}"
        if code < 0:
            memory = ", as happens when memory runs out" if code == -signal.SIGKILL else ""
            how = f"was killed (signal {-code}, {signal.Signals(-code).name}){memory}"
        words = self._last_words()
        return WorkersLost(
            f"The process of device {self.place.rank} {how}." + (f" It last wrote:\n{words}" if words else ""),
            f"If memory ran out, free some, or give a smaller --batch. {AGAIN}",
        )

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        # Python ends its own by naming every compiled module there is.
        return "\n".join(line for line in lines if not line.startswith("Extension modules:")).strip()[-LAST_WORDS:]

    def stop(self, say: "Say") -> Message:
        """Have it keep what it has; return its KeyboardInterrupt, which has its words if it comes to them in time."""
        self.process.terminate()
        while self.pipe.poll(STOPPING):
            kind, value = self.hear(say)
            if isinstance(value, KeyboardInterrupt):
                return kind, value
            if kind in ("done", "failed"):
                break
        return "failed", KeyboardInterrupt()


def _serve(
    place: Place, config: TrainConfig, work: Work[Any], store: Path, log: Path, threads: int, pipe: Connection
) -> None:
    """Be the process of a device: do the work, hand over what came of it, and stay until no other needs it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Schedulers send it to every process: the leading one then keeps the weights, and needs the others for that.
    signal.signal(signal.SIGTERM, _interrupt_once if place.leads else signal.SIG_IGN)
    if not place.leads:
        _write_to(log)  # its bars and notes would cross those of the leading process
    torch.set_num_threads(threads)
    caller = pipe if place.leads else None
    try:
        with _passing_warnings_on(caller):
            meet(store, place, config)
            outcome: Message = "done", work(place, partial(_say, caller))
    except BaseException as error:
        outcome = "failed", _portable(error, place)
    signal.signal(signal.SIGTERM, _pass_over)
    pipe.send(outcome)
    # If it left now, the others would lose its connection, and report that. An answer to its last words may come first:
    # one that was interrupted while it waited has not read it.
    while pipe.recv() != LEAVE:
        pass
    torch.distributed.destroy_process_group()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, whatever this one waits for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _interrupt_once(number: int, frame: object) -> NoReturn:  # noqa: ARG001  # what a signal's handler is given
    signal.signal(signal.SIGTERM, _pass_over)  # a second one would interrupt the keeping of the weights
    raise KeyboardInterrupt


def _pass_over(number: int, frame: object) -> None:
    """Do nothing for a signal. Where it was heard before, SIG_IGN is no way: Python shows one that comes in between."""


def _write_to(log: Path) -> None:
    """Have all that this process writes go to a file: what a library says as it dies, and where Python then was."""
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    faulthandler.enable(all_threads=False)


@contextmanager
def _passing_warnings_on(caller: Connection | None) -> Iterator[None]:
    """Send our own warnings to the caller's process, whose filters decide; those of a follower to nobody."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, *where: Any, **more: Any) -> None:
            if not isinstance(message, FerdataWarning):
                shown(message, *where, **more)
            elif caller is not None:
                caller.send(("warns", message))

        warnings.simplefilter("always", FerdataWarning)
        warnings.showwarning = show
        yield


def _say(caller: Connection | None, line: str) -> None:
    """Have the caller's process say a line, and wait until it has: the next bar comes below. Others are silent."""
    if caller is not None:
        caller.send(("says", line))
        caller.recv()


def _portable(error: BaseException, place: Place) -> BaseException:
    """Return the error as it can be pickled and be told by its kind; one that nobody foresaw with its traceback."""
    # Of the system's errors the plain one, as that of a full disk; those of its subclasses may not pickle.
    if isinstance(error, FerdataError | KeyboardInterrupt) or type(error) is OSError:
        return error
    trace = "".join(traceback.format_exception(error))
    return BrokenRun(f"The process of device {place.rank} failed: {type(error).__name__}: {error}\n\n{trace}", AGAIN)
