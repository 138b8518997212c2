"""How fast each net of a league is on this machine: the median of several batches, all nets in turns."""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ferdata.running import progress
from ferdata.running.machine import processor
from zoo.evaluation import inference
from zoo.evaluation.league.judged import League

BATCH = 32  # images at a time, for all
WARM_UP, LEAST, ROUNDS = 2, 5, 11  # batches that are not counted; that are at least; at most
PATIENCE = 3.0  # seconds for each net, after which the least is enough
FREE = 0.8  # of a core: less, and others had so much of it that speeds say little


@dataclass(frozen=True)
class Racer:
    """A net and what it is fed: `pixels` uint8 (n, size, size, channels), and how it scores them."""

    net: nn.Module
    pixels: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tta: str

    def batch(self) -> Tensor:
        """Return BATCH of its images; fewer are repeated."""
        few = self.pixels[:BATCH]
        return few.repeat(-(-BATCH // len(few)), 1, 1, 1)[:BATCH].clone()


def of_league(league: League) -> tuple[list[dict[str, float] | None], dict[str, Any] | None]:
    """Return the speed of each run of a league, None of a table, as `race` does."""
    racers = {
        number: Racer(one.net, one.pixels, one.meta.mean, one.meta.std, one.meta.tta)
        for number, one in enumerate(league.runs)
        if one.net is not None and one.meta is not None and one.pixels is not None
    }
    if not racers:
        return [None] * len(league.runs), None
    found, how = race(list(racers.values()))
    known = dict(zip(racers, found, strict=True))
    return [known.get(number) for number in range(len(league.runs))], how


def race(racers: Sequence[Racer]) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Return each net's speed, and what must be known of how it was measured.

    Nets take turns, batch by batch, so that what else runs on the machine slows all of them alike. A batch is scored as
    `evaluate` does, from uint8 pixels in memory to probabilities, with all of the net's views. Of each net:
    `images_per_second` and `milliseconds` an image, by the median batch, and `slowest` and `fastest`, milliseconds;
    `processor_milliseconds` of an image are those that all cores worked at it, which other programs change little.
    """
    batches = [racer.batch() for racer in racers]
    taken: list[list[tuple[float, float]]] = [[] for _ in racers]
    passed = 0.0
    with progress.bar("Measuring speed", (WARM_UP + ROUNDS) * len(racers), "batches") as advance:
        for number in range(WARM_UP + ROUNDS):
            if number >= WARM_UP + LEAST and passed > PATIENCE * len(racers):
                break
            for racer, pixels, times in zip(racers, batches, taken, strict=True):
                begun, used = time.perf_counter(), time.process_time()
                inference.score(racer.net, pixels, racer.mean, racer.std, racer.tta)
                seconds = time.perf_counter() - begun
                if number >= WARM_UP:
                    times.append((seconds, time.process_time() - used))
                    passed += seconds
                advance()
    return [_figures(times) for times in taken], _how(racers, taken)


def _figures(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return the figures of a net from the seconds that its batches took, and that processors worked at them."""
    each, worked = ([1000 * seconds / BATCH for seconds in column] for column in zip(*times, strict=True))
    middle = median(each)
    ends = {"fastest": min(each), "slowest": max(each), "processor_milliseconds": median(worked)}
    return {"images_per_second": 1000 / middle, "milliseconds": middle, **ends}


def _how(racers: Sequence[Racer], taken: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Any]:
    """Return where and how speeds were measured.

    `core` is the share of a core that this process had, None on a GPU; `busy` that it had so little of one that times
    are those of the processor and not of the clock.
    """
    passed, worked = (sum(column) for column in zip(*itertools.chain(*taken), strict=True))
    kinds = {next(racer.net.parameters()).device.type for racer in racers}
    device = kinds.pop() if len(kinds) == 1 else "cpu"
    core = round(min(1.0, worked / passed), 2) if device == "cpu" and passed else None
    return {
        "device": device,
        "processor": torch.cuda.get_device_name() if device == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "batch": BATCH,
        "warm_up": WARM_UP,
        "batches": min((len(times) for times in taken), default=0),
        "core": core,
        "busy": core is not None and core < FREE,
    }


def in_words(how: Mapping[str, Any]) -> str:
    """Return in a sentence or two how speeds were measured."""
    threads = f", {how['threads']} thread{'s' * (how['threads'] > 1)}" if how["device"] == "cpu" else ""
    told = (
        f"Speed: {how['processor']}{threads}; {how['batch']} images at a time, median of {how['batches']} batches "
        f"after {how['warm_up']} to warm up, nets in turns, from pixels in memory to probabilities."
    )
    if how["busy"]:
        told += (
            f" Other programs left this one {how['core']:.0%} of a processor core, so that all are faster alone; what "
            "to compare is CPU time."
        )
    return told


def time_of(found: Mapping[str, float], how: Mapping[str, Any]) -> float:
    """Return the milliseconds an image that runs are compared by: the processor's, where others kept it busy."""
    return found["processor_milliseconds" if how["busy"] else "milliseconds"]
