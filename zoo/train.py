"""Train a backbone on a manifest, in a loop that can be read: choose on val, score test once, say how it was done."""

import csv
import io
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from ferdata import progress
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS
from zoo import augment as aug
from zoo import backbones, charts, checkpoint, data, guards, metrics, report
from zoo.config import TrainConfig
from zoo.device import fabric, resolve
from zoo.folder import Folder, write_whole
from zoo.predict import predict_all
from zoo.schedule import WARM_UP, Schedule, one_cycle

Say = Callable[[str], None]
EPOCHS = 30  # where neither epochs nor a time limit is given
MOST_EPOCHS = 60  # where only the limit is: on a fast machine more would only overfit


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and what `report.json` says."""

    path: Path
    report: dict[str, Any]

    def __fspath__(self) -> str:
        return os.fspath(self.path)


@dataclass
class State:
    """What the loop carries from epoch to epoch."""

    net: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: Schedule
    generator: torch.Generator
    step: int = 0
    best: tuple[float, float] = (-1.0, 0.0)
    best_epoch: int = 0
    collapsed: list[bool] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """What stays the same from epoch to epoch."""

    folder: Folder
    config: TrainConfig
    rows: data.Rows
    parts: dict[str, data.Images]
    meta: checkpoint.Meta
    fabric: Fabric
    weights: Tensor | None
    baseline: dict[str, float]
    leak: dict[str, int]
    say: Say


def train(
    manifest: str | Path,
    out: str | Path | None = None,
    backbone: str = "resnet_fer",
    size: int | None = None,
    channels: int | None = None,
    targets: str = "soft",
    epochs: int | None = None,
    time_limit: float | None = None,
    batch: int = 128,
    lr: float | None = None,
    weight_decay: float | None = None,
    smoothing: float = 0.0,
    augment: str = "standard",
    class_weights: str = "none",
    select: str = "accuracy",
    patience: int = 20,
    tta: bool = True,
    device: str = "auto",
    precision: str = "auto",
    seed: int = 0,
    datasets: Sequence[str] | None = None,
    pretrained: bool = False,
    allow_leak: bool = False,
    force: bool = False,
    roots: Mapping[str, Path] | None = None,
    say: Say | None = None,
) -> Run:
    """Train on the train split of `manifest`, choose on val, score test once; write it all to the folder `out`.

    `out` defaults to `runs/<manifest>-<backbone>`, `size` (pixels) and `channels` (1 or 3) to the backbone's and the
    images' own, `epochs` to 30, or to what fits into `time_limit`: in seconds, for this whole call. `targets` are
    "soft" (from votes, where there are some) or "hard"; `class_weights` "none", "balanced" or "effective"; `select` is
    what val is chosen by; `patience` how many epochs without a better one end the run (0: none do). `datasets` keeps
    all three splits to those named. `say` is given a line per epoch.

    On Ctrl-C the best checkpoint so far stays, test is not scored, and KeyboardInterrupt goes on, with a word on how it
    stands. Same seed, same CPU, no time limit: same weights. Raises FerdataError's kinds.
    """
    schedule = Schedule(time_limit)
    folder = Folder(Path(out or f"runs/{Path(manifest).stem}-{backbone}"))
    folder.check(force)
    device, precision = resolve(device, precision)
    card = backbones.backbone(backbone, pretrained)
    aug.policy(augment)
    rows = data.read_rows(Manifest(Path(manifest)), datasets)
    where = data.of_split(rows, targets)
    guards.check_splits(rows, where)
    everything = np.concatenate(list(where.values()))
    config = TrainConfig(
        manifest=folder.relative(Path(manifest)),
        backbone=backbone,
        size=size or card.size or data.natural_size(rows, everything),
        channels=channels or (3 if pretrained or not data.all_grey(rows, everything) else 1),
        targets=targets,
        epochs=(EPOCHS if time_limit is None else MOST_EPOCHS) if epochs is None else epochs,
        time_limit=time_limit,
        batch=min(batch, len(where["train"])),
        optimiser=card.optimiser,
        lr=card.lr * min(batch, len(where["train"])) / 128 if lr is None else lr,
        weight_decay=card.weight_decay if weight_decay is None else weight_decay,
        smoothing=smoothing,
        augment=augment,
        class_weights=class_weights,
        select=select,
        patience=patience,
        tta=tta,
        device=device,
        precision=precision,
        seed=seed,
        datasets=None if datasets is None else tuple(datasets),
        allow_leak=allow_leak,
        pretrained=pretrained,
    )
    leak = guards.check_leak(rows, where, allow_leak)
    torch.manual_seed(seed)
    net = backbones.build(card, config.channels, len(rows.taxonomy.classes), config.size)
    parts = data.load(rows, where, config.size, config.channels, roots)
    job, state = _prepare(folder, config, card, net, rows, parts, leak, schedule, say or (lambda _: None))
    try:
        _fit(job, state)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_interrupted(job, state)) from None
    return _finish(job, state)


def _prepare(
    folder: Folder,
    config: TrainConfig,
    card: backbones.Backbone,
    net: nn.Module,
    rows: data.Rows,
    parts: dict[str, data.Images],
    leak: dict[str, int],
    schedule: Schedule,
    say: Say,
) -> tuple[Job, State]:
    """Normalise, check the scale, build the optimiser, and only then clear the folder of an earlier run."""
    mean, std = data.statistics(parts["train"].pixels)
    if config.pretrained and card.mean and card.std:
        mean, std = card.mean, card.std
    some = aug.as_float(parts["train"].pixels[:: max(1, len(parts["train"]) // 512)])
    guards.check_scale(aug.normalise(some, torch.tensor(mean), torch.tensor(std).clamp(min=1e-6)))
    meta = checkpoint.Meta(
        backbone=config.backbone,
        classes=rows.taxonomy.classes,
        taxonomy=rows.taxonomy.as_dict(),
        mean=mean,
        std=std,
        size=config.size,
        channels=config.channels,
        tta=config.tta,
        manifest=config.manifest,
        fingerprint=rows.manifest.fingerprint,
        chosen={},
        config=config.as_dict(),
    )
    folder.clear()
    write_whole(folder.config, config.toml())
    engine = fabric(config.device, config.precision, folder.tensorboard)
    net = net.to(memory_format=torch.channels_last)
    net, optimiser = engine.setup(net, _optimiser(net, config))
    weights = data.class_weights(parts["train"].soft, config.class_weights)
    baseline = guards.prior(parts["val"].hard, len(meta.classes))
    weights = None if weights is None else weights.to(engine.device)
    job = Job(folder, config, rows, parts, meta, engine, weights, baseline, leak, say)
    return job, State(net, optimiser, schedule, torch.Generator().manual_seed(config.seed))


def _optimiser(net: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return SGD or AdamW; biases and normalisation layers, which have one dimension, are not decayed."""
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=config.lr)


