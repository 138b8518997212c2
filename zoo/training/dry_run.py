"""`--dry-run`: every check, a batch forward and back, what a run would take in time and memory; nothing is written."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from zoo.augment import own_ranges
from zoo.evaluation.inference import score
from zoo.models import build, shapes
from zoo.models.describe import coarse
from zoo.run.run_folder import Folder
from zoo.training import loop, sanity_checks
from zoo.training.distributed import Place
from zoo.training.freezing import train_mode
from zoo.training.recorded import WARM
from zoo.training.resolve import Resolved
from zoo.training.schedule import Schedule
from zoo.training.setup import setup
from zoo.training.state import Run, RunContext, Say, TrainState
from zoo.training.validation import VIEWS

TIMED = 3  # steps that are timed, after those that are not
SCORED = 512  # images


@dataclass(frozen=True)
class Cost:
    """What a run would take: seconds, and bytes at the most that were in use here."""

    step: float
    scoring: float  # an image
    memory: int


def rehearse(ready: Resolved, folder: Folder, clock: Schedule, roots: Mapping[str, Path] | None, say: Say) -> Run:
    """Check everything, learn from a few batches, and return what was found as a report; nothing is written.

    On several devices one of them is tried, on its share of a batch. Raises what a run would raise at its start.
    """
    with (
        setup(replace(ready, saved=None), None, clock, Place(), roots, say) as (context, state),
        sanity_checks.memory(ready.config),
    ):
        cost = _measure(context, state)
        return Run(folder.path, _report(ready, context, state, cost))


def _measure(context: RunContext, state: TrainState) -> Cost:
    """Learn from a batch or a few, and score some of val, timing both."""
    batches, untimed = loop.begin_epoch(context, state), 1 if state.recorder is None else WARM + 1
    train_mode(state.net, context.norms, context.config.norm)
    loop.set_rate(context, state, 0.0)
    taken = []
    for number, batch in enumerate(batches):
        started = time.perf_counter()
        sums = loop.optimizer_step(context, state, [(batch.x, batch.soft)])
        loop.mean_loss(sums, 1)
        taken.append(time.perf_counter() - started)
        if number + 1 == untimed + TIMED:
            break
    some = context.val_pixels[:SCORED]
    started = time.perf_counter()
    score(state.net, some, context.meta.mean, context.meta.std, what="Scoring")
    scoring = (time.perf_counter() - started) / len(some)
    # The first step also finds out which kernels are the fastest, and on a GPU one of the next is recorded.
    return Cost(min(taken[untimed:] or taken), scoring, _memory(context))


def _memory(context: RunContext) -> int:
    if context.fabric.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(context.fabric.device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _coarse(ready: Resolved) -> list[str]:
    """Return a warning if images are so far below the net's own size that its last map shows no face."""
    config, card = ready.config, ready.card
    channels, size, native = config.channels or 3, config.size or 0, card.size or card.known.input_size[-1]
    net = build.blank(card, channels, 2, size, stem=config.stem)
    words = coarse(shapes.last_map(net, channels, size), size, native)
    return [f"{card.name}'s last map is {words}. Compare with a larger --size, or --stem small."] if words else []


def _report(ready: Resolved, context: RunContext, state: TrainState, cost: Cost) -> dict[str, Any]:
    """Return what was checked and found, and what a run would take."""
    config, n = ready.config, {split: len(images) for split, images in context.parts.items()}
    epoch = context.steps * cost.step + n["val"] * cost.scoring
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
        "open_parameters": sum(p.numel() for p in state.bare.parameters() if p.requires_grad),
        "images": n,
        "classes": list(context.meta.classes),
        "augmentation": own_ranges.in_words(config),
        "leak_check": {**ready.leak, "allowed": config.allow_leak},
        "notes": [*context.notes, *_coarse(ready)],
        "stages": [stage.name for stage in context.stages],
        "seconds_per_step": cost.step,
        "seconds_per_epoch": epoch,
        "epochs": config.epochs if fits is None else round(fits, 1),
        "seconds": whole,
        "memory_bytes": cost.memory,
        "config": config.as_dict(),
    }
