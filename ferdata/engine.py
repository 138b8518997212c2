"""Where the work on images is done: processes here, or Ray Data on worker processes, here or on a cluster.

All run the same function over the same pieces of work and give the results in the order of the pieces.
"""

import gc
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from typing import Any, Protocol, TypeVar

from ferdata.errors import BadOption, WorkersLost

ENGINES = ("local", "ray")
AHEAD = 3  # pieces that each worker has been given and the caller has not taken
A = TypeVar("A")
B = TypeVar("B")


class Engine(Protocol):
    """What runs a function over pieces of work; `elsewhere` where that may be on other machines."""

    @property
    def elsewhere(self) -> bool:
        """Whether workers may be machines that see no more than shared folders."""

    def run(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield work(item) for each item, in order; an error of `work` is raised here."""


class Threads:
    """Threads of this process: enough where pictures are large, since decoding them releases the interpreter's lock."""

    elsewhere = False

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()

    def run(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield work(item) for each item, in order, a few of them ahead of the caller."""
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                yield from _in_order(pool, AHEAD * self.workers, work, items)
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
        fork = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(self.workers, mp_context=fork, initializer=_be_a_worker)
        try:
            _begin(pool)
            yield from _in_order(pool, AHEAD * self.workers, work, itertools.chain(begun, remaining))
        except BrokenProcessPool:
            raise WorkersLost(
                "A worker process has been killed, as happens when memory runs out.",
                "Free some, or use fewer with --workers; ingest and align go on with --resume.",
            ) from None
        except BaseException:
            for process in dict(pool._processes).values():  # what is at work need not be waited for
                process.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local(workers: int | None = None) -> Engine:
    """Return the engine of this machine: processes where forking is safe and allowed, else threads.

    That is on Linux, and not in a worker of somebody's own pool, which may have no children.
    """
    forks = sys.platform == "linux" and not multiprocessing.current_process().daemon
    return Processes(workers) if forks and (workers or cores()) > 1 else Threads(workers)


def choose(engine: str, workers: int | None, address: str | None) -> Engine:
    """Return the engine of that name. Raises BadOption, and MissingExtra where Ray is not installed."""
    if engine not in ENGINES:
        raise BadOption(f"--engine cannot be {engine!r}.", f"Choose one of {', '.join(ENGINES)}.")
    if engine == "local":
        if address:
            raise BadOption("--address is a Ray cluster's, and --engine is local.", "Add --engine ray.")
        return local(workers)
    from ferdata.cluster import Cluster

    return Cluster(workers, address)


def run(engine: Engine, work: Callable[[Any], B], items: Iterable[Any]) -> Iterator[B]:
    """Run `work` on an engine, and end the engine's run whatever becomes of the caller's."""
    with closing(engine.run(work, items)) as results:  # type: ignore[type-var]
        yield from results


def _in_order(pool: Executor, ahead: int, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    waiting: deque[Future[B]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _begin(pool: Executor) -> None:
    with warnings.catch_warnings():
        # Python 3.12 warns of threads at a fork; a worker takes none of their locks.
        warnings.filterwarnings("ignore", r".*use of fork\(\) may lead to deadlocks", DeprecationWarning)
        pool.submit(int)  # forks all of them, before the pool has threads of its own


def _be_a_worker() -> None:
    """Leave Ctrl-C and what is printed to the process that forked this one, and end with it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # what was there before the fork is not looked through, which would copy its pages
    sys.stdout = sys.stderr = None  # another thread may have held their locks at the fork
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
