"""Images learnt from per second: by `ferdata train`'s own loop, from one batch that lies there, and by the usual loop.

    python -m gpu.speed MANIFEST OUT --device cuda --seconds 100

Ours is `learn_epoch` under recipe default on a whole epoch's batches; the cached batch is the same step, over and over
the same batch; the usual loop is `gpu.usual`: torchvision's transforms in a DataLoader, and timm's net and optimizer.
It waits for its workers, whatever the batch, and is timed at the first size alone. Medians of windows, the device
waited for at both ends of each, after a first, untimed stretch. A row is written as soon as it is known, and what
fails writes why.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from gpu import record, usual
from zoo.run.run_folder import Folder
from zoo.training import loop
from zoo.training.distributed import Place
from zoo.training.resolve import resolve
from zoo.training.schedule import Schedule
from zoo.training.setup import setup
from zoo.training.state import RunContext, TrainState

Learn = Callable[[int], int]  # makes so many steps; returns the images learnt from
NETS = (
    ("resnet_fer", 48),
    ("resnet18", 48),
    ("resnet18", 112),
    ("efficientnet_b0", 112),
    ("mobilenetv3_large_100", 112),
)
FOREVER = 1_000_000  # epochs: none of these runs comes to its end


@dataclass(frozen=True)
class Plan:
    """What is measured and how: batches, workers, windows, and the share of `NETS`' sides that is taken."""

    batches: tuple[int, ...]
    workers: int
    windows: tuple[int, int]  # fewest and most
    window: float  # seconds
    most: float  # seconds after which no more than the fewest windows are taken
    first: int  # untimed steps
    sides: dict[int, int]


WHOLE = Plan((128, 1024), 8, (3, 5), 0.3, 1.5, 8, {48: 48, 112: 112})
TINY = Plan((8,), 2, (1, 1), 0.0, 0.0, 1, {48: 32, 112: 48})


def main() -> int:
    """Measure net after net, until the seconds are over; 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    plan, failed = TINY if given.tiny else WHOLE, False
    for net, side in NETS:
        for batch in plan.batches:
            row = {"net": net, "px": plan.sides[side], "batch": batch}
            if record.elapsed() > given.seconds:
                record.add(given.out, **row, why="no time left")
                continue
            row |= measure(given.manifest, given.device, plan, row)
            failed |= "why" in row
            record.add(given.out, **row)
            if given.device == "cuda":
                torch.cuda.empty_cache()
    return int(failed)


def measure(manifest: Path, device: str, plan: Plan, row: dict[str, Any]) -> dict[str, Any]:
    """Measure one net at one size of batch in three ways; what one meets is said, and keeps nothing from the others."""
    named = {
        **{"backbone": row["net"], "size": row["px"], "batch": row["batch"], "device": device},
        **{"epochs": FOREVER, "precision": "bf16-mixed" if device == "cuda" else "32-true"},
    }
    found: dict[str, Any] = {}
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        with tempfile.TemporaryDirectory() as folder:
            ready = resolve(manifest, Folder(Path(folder)), "default", (), named)
        with setup(ready, None, Schedule(None), Place(), None, lambda _: None) as (context, state):
            found["ours"] = rate(ours(context, state), device, plan)
            found["cached"] = rate(cached(context, state), device, plan)
            found["share"] = found["ours"] / found["cached"]
            if device == "cuda":
                found["MB"] = torch.cuda.max_memory_allocated() / 1e6
            images, meta, config = context.parts["train"], context.meta, context.config
        del context, state
        if row["batch"] == plan.batches[0]:
            with usual.learning(images, meta, config, plan.workers) as learn:
                # Workers begin together and end together: a window is of a batch of each, or more.
                found["usual"] = rate(learn, device, plan, least=plan.workers)
            found["times"] = found["ours"] / found["usual"]
    except Exception as error:
        found["why"] = record.reason(error)
    return found


def rate(learn: Learn, device: str, plan: Plan, least: int = 2) -> float:
    """Return images per second: the median of the plan's windows, each of `least` steps or more."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    learn(max(least, plan.first))
    seconds, _ = timed(learn, least, wait)
    steps, rates, spent = max(least, round(plan.window * least / seconds)), [], 0.0
    while len(rates) < plan.windows[0] or (len(rates) < plan.windows[1] and spent < plan.most):
        seconds, images = timed(learn, steps, wait)
        rates.append(images / seconds)
        spent += seconds
    return statistics.median(rates)


def timed(learn: Learn, steps: int, wait: Callable[[], None]) -> tuple[float, int]:
    """Return the seconds that so many steps take, to the end of the device's work, and the images."""
    wait()
    begin = time.perf_counter()
    images = learn(steps)
    wait()
    return time.perf_counter() - begin, images


def ours(context: RunContext, state: TrainState) -> Learn:
    """Return what makes steps as `fit` does; an epoch goes on where the last window stopped."""
    batches = endless(context, state)

    def learn(steps: int) -> int:
        before = state.step
        loop.learn_epoch(context, state, islice(batches, steps))
        return (state.step - before) * context.config.batch

    return learn


def endless(context: RunContext, state: TrainState) -> Iterator[Any]:
    """Yield the batches of one epoch after another; the next epoch is begun before the last one ends, as in `fit`."""
    coming = loop.begin_epoch(context, state)
    while True:
        batches = coming
        for number, batch in enumerate(batches, 1):
            if number == context.steps:
                state.epoch += 1
                coming = loop.begin_epoch(context, state)
            yield batch


def cached(context: RunContext, state: TrainState) -> Learn:
    """Return what makes the same steps from one batch that lies on the device."""
    batch = next(loop.begin_epoch(context, state))

    def learn(steps: int) -> int:
        for _ in range(steps):
            loop.set_rate(context, state, loop.how_far(context, state))
            loop.optimizer_step(context, state, [(batch.x, batch.soft)])
        return steps * len(batch.x)

    return learn


if __name__ == "__main__":
    sys.exit(main())