def _fit(job: Job, state: State) -> None:
    """Run epochs until the schedule, or patience, ends."""
    config = job.config
    # The last batch of an epoch is left out when short: batch normalisation needs a fair sample.
    steps = len(job.parts["train"]) // config.batch
    state.schedule.begin(config.epochs * steps)
    for epoch in range(1, config.epochs + 1):
        row = {"epoch": epoch, **_one_epoch(job, state, epoch, steps), **_validate(job, state)}
        state.history.append(row)
        guards.check_loss(row["val_loss"], epoch)
        better = _keep_if_best(job, state, row)
        _write_history(job, state)
        job.say(_line(row, better))
        guards.check_collapse(state.collapsed, row["val_accuracy"], row["val_loss"], job.baseline)
        if state.schedule.progress(state.step) >= 1:
            return
        if config.patience and epoch - state.best_epoch >= config.patience:
            job.say(f"No better epoch since epoch {state.best_epoch}: stopped.")
            return


def _one_epoch(job: Job, state: State, epoch: int, steps: int) -> dict[str, float]:
    """Train on every image once, or until the time is over; return rate, loss, accuracy and speed."""
    config, train_set, device = job.config, job.parts["train"], job.fabric.device
    policy = aug.policy(config.augment)
    mean, std = (torch.tensor(v, device=device) for v in (job.meta.mean, job.meta.std))
    order = torch.randperm(len(train_set), generator=state.generator)
    started, loss_sum, hits, seen = time.perf_counter(), 0.0, 0, 0
    state.net.train()
    with progress.bar(f"Epoch {epoch}", steps * config.batch, "images") as advance:
        for start in range(0, steps * config.batch, config.batch):
            if (at := state.schedule.progress(state.step)) >= 1:
                break
            rate = config.lr * one_cycle(at)
            for group in state.optimiser.param_groups:
                group["lr"] = rate
            chosen = order[start : start + config.batch]
            soft = train_set.soft[chosen].to(device)
            x = aug.as_float(train_set.pixels[chosen].to(device))
            x = aug.normalise(aug.augment(x, policy, state.generator), mean, std)
            x = aug.erase(x, policy, state.generator).contiguous(memory_format=torch.channels_last)
            logits = state.net(x)
            loss = F.cross_entropy(logits, soft, weight=job.weights, label_smoothing=config.smoothing)
            state.optimiser.zero_grad()
            job.fabric.backward(loss)
            state.optimiser.step()
            state.step += 1
            value = float(loss.detach())
            guards.check_loss(value, epoch)
            loss_sum += value * len(chosen)
            hits += int((logits.detach().argmax(1) == soft.argmax(1)).sum())
            seen += len(chosen)
            advance(len(chosen), f"loss {value:.3f}")
    seconds = time.perf_counter() - started
    return {
        "lr": state.optimiser.param_groups[0]["lr"],
        "train_loss": loss_sum / max(seen, 1),
        "train_accuracy": hits / max(seen, 1),
        "images": seen,
        "images_per_second": seen / max(seconds, 1e-9),
    }


