"""`--dry-run`: every check, a batch forward and back, what a run would take in time and memory; nothing is written."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo.evaluation.inference import score
from zoo.run.run_folder import Folder
from zoo.training import loop, sanity_checks
from zoo.training.distributed import Place
from zoo.training.freezing import train_mode
from zoo.training.schedule import Schedule
from zoo.training.setup import Ground, job
from zoo.training.state import Job, Run, Say, State
from zoo.training.validation import VIEWS

TIMED = 3  # steps that are timed, after one that is not
SCORED = 512  # images


@dataclass(frozen=True)
class Cost:
    """What a run would take: seconds, and bytes at the most that were in use here."""

    step: float
    scoring: float  # an image
    memory: int


def rehearse(ready: Ground, folder: Folder, clock: Schedule, roots: Mapping[str, Path] | None, say: Say) -> Run:
    """Check everything, learn from a few batches, and return what was found as a report; nothing is written.

    On several devices one of them is tried, on its share of a batch. Raises what a run would raise at its start.
    """
    with (
        job(ready, folder, clock, Place(), roots, say, write=False) as (built, state),
        sanity_checks.memory(ready.config),
    ):
        cost = _measure(built, state)
        return Run(folder.path, _report(ready, built, state, cost))


def _measure(built: Job, state: State) -> Cost:
    """Learn from a batch or a few, and score some of val, timing both."""
    batches = loop.begin_epoch(built, state)
    train_mode(state.net, built.norms, built.config.norm)
    loop.set_rate(built, state, 0.0)
    taken = []
    for number, batch in enumerate(batches):
        started = time.perf_counter()
        sums = loop.learn(built, state, [(batch.x, batch.soft)])
        loop.look(sums, 1)
        taken.append(time.perf_counter() - started)
        if number == TIMED:
            break
    some = built.parts["val"].pixels[:SCORED]
    started = time.perf_counter()
    score(state.net, some, built.meta.mean, built.meta.std, what="Scoring")
    scoring = (time.perf_counter() - started) / len(some)
    # The first step also finds out which kernels are the fastest.
    return Cost(min(taken[1:] or taken), scoring, _memory(built))


def _memory(built: Job) -> int:
    if built.fabric.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(built.fabric.device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _report(ready: Ground, built: Job, state: State, cost: Cost) -> dict[str, Any]:
    """Return what was checked and found, and what a run would take."""
    config, n = ready.config, {split: len(images) for split, images in built.parts.items()}
    epoch = built.steps * cost.step + n["val"] * cost.scoring
    final = (n["val"] + n["test"]) * cost.scoring * VIEWS[config.tta]
    whole = state.schedule.elapsed + (config.epochs or 0) * epoch + final
    fits = None
    if config.time_limit is not None:
        left = config.time_limit - state.schedule.elapsed - final - state.schedule.reserve
        fits = min(max(left / epoch, 0.0), float(config.epochs or 0))
        whole = min(whole, config.time_limit)
    return {
        "dry_run": True,
        "backbone": config.backbone,
        "parameters": sum(p.numel() for p in state.bare.parameters()),
        "images": n,
        "classes": list(built.meta.classes),
        "leak_check": {**ready.leak, "allowed": config.allow_leak},
        "notes": built.notes,
        "stages": [stage.name for stage in built.stages],
        "seconds_per_step": cost.step,
        "seconds_per_epoch": epoch,
        "epochs": config.epochs if fits is None else round(fits, 1),
        "seconds": whole,
        "memory_bytes": cost.memory,
        "config": config.as_dict(),
    }
