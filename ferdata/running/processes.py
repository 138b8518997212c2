"""The workers of this machine: processes forked from this one, or its threads.

A worker process has a pipe of its own, so that its end is seen at once, whatever it was at: the pool of Python's
library waits for ever for a result whose sender was killed while it was sending.
"""

import gc
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from ferdata.errors import FerdataError, WorkersLost
from ferdata.running.machine import cores

AHEAD = 3  # pieces for each worker that have been taken, and are not yet the caller's
AT_HAND = 2  # of them in a worker: the one that it is at, and the next
A = TypeVar("A")
B = TypeVar("B")


class Threads:
    """Threads of this process: enough where pictures are large, since decoding them releases the interpreter's lock."""

    elsewhere = False

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()

    def run(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield work(item) for each item, in order, a few of them ahead of the caller."""
        waiting: deque[Future[B]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(work, item))
                    if len(waiting) > AHEAD * self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)


class Processes:
    """Processes forked from this one, for pictures so small that threads would wait for each other (FER2013's).

    A fork has all that is imported here, and no need of the program's own file, which may be a notebook. It works on
    a copy of `work`, and is killed when the caller stops: `work` must leave nothing behind but its result.
    """

    elsewhere = False

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()

    def run(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield work(item) for each item, in order, a few of them ahead. Raises WorkersLost when a process dies."""
        remaining = iter(items)
        begun = list(itertools.islice(remaining, 2))
        if len(begun) < 2:  # not worth a process
            yield from map(work, begun)
            return
        crew: list[_Worker] = []
        try:
            for _ in range(self.workers):
                crew.append(_Worker(crew))
            yield from _in_order(crew, work, itertools.chain(begun, remaining))
        finally:
            for worker in crew:
                worker.end()


def _in_order(crew: "Sequence[_Worker]", work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    remaining = iter(items)
    done: dict[int, tuple[bool, Any]] = {}
    given = taken = 0
    while True:
        while given - taken < AHEAD * len(crew) and (least := min(crew, key=lambda worker: worker.has)).has < AT_HAND:
            piece = list(itertools.islice(remaining, 1))
            if not piece:
                break
            least.give(given, work, piece[0])
            given += 1
        if taken in done:
            well, value = done.pop(taken)
            if not well:
                raise value
            taken += 1
            yield value
        elif taken == given:
            return
        else:
            ready = wait([worker.pipe for worker in crew])
            done |= [worker.take() for worker in crew if worker.pipe in ready]


class _Worker:
    """A forked process: `has` is how many pieces it was given and has not given back."""

    def __init__(self, others: "Sequence[_Worker]") -> None:
        fork = multiprocessing.get_context("fork")
        self.has = 0
        self.pipe, theirs = fork.Pipe()
        foreign = [self.pipe, *(other.pipe for other in others)]
        self._process = fork.Process(target=_serve, args=(theirs, foreign), name="ferdata worker", daemon=True)
        # A worker never hears of Ctrl-C, which is for the process that forked it: it is born with it blocked. And with
        # SIGTERM, until it means its end: before, it would meet the handler of the process that forked it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            with warnings.catch_warnings():
                # Python 3.12 warns of threads at a fork; a worker takes none of their locks.
                warnings.filterwarnings("ignore", r".*use of fork\(\) may lead to deadlocks", DeprecationWarning)
                self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    def give(self, number: int, work: Callable[[A], B], item: A) -> None:
        """Hand a piece out. Raises WorkersLost."""
        try:
            self.pipe.send((number, work, item))
        except OSError:
            raise _lost() from None
        self.has += 1

    def take(self) -> tuple[int, tuple[bool, Any]]:
        """Return a piece's number, whether it went well, and the result or the error. Raises WorkersLost."""
        try:
            number, well, value = self.pipe.recv()
        except (EOFError, OSError):
            raise _lost() from None
        self.has -= 1
        return number, (well, value)

    def end(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _lost() -> WorkersLost:
    return WorkersLost(
        "A worker process was killed, most often because memory ran out.",
        "Free some memory, or use fewer --workers.",
    )


def _serve(pipe: Connection, foreign: Sequence[Connection]) -> None:
    """Be a worker: do what comes through the pipe, until that is closed."""
    for other in foreign:
        other.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    gc.freeze()  # what was there before the fork is not looked through, which would copy its pages
    sys.stdout = sys.stderr = None  # another thread may have held their locks at the fork
    pieces: SimpleQueue[tuple[int, Callable[[Any], Any], Any]] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, pieces), daemon=True).start()
    while True:
        number, work, item = pieces.get()
        try:
            well, value = True, work(item)
        except BaseException as error:
            if not isinstance(error, FerdataError):
                error.add_note(traceback.format_exc())  # where it happened does not travel with it
            well, value = False, error
        try:
            pipe.send((number, well, value))
        except OSError:  # nobody is there any more
            os._exit(1)
        except Exception as error:  # what cannot be pickled is said in words; nothing of it has been sent
            pipe.send((number, False, RuntimeError(f"{value!r} cannot be sent to a worker process: {error}")))


def _receive(pipe: Connection, pieces: "SimpleQueue[Any]") -> None:
    """Take pieces in while others are worked at, so that who sends them never waits; end with whom they come from."""
    try:
        while True:
            pieces.put(pipe.recv())
    finally:
        os._exit(1)