def _validate(job: Job, state: State) -> dict[str, float]:
    """Score val, keep time for the end by how long that took, and note whether the net only answers with the prior."""
    val, started = job.parts["val"], time.perf_counter()
    p = predict_all(state.net, val.pixels, job.meta.mean, job.meta.std, tta=False, what="Validating")
    seconds = time.perf_counter() - started
    # Test is scored in float32, about half as fast, and with its mirror image; val once more after the last step.
    state.schedule.keep(seconds * (1 + (4 if job.config.tta else 2) * len(job.parts["test"]) / len(val)))
    true = val.hard.numpy()
    loss = metrics.log_loss(p, true)
    confusion = np.zeros((p.shape[1], p.shape[1]), np.int64)
    np.add.at(confusion, (true, p.argmax(1)), 1)
    scores = {f"val_{name}": float(value) for name, value in metrics.headlines(confusion).items()}
    # While the rate still climbs, a net without normalisation layers may rightly not have moved yet.
    warm = state.schedule.progress(state.step) >= WARM_UP / 2
    state.collapsed.append(warm and guards.is_prior(scores["val_accuracy"], loss, p, job.baseline))
    return {"val_loss": loss if np.isfinite(p).all() else float("nan"), **scores}


def _keep_if_best(job: Job, state: State, row: dict[str, float]) -> bool:
    """Save the weights if val says that they are the best so far; of equal scores, the lower loss wins."""
    key = (row[f"val_{job.config.select}"], -row["val_loss"])
    if key <= state.best:
        return False
    _save(job, state, row)
    state.best, state.best_epoch = key, int(row["epoch"])
    return True


def _save(job: Job, state: State, row: dict[str, float]) -> None:
    chosen = {name: row[name] for name in row if name == "epoch" or name.startswith("val_")}
    meta = checkpoint.Meta(**{**job.meta.__dict__, "chosen": chosen})
    checkpoint.save(job.folder.model, state.net, meta)


def _write_history(job: Job, state: State) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(state.history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(state.history)
    write_whole(job.folder.history, text.getvalue())
    row = state.history[-1]
    job.fabric.log_dict({k: v for k, v in row.items() if k != "epoch"}, step=int(row["epoch"]))


def _line(row: dict[str, float], better: bool) -> str:
    return (
        f"epoch {row['epoch']:3d}  loss {row['train_loss']:.3f}  val loss {row['val_loss']:.3f}  "
        f"accuracy {row['val_accuracy']:6.2%}  macro-F1 {row['val_macro_f1']:6.2%}  "
        f"{row['images_per_second']:6,.0f} images/s{'  best' if better else ''}"
    )


def _interrupted(job: Job, state: State) -> str:
    """Leave the best checkpoint, or the present weights where no epoch has ended, and return how it stands."""
    if not state.best_epoch:
        _save(job, state, {"epoch": 0})
        return f"{job.folder.model} has the weights as they were, in the first epoch and not validated."
    return (
        f"{job.folder.model} is of epoch {state.best_epoch}, the best of {len(state.history)} "
        f"(val {job.config.select} {state.best[0]:.2%}); test was not scored."
    )


def _finish(job: Job, state: State) -> Run:
    """Load the chosen weights from disk, score test, and write report, pictures and card."""
    job.fabric.logger.finalize("success")
    net, meta = checkpoint.load(job.folder.model)
    test = job.parts["test"]
    p = predict_all(net.to(job.fabric.device), test.pixels, meta.mean, meta.std, meta.tta, "Testing")
    result = report.build(meta, job.rows, test, p, split="test", tta=meta.tta)
    result["protocol"]["leak_check"] = {**job.leak, "allowed": job.config.allow_leak}
    result["parameters"] = backbones.parameters(net)
    images = sum(row["images"] for row in state.history)
    result["training"] = {
        "epochs": images / len(job.parts["train"]),
        "steps": state.step,
        "seconds": round(state.schedule.elapsed, 1),
        "device": str(job.fabric.device),
        "precision": job.config.precision,
        **{f"n_{split}": len(job.parts[split]) for split in SPLITS},
    }
    write_whole(job.folder.report, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    write_whole(job.folder.curves, charts.curves(state.history, state.best_epoch))
    write_whole(job.folder.confusion, charts.confusion(result, meta.taxonomy))
    write_whole(job.folder.card, report.card(meta, result))
    return Run(job.folder.path, result)
