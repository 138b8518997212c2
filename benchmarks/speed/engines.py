"""What decides the loader's default: the two engines and torch's operators on one thread, in processor time.

Processor time, unlike the clock, hardly depends on what else runs. Then the engines on one and on two threads by the
clock.
"""

import time
from typing import Any

from speed.batches import ASPECT, BATCH, CROP, FLIP, ROTATION, SIZES
from speed.inputs import Inputs
from speed.report import Section
from speed.settings import Settings, median

ENGINES = {"device": "device (OpenCV)", "workers": "workers (albumentations)", "torch": "torch's operators"}
POLICIES = ("batches", "standard", "strong")  # the first is the one of the table above


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure at every size."""
    del inputs
    heads = ["by 1 thread, of the processor's time", "by 1, by the clock", "by 2, by the clock"]
    made = Section("Engines: images a second", ["size", "policy", "engine"], heads)
    for side, (channels, _) in SIZES.items():
        for policy in POLICIES[: 1 if settings.quick else None]:
            found = settings.measure("engines:rates", side=side, channels=channels, policy=policy).found
            made.rows += [
                [f"{side}", policy, ENGINES[engine], *(f"{rate:,.0f}" if rate else "" for rate in rates)]
                for engine, rates in found.items()
            ]
    made.notes.append(
        "Batches of smooth random pixels. Policy batches is the one of the table of training batches, standard and "
        "strong are ferdata's own. Torch has its own threads: by the clock it has all of them."
    )
    return made


def rates(side: int, channels: int, policy: str) -> dict[str, list[float]]:
    """Return, by engine, images per second of processor time on one thread, and by the clock on one and two."""
    from concurrent.futures import ThreadPoolExecutor

    import cv2
    import numpy as np
    import torch

    from zoo.augment import apply, policies
    from zoo.augment.albumentations_engine import Pipeline
    from zoo.augment.parameters import Draws, draw

    own = policies.Policy(rotation=ROTATION, crop=CROP, crop_aspect=ASPECT, flip=FLIP)
    chosen = own if policy == "batches" else policies.policy(policy)
    noise = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, channels), dtype=np.uint8)
    pixels = np.stack([cv2.GaussianBlur(p, (0, 0), 3).reshape(side, side, channels) for p in noise])
    mean, std, where = np.full(channels, 0.5, np.float32), np.full(channels, 0.25, np.float32), np.arange(BATCH)
    pipelines = [Pipeline(chosen, side, mean) for _ in range(2)]

    def drawn(seed: int) -> Draws:
        return draw(chosen, BATCH, side, torch.Generator().manual_seed(seed))

    def device(seed: int) -> Any:
        return apply.on_processor(pixels, where, drawn(seed), mean, std)

    def workers(seed: int) -> Any:
        moved = pipelines[seed % 2](pixels, where, seed)
        return apply.on_processor(moved, where, Draws.nothing(BATCH), mean, std)

    def by_torch(seed: int) -> Any:
        gathered = torch.from_numpy(pixels)[torch.from_numpy(where)]
        return apply.on_device(gathered, drawn(seed), torch.from_numpy(mean), torch.from_numpy(std))

    def by_clock(make: Any, threads: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            times = []
            for turn in range(3):
                begin = time.perf_counter()
                # Each thread has every second seed, hence a pipeline of its own.
                list(pool.map(lambda t: [make(t + threads * k) for k in range(4)], range(threads)))
                times.append((time.perf_counter() - begin) / (4 * threads))
                del turn
        return BATCH / median(times)

    def by_processor(make: Any) -> float:
        make(0)
        times = []
        for seed in range(7):
            begin = time.thread_time()
            make(seed)
            times.append(time.thread_time() - begin)
        return BATCH / median(times)

    found = {name: [by_processor(f), by_clock(f, 1), by_clock(f, 2)] for name, f in
             (("device", device), ("workers", workers))}  # fmt: skip
    clocked = by_clock(by_torch, 1)
    torch.set_num_threads(1)
    return found | {"torch": [by_processor(by_torch), clocked, 0.0]}
