"""Where the work on images is done: processes here, or Ray Data on worker processes, here or on a cluster.

All run the same function over the same pieces of work and give the results in the order of the pieces.
"""

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol, TypeVar

from ferdata.errors import BadOption, choose_one
from ferdata.running.machine import cores
from ferdata.running.processes import Processes, Threads

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


def local(workers: int | None = None, large: bool = False) -> Engine:
    """Return the engine of this machine: processes where forking is safe and allowed, else threads.

    That is on Linux, and not in a worker of somebody's own pool, which may have no children. Threads, too, where
    results are `large`: pictures of 224 pixels in colour take half as long again to be handed over as to be made.
    Raises BadOption.
    """
    if workers is not None and workers < 1:
        raise BadOption(f"--workers cannot be {workers}.", "Give a number of processes, 1 or more.")
    forks = sys.platform == "linux" and not multiprocessing.current_process().daemon
    return Processes(workers) if forks and not large and (workers or cores()) > 1 else Threads(workers)


def choose(engine: str, workers: int | None, address: str | None, large: bool = False) -> Engine:
    """Return the engine of that name; `large` as in `local`. Raises BadOption, MissingExtra."""
    if engine not in ENGINES:
        raise BadOption(f"--engine cannot be {engine!r}.", choose_one(engine, ENGINES))
    if engine == "local":
        if address:
            raise BadOption("--address names a Ray cluster, but --engine is local.", "Add --engine ray.")
        return local(workers, large)
    from ferdata.running.ray_engine import Cluster

    return Cluster(workers, address)


def run(engine: Engine, work: Callable[[Any], B], items: Iterable[Any]) -> Iterator[B]:
    """Run `work` on an engine, and end the engine's run whatever becomes of the caller's."""
    with closing(engine.run(work, items)) as results:  # type: ignore[type-var]
        yield from results
