"""How a run is made: how often, on how many cores, under which Python."""

import os
import statistics
from dataclasses import dataclass
from typing import Any

from speed.process import Measured, measure


@dataclass(frozen=True)
class Settings:
    """`peers` is the Python that has the peers, `env` what every measurement runs under; `quick` is for a look."""

    python: str
    peers: str
    env: dict[str, str]
    repeats: int
    quick: bool

    @property
    def cores(self) -> int:
        """How many cores this process may use."""
        return cores()

    def measure(self, case: str, peer: bool = False, **arguments: Any) -> Measured:
        """Run a measurement in a process of its own. Raises Failed."""
        return measure(self.env, case, self.peers if peer else self.python, **arguments)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def median(found: list[float]) -> float:
    """Return the median."""
    return statistics.median(found)
