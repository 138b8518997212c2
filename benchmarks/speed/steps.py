"""The default recipe on this processor and on one with AVX2 alone: a step, scoring, and the batches that it waits for.

Two variables hold PyTorch and oneDNN to AVX2, so that a processor with AVX-512 does as an ordinary computer does. The
same step with SGD stands beside the default's, and in float32 beside the precision that is chosen there.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from speed.inputs import SOME, Inputs
from speed.report import Section
from speed.settings import Settings

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
STEPS, FIRST = 12, 3  # timed, and before
MOST = 1.3  # times SGD's
SCORED = 2048  # images
COLUMNS = ["step, ms", "with SGD", "in float32", "cores busy", "scoring, images/s", "batches, images/s"]


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure all of it in one process, under each of the two."""
    made = Section("The default recipe: 128 faces at 48 px", ["processor", "precision"], COLUMNS)
    manifest = inputs.manifest(SOME // 4 if settings.quick else SOME)
    for name, variables in (("as it is", {}), ("held to AVX2", AVX2)):
        held = replace(settings, env=settings.env | variables)
        found = held.measure("steps:times", manifest=manifest, work=f"{manifest}.steps").found
        figures = [f"{found[key]:,.0f}" for key in ("default", "sgd", "float32")]
        figures += [f"{found['busy']:.2f}", *(f"{found[key]:,.0f}" for key in ("scoring", "batches"))]
        made.rows.append([name, found["precision"], *figures])
        made.at_most(f"the default's step, {name}", found["default"] / found["sgd"], MOST, " of SGD's")
        made.at_most(f"the precision that is chosen, {name}", found["default"] / found["float32"], 1.1, " of float32")
    made.notes.append(
        f"Medians of {STEPS} steps after {FIRST}, `resnet_fer`, one batch over and over, in turn. Cores busy: time of "
        "the processor over time. Scoring is val's path without views; batches are the loader's, with no net."
    )
    return made


def times(manifest: str, work: str) -> dict[str, object]:
    """Return milliseconds a step (default, sgd, float32), cores that it keeps busy, and images per second."""
    from zoo.evaluation.inference import score
    from zoo.run.run_folder import Folder
    from zoo.training import loop
    from zoo.training.distributed import Place
    from zoo.training.resolve import resolve
    from zoo.training.schedule import Schedule
    from zoo.training.setup import setup

    taken: dict[str, list[float]] = {}
    busy: list[float] = []
    found: dict[str, object] = {}
    kinds: dict[str, dict[str, str]] = {"default": {}, "sgd": {"optimizer": "sgd"}, "float32": {"precision": "32-true"}}
    for name in (*kinds, *kinds):
        named = {"device": "cpu", "allow_leak": True, **kinds[name]}
        ready = resolve(Path(manifest), Folder(Path(work)), "default", (), named)
        with setup(ready, None, Schedule(None), Place(), None, lambda _: None) as (context, state):
            batch = next(loop.begin_epoch(context, state))
            loop.set_rate(context, state, 0.1)
            for step in range(FIRST + STEPS):
                begin, worked = time.perf_counter(), time.process_time()
                loop.optimizer_step(context, state, [(batch.x, batch.soft)])
                if step >= FIRST:
                    seconds = time.perf_counter() - begin
                    taken.setdefault(name, []).append(1000 * seconds)
                    if name == "default":
                        busy.append((time.process_time() - worked) / seconds)
            if "precision" not in found:
                pixels, meta = context.parts["train"].pixels[:SCORED], context.meta
                found = {
                    "precision": ready.config.precision,
                    "scoring": rate(partial(scored, partial(score, state.net, pixels, meta.mean, meta.std))),
                    "batches": rate(partial(loaded, partial(loop.begin_epoch, context, state))),
                }
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {**found, **medians, "busy": statistics.median(busy)}


def scored(answers: Callable[[], Any]) -> int:
    """Return how many images were scored."""
    return len(answers())


def loaded(batches: Callable[[], Any]) -> int:
    """Return how many images an epoch's batches have."""
    return sum(len(batch.x) for batch in batches())


def rate(work: Callable[[], int]) -> float:
    """Return the images per second of `work`, which returns how many it did: the median of three, after one."""
    work()
    rates = []
    for _ in range(3):
        begin = time.perf_counter()
        images = work()
        rates.append(images / (time.perf_counter() - begin))
    return statistics.median(rates)
