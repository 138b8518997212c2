"""How long training goes on, and at which rate: by the steps and by the clock, whichever is further."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ferdata.errors import BadOption
from zoo.options.options import TrainConfig

WARM_UP = 0.25  # share of the run; Smith and Topin 2017, arXiv 1708.07120, as PyTorch's OneCycleLR has it
LONGEST_WARM_UP = 0.9  # share of a one_cycle: it has to come down, too
FIRST = 1 / 25  # of the peak
LAST = 1e-4
FINISH = 4.0  # seconds kept for loading the best weights, charts and report


def one_cycle(progress: float, rising: float = WARM_UP) -> float:
    """Return the rate at `progress` (0..1) through the run, as a share of its peak; cosine up, cosine down.

    `rising` is the share of the run in which it climbs.
    """
    if progress < rising:
        return FIRST + (1 - FIRST) * 0.5 * (1 - math.cos(math.pi * progress / rising))
    down = min(1.0, (progress - rising) / (1 - rising))
    return LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * down))


def rate(config: TrainConfig, progress: float, epochs: float, top: float, plateau: float = 1.0) -> float:
    """Return the learning rate `epochs` into a stage that is through by `progress` (0..1); `top` is its highest.

    Both are counted from where the stage's schedule began, so that each stage has a warm-up of its own. one_cycle and
    cosine go by progress, so that under a time limit they end when the time does; the others go by epochs. `plateau`
    is the share that a Plateau has come down to.
    """
    if config.schedule == "one_cycle":
        return max(config.min_lr, top * one_cycle(progress, warm_up_share(config.warmup, progress, epochs)))
    warm = FIRST + (1 - FIRST) * min(1.0, epochs / config.warmup) if config.warmup else 1.0
    if config.schedule == "cosine":
        low = min(config.min_lr, top)
        return warm * (low + (top - low) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))
    if config.schedule == "plateau":
        return warm * max(config.min_lr, top * plateau)
    return warm * max(config.min_lr, top * _steps(config, epochs))


def warm_up_share(warmup: float | None, progress: float, epochs: float) -> float:
    """Return the share of a stage in which one_cycle climbs: for `warmup` epochs of that stage; None: a quarter of it.

    How many epochs the stage will have is taken from its `progress` after `epochs` of them, since under a time limit
    nothing else tells.
    """
    if warmup is None:
        return WARM_UP
    if epochs <= 0:
        return LONGEST_WARM_UP if warmup else 0.0  # at the very first step any share gives the lowest rate
    return min(warmup * progress / epochs, LONGEST_WARM_UP)


def _steps(config: TrainConfig, epochs: float) -> float:
    """Return the share of the highest rate after so many epochs under "step", "exponential" or "constant"."""
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "step" and config.step_at:
        passed = sum(epochs >= at for at in config.step_at)
        return (1.0, *config.step_factors)[passed]
    times = max(0.0, epochs - config.step_start) / config.step_every
    return float(config.step_gamma ** (math.floor(times) if config.schedule == "step" else times))


@dataclass
class Plateau:
    """The share of the highest rate under the "plateau" schedule: less where val no longer gets better."""

    share: float = 1.0
    best: float = -math.inf
    waited: int = 0

    def look(self, score: float, config: TrainConfig) -> None:
        """Take in an epoch's score, more being better; after `plateau_patience` worse ones, lower the share."""
        if score > self.best:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited > config.plateau_patience:
            self.share, self.waited = self.share * config.plateau_factor, 0


class Schedule:
    """How far a run is, by steps and by the clock, whichever is further.

    With a limit the rate follows the time itself, so that the descent ends in time on any machine, however its speed
    changes under way; the price is that such a run cannot be repeated to the bit.
    """

    def __init__(
        self, limit: float | None, clock: Callable[[], float] = time.monotonic, started: float | None = None
    ) -> None:
        """Start the clock, now or at the moment `started`: `limit` is in seconds from then, all that comes included."""
        self.limit, self.clock = limit, clock
        self.started = self.began = clock() if started is None else started
        self.steps = 1
        self.reserve = FINISH
        self.estimates: list[float] = []
        self.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    @property
    def end(self) -> float:
        """The moment, on the clock, at which training gives way to the last scoring; infinite without a limit."""
        return math.inf if self.limit is None else self.started + self.limit - self.reserve

    def begin(self, steps: int) -> None:
        """Begin training, of at most `steps` steps. Raises BadOption if loading has used up the limit."""
        self.began, self.steps = self.clock(), steps
        if self.limit is not None and self.elapsed + self.reserve >= self.limit:
            raise BadOption(
                f"Loading took {self.elapsed:.0f} s, which leaves no time to train within {self.limit:.0f} s.",
                f"Raise --time-limit, or --budget of ablate, above {self.elapsed + 3 * self.reserve:.0f}s.",
            )

    def stop(self) -> None:
        """Note that learning has stopped, for now or for good, and what is kept for what comes after it."""
        self.learnt, self.kept, self.known = self.elapsed, self.reserve, bool(self.estimates)
        self.worked = time.process_time()

    def resume(self, elapsed: float, trained: float, estimates: list[float]) -> None:
        """Go on as if the `elapsed` seconds of an earlier process, `trained` of them in training, were of this one."""
        now = self.clock()
        self.started, self.began = self.started - elapsed, now - trained
        self.estimates = []
        for estimate in estimates:
            self.keep(estimate)

    @property
    def trained(self) -> float:
        """Seconds since training began."""
        return self.clock() - self.began

    def keep(self, seconds: float, crowd: float = 1.0) -> None:
        """Keep time at the end for the last scoring, which took `seconds` as estimated now, and for finishing.

        The mean of all estimates counts, with half as much again: one slow moment must not end a run at once. Where
        other processes want the processor too, finishing takes `crowd` times as long; no more than a tenth of the
        limit is kept for that.
        """
        self.estimates.append(seconds)
        finishing = max(FINISH, min(FINISH * crowd, 0.1 * (self.limit or 0)))
        self.reserve = finishing + 1.5 * sum(self.estimates) / len(self.estimates)

    def late(self) -> bool:
        """Say whether even the time kept for the last scoring is being used up."""
        return self.limit is not None and self.clock() > self.started + self.limit - 0.8 * self.reserve

    def progress(self, step: int) -> float:
        """Return how far the run is after `step` steps: 0..1, where 1 is the end."""
        done = step / self.steps
        if self.limit is not None:
            done = max(done, (self.clock() - self.began) / max(self.end - self.began, 1e-9))
        return min(done, 1.0)
