"""Where the work on images is done: threads here, or Ray Data on worker processes, here or on a cluster.

Both run the same function over the same pieces of work and give the results in the order of the pieces.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Protocol, TypeVar

from ferdata.errors import BadOption

ENGINES = ("local", "ray")
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
    """Threads of this process: reading, decoding and hashing release the interpreter's lock."""

    elsewhere = False

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def run(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield work(item) for each item, in order, a few of them ahead of the caller."""
        waiting: deque[Future[B]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(work, item))
                    if len(waiting) > 2 * self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)


def choose(engine: str, workers: int | None, address: str | None) -> Engine:
    """Return the engine of that name. Raises BadOption, and MissingExtra where Ray is not installed."""
    if engine not in ENGINES:
        raise BadOption(f"--engine cannot be {engine!r}.", f"Choose one of {', '.join(ENGINES)}.")
    if engine == "local":
        if address:
            raise BadOption("--address is a Ray cluster's, and --engine is local.", "Add --engine ray.")
        return Threads(workers)
    from ferdata.cluster import Cluster

    return Cluster(workers, address)


def run(engine: Engine, work: Callable[[Any], B], items: Iterable[Any]) -> Iterator[B]:
    """Run `work` on an engine, and end the engine's run whatever becomes of the caller's."""
    with closing(engine.run(work, items)) as results:  # type: ignore[type-var]
        yield from results
