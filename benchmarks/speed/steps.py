"""What a step of the default recipe costs beside one with SGD: as this machine computes, and as one with AVX2 alone.

Two variables hold PyTorch and oneDNN to AVX2, so that a processor with AVX-512 does as an ordinary computer does.
"""

import statistics
import time
from dataclasses import replace
from pathlib import Path

from speed.inputs import SOME, Inputs
from speed.report import Section
from speed.settings import Settings

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
STEPS, FIRST = 12, 3  # timed, and before
MOST = 1.3  # times SGD's


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure both optimizers in one process, under each of the two."""
    made = Section("A step of 128 faces at 48 px", ["processor", "precision"], ["default, ms", "SGD, ms", "ratio"])
    manifest = inputs.manifest(SOME // 4 if settings.quick else SOME)
    for name, variables in (("as it is", {}), ("held to AVX2", AVX2)):
        held = replace(settings, env=settings.env | variables)
        found = held.measure("steps:times", manifest=manifest, work=f"{manifest}.steps").found
        ratio = found["default"] / found["sgd"]
        made.rows.append([name, found["precision"], f"{found['default']:.0f}", f"{found['sgd']:.0f}", f"{ratio:.2f}"])
        made.at_most(f"the default's step, {name}", ratio, MOST, " of SGD's")
    made.notes.append(f"Medians of {STEPS} steps after {FIRST}, `resnet_fer`, one batch over and over, in turn.")
    return made


def times(manifest: str, work: str) -> dict[str, object]:
    """Return the milliseconds of a step under the default's own optimizer and under SGD, and the precision."""
    from zoo.run.run_folder import Folder
    from zoo.training import loop
    from zoo.training.distributed import Place
    from zoo.training.resolve import resolve
    from zoo.training.schedule import Schedule
    from zoo.training.setup import setup

    found: dict[str, list[float]] = {}
    precision = ""
    for name in ("default", "sgd", "default", "sgd"):
        named = {"device": "cpu", "allow_leak": True, "optimizer": None if name == "default" else name}
        ready = resolve(Path(manifest), Folder(Path(work)), "default", (), named)
        precision = ready.config.precision
        with setup(ready, None, Schedule(None), Place(), None, lambda _: None) as (context, state):
            batch = next(loop.begin_epoch(context, state))
            loop.set_rate(context, state, 0.1)
            for step in range(FIRST + STEPS):
                begin = time.perf_counter()
                loop.optimizer_step(context, state, [(batch.x, batch.soft)])
                if step >= FIRST:
                    found.setdefault(name, []).append(1000 * (time.perf_counter() - begin))
    return {name: statistics.median(taken) for name, taken in found.items()} | {"precision": precision}
