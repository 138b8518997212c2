"""After each epoch: val is scored, the best weights are kept, and it is written down how it goes."""

import csv
import io
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ferdata.running.whole_file import write_whole
from zoo.data.batches import Loader, resident
from zoo.evaluation import metrics
from zoo.evaluation.caution import one_answer_for_all, only_answer
from zoo.evaluation.inference import score
from zoo.options.options import TrainConfig
from zoo.run import model_file
from zoo.training import resume_checkpoint, sanity_checks
from zoo.training.distributed import of_the_leader
from zoo.training.schedule import WARM_UP
from zoo.training.state import RunContext, TrainState

PIECE = 2048  # images between looks at the clock
# How much longer the last scoring takes than validation does: views of each image, twice as slow in whole float32.
VIEWS = {"none": 2, "flip": 4, "ten-crop": 20}
EACH = ("precision", "recall")  # the figures of each class that an epoch's line of the history has
CHOSEN = ("val_loss", *(f"val_{name}" for name in metrics.HEADLINES))  # what is kept with the weights


def validate(context: RunContext, state: TrainState) -> dict[str, float] | None:
    """Score val with the weights that would be kept; None if the time is over before, and there is a best already.

    Keeps time for the end by how long this took, and notes whether the net only answers with the prior.
    """
    val, started, worked = context.parts["val"], time.perf_counter(), time.process_time()
    with averaged(state):
        p = probabilities(context, state)
    if p is None:
        return None
    seconds = time.perf_counter() - started
    # At the end val is scored for the temperature, and test, and val once more if an epoch is cut short by it.
    again = VIEWS[context.config.tta] * (len(val) + len(context.parts["test"])) / len(val)
    busy = (time.process_time() - worked) / torch.get_num_threads()
    crowd = seconds / max(busy, 1e-9) if context.fabric.device.type == "cpu" else 1.0
    state.schedule.keep(seconds * (1 + again), crowd)
    true = val.hard.numpy()
    loss = metrics.log_loss(p, true)
    confusion = np.zeros((p.shape[1], p.shape[1]), np.int64)
    np.add.at(confusion, (true, p.argmax(1)), 1)
    scores = {f"val_{name}": float(value) for name, value in metrics.headlines(confusion).items()}
    state.only_answer = only_answer(confusion, context.meta.classes)
    # While the rate still climbs, a net without normalisation layers may rightly not have moved yet.
    stage = context.stages[state.stage]
    warm = state.rate >= 0.5 * stage.lr or state.schedule.progress(state.step) >= WARM_UP
    state.collapsed.append(warm and sanity_checks.is_prior(scores["val_accuracy"], loss, p, context.baseline))
    return {
        "val_loss": loss if np.isfinite(p).all() else float("nan"),
        **scores,
        **by_class(confusion, context.meta.classes),
    }


def by_class(confusion: NDArray[np.int64], classes: Sequence[str]) -> dict[str, float]:
    """Return precision and recall of each class as columns of the history, such as `val_recall_anger`.

    Not a number where there is nothing to share out: precision of a class that is never predicted, recall of one
    without an image.
    """
    figures = metrics.by_class(confusion)
    return {f"val_{f}_{name}": float(v) for f in EACH for name, v in zip(classes, figures[f], strict=True)}


@contextmanager
def averaged(state: TrainState) -> Iterator[None]:
    """Have the average of the weights in the net, where there is one."""
    if state.ema is None:
        yield
        return
    state.ema.store()
    try:
        yield
    finally:
        state.ema.restore()


def probabilities(context: RunContext, state: TrainState) -> NDArray[np.float32] | None:
    """Return what the net says of val, float32 (n, classes), each device having scored its share."""
    n, devices = len(context.parts["val"]), context.config.devices
    if devices > 1:
        settle(state.net, context.val_pixels.shape, context.fabric.device)
    pieces = []
    for piece in torch.split(context.val_pixels, PIECE if context.config.time_limit is not None else n):
        if state.best_epoch and is_late(context, state):
            return None
        pieces.append(score(state.net, piece, context.meta.mean, context.meta.std, what="Validating"))
    p = np.concatenate(pieces)
    if devices == 1:
        return p
    ours = torch.from_numpy(p).to(context.fabric.device)
    parts = [torch.empty_like(ours) for _ in range(devices)]
    torch.distributed.all_gather(parts, ours)
    return np.asarray(torch.stack(parts, 1).flatten(0, 1)[:n].cpu().numpy(), np.float32)


