"""How long training goes on, and at which rate: one warm-up and one descent that end when the time or the steps do."""

import math
import time
from collections.abc import Callable

from ferdata.errors import BadOption

WARM_UP = 0.25  # share of the run; Smith and Topin 2017, arXiv 1708.07120, as PyTorch's OneCycleLR has it
FIRST = 1 / 25  # of the peak
LAST = 1e-4
FINISH = 4.0  # seconds kept for loading the best weights, charts and report


def one_cycle(progress: float) -> float:
    """Return the rate at `progress` (0..1) through the run, as a share of its peak; cosine up, cosine down."""
    if progress < WARM_UP:
        return FIRST + (1 - FIRST) * 0.5 * (1 - math.cos(math.pi * progress / WARM_UP))
    down = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * down))


class Schedule:
    """How far a run is, by steps and by the clock, whichever is further.

    With a limit the rate follows the time itself, so that the descent ends in time on any machine, however its speed
    changes under way; the price is that such a run cannot be repeated to the bit.
    """

    def __init__(self, limit: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock: `limit` is in seconds from now, loading and the last scoring included."""
        self.limit, self.clock = limit, clock
        self.started = self.began = clock()
        self.steps = 1
        self.reserve = FINISH
        self.estimates: list[float] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    def begin(self, steps: int) -> None:
        """Begin training, of at most `steps` steps. Raises BadOption if loading has used up the limit."""
        self.began, self.steps = self.clock(), steps
        if self.limit is not None and self.elapsed + self.reserve >= self.limit:
            raise BadOption(
                f"Loading took {self.elapsed:.0f} s, which leaves no time to train within {self.limit:.0f} s.",
                f"Give --time-limit more than {self.elapsed + 3 * self.reserve:.0f}s.",
            )

    def keep(self, seconds: float) -> None:
        """Keep time at the end for the last scoring, which took `seconds` as estimated now, and for finishing.

        The mean of all estimates counts, with half as much again: one slow moment must not end a run at once.
        """
        self.estimates.append(seconds)
        self.reserve = FINISH + 1.5 * sum(self.estimates) / len(self.estimates)

    def progress(self, step: int) -> float:
        """Return how far the run is after `step` steps: 0..1, where 1 is the end."""
        done = step / self.steps
        if self.limit is not None:
            end = self.started + self.limit - self.reserve
            done = max(done, (self.clock() - self.began) / max(end - self.began, 1e-9))
        return min(done, 1.0)