def held(pixels: Tensor, config: TrainConfig, rank: int, loader: Loader) -> Tensor:
    """Return what this device scores of val, uint8 (m, H, W, C): on the device where the loader's images are, too.

    Shares are equally long, as gathering wants them: a few images are scored twice.
    """
    if config.devices > 1:
        n = len(pixels)
        pixels = pixels[(torch.arange(-(-n // config.devices)) * config.devices + rank) % n]
    moved = None if loader.resident is None else resident(pixels, loader.device)
    return pixels if moved is None else moved


def settle(net: nn.Module, shape: Sequence[int], device: torch.device) -> None:
    """Give every process's net the leading one's statistics: each shows its own a blank image of `shape` (_, H, W, C).

    DistributedDataParallel sends them in the first forward without gradients, which all have to make together. After it
    each makes as many as its memory asks for.
    """
    _, height, width, channels = shape
    with torch.inference_mode():
        net.eval()(torch.zeros(1, channels, height, width, device=device))


def is_late(context: RunContext, state: TrainState) -> bool:
    """Say whether the leading process finds that the time is over."""
    return bool(of_the_leader(state.schedule.late(), context.config))


def score_of(config: TrainConfig, row: dict[str, float]) -> tuple[float, ...]:
    """Return what an epoch is compared by, more being better; of equal scores, the lower loss wins."""
    if config.select == "last":
        return (row["epoch"],)
    if config.select == "loss":
        return -row["val_loss"], row["val_accuracy"]
    return row[f"val_{config.select}"], -row["val_loss"]


def keep_if_best(context: RunContext, state: TrainState, row: dict[str, float]) -> bool:
    """Save the weights if val says that they are the best so far."""
    key = score_of(context.config, row)
    if state.best_epoch and key <= state.best:
        return False
    keep(context, state, row)
    state.best, state.best_epoch = key, int(row["epoch"])
    return True


def keep(context: RunContext, state: TrainState, row: dict[str, float]) -> None:
    """Write `model.safetensors`: the average of the weights, where there is one; an earlier run makes way now."""
    if context.leads:
        chosen = {name: row[name] for name in ("epoch", *CHOSEN) if name in row}
        answer, n = state.only_answer, len(context.parts["val"])
        words = one_answer_for_all(answer, n, "val") if answer else ""
        with averaged(state):
            model_file.save(context.folder.model, state.bare, replace(context.meta, chosen=chosen, caution=words))
        if not state.best_epoch:
            resume_checkpoint.take_over(context)


def write_history(context: RunContext, state: TrainState) -> None:
    """Write `history.csv` anew, and the last epoch for TensorBoard."""
    if not context.leads:
        return
    write_whole(context.folder.history, as_table(state.history))
    row = state.history[-1]
    context.fabric.log_dict(as_tags(row, context.meta.classes), step=int(row["epoch"]))


def as_table(history: Sequence[Mapping[str, float]]) -> str:
    """Return the epochs as the text of a CSV file, a cell being empty where there is no number.

    A run that an earlier ferdata began, and this one goes on with, has fewer columns in its first lines.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in history for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if math.isnan(value) else value for name, value in row.items()} for row in history)
    return text.getvalue()


def as_tags(row: Mapping[str, float], classes: Sequence[str]) -> dict[str, float]:
    """Return an epoch's numbers by TensorBoard's tags: those of the classes lie together, as `val_recall/anger`."""
    tags = {f"val_{f}_{name}": f"val_{f}/{name}" for f in EACH for name in classes}
    return {tags.get(k, k): value for k, value in row.items() if k != "epoch" and not math.isnan(value)}


def line(row: dict[str, float], better: bool, only_answer: str) -> str:
    """Return an epoch in a line; `only_answer` is what every val image was given, "" for several classes."""
    words = (*(("best",) if better else ()), *((f"every answer is {only_answer}",) if only_answer else ()))
    return (
        f"epoch {row['epoch']:3d}  loss {row['train_loss']:.3f}  val loss {row['val_loss']:.3f}  "
        f"accuracy {row['val_accuracy']:6.2%}  macro-F1 {row['val_macro_f1']:6.2%}  "
        f"{row['images_per_second']:6,.0f} images/s{'  ' if words else ''}{', but '.join(words)}"
    )


def train_line(row: dict[str, float]) -> str:
    """Return an epoch that was not validated in a line."""
    seconds = row["images"] / max(row["images_per_second"], 1e-9)
    return f"  epoch {row['epoch']:2d}  loss {row['train_loss']:.3f}  {seconds:.0f} s"
