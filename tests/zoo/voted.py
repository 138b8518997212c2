"""Sixty voted faces, rare classes among them, and runs whose steps can be worked out by hand.

One batch holds every train image, so that an epoch is one step and the order of showing changes no sum. The nets have
no dropout. What a step must come to is computed here and in the tests from pixels, votes and formulas alone.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ferdata.labels import EMOTIONS, taxonomy
from tests.zoo.conftest import SHAPES, shape, write_shapes
from zoo.models.architectures.lenet import LeNet5
from zoo.models.heads import LINEAR, Head
from zoo.models.load import blank_model, load_model
from zoo.run import model_file
from zoo.run.run_folder import Folder
from zoo.training.train import Run, train

SIDE, MEAN, STD = 24, 0.35, 0.25
RATE = 0.1
CLASSES = len(EMOTIONS)
# One plain step of gradient descent, and the weights after it kept.
ONE_STEP: Mapping[str, Any] = {
    **{"backbone": "lenet5", "size": SIDE, "batch": 60, "epochs": 1, "device": "cpu", "precision": "32-true"},
    **{"augment": "none", "tta": "none", "select": "last", "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0},
    **{"lr": RATE, "schedule": "constant"},
}

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Face:
    """A picture, uint8 (SIDE, SIDE), and how ten voters saw it."""

    pixels: np.ndarray
    votes: Mapping[str, int]
    dataset: str = "large"

    @property
    def shares(self) -> np.ndarray:
        """The voters' shares, float32 (8,)."""
        return np.array([self.votes.get(emotion, 0) / 10 for emotion in EMOTIONS], np.float32)


# Votes, dataset, how many: 26 neutral, 12 happiness, 8 surprise (all of the small dataset), 8 anger, and six on which
# the voters were divided.
TRAIN: tuple[tuple[Mapping[str, int], str, int], ...] = (
    ({"neutral": 10}, "large", 18),
    ({"neutral": 7, "anger": 3}, "large", 8),
    ({"happiness": 10}, "large", 8),
    ({"happiness": 6, "surprise": 4}, "large", 4),
    ({"surprise": 10}, "small", 6),
    ({"surprise": 7, "happiness": 3}, "small", 2),
    ({"anger": 10}, "large", 4),
    ({"anger": 6, "neutral": 4}, "large", 4),
    ({"neutral": 5, "anger": 5}, "large", 6),
)


def train_faces() -> list[Face]:
    """Return the sixty faces to learn from, each drawn as what most voters saw."""
    kinds = [(votes, dataset) for votes, dataset, count in TRAIN for _ in range(count)]
    return [Face(shape(next(iter(votes)), i, SIDE), votes, dataset) for i, (votes, dataset) in enumerate(kinds)]


def write_faces(path: Path, faces: list[Face]) -> Path:
    """Write a manifest of faces to learn from, with eight others to choose on and eight to test."""
    rows = [{"split": "train", "pixels": f.pixels, "votes": f.votes, "dataset": f.dataset} for f in faces]
    for i in range(16):
        emotion, split = SHAPES[i % len(SHAPES)], "val" if i < 8 else "test"
        rows.append({"split": split, "pixels": shape(emotion, 1000 + i, SIDE), "votes": {emotion: 10}})
    for number, row in enumerate(rows):
        row["votes"] = [row["votes"].get(emotion, 0) for emotion in (*EMOTIONS, "unknown", "not a face")]
        row |= {"group": number, "dataset": row.get("dataset", "large")}
    return write_shapes(path, rows)


def normalised(faces: list[Face]) -> Tensor:
    """Return the faces as a net sees them, float32 (n, 1, SIDE, SIDE)."""
    pixels = torch.from_numpy(np.stack([face.pixels for face in faces])).double()
    return ((pixels / 255 - MEAN) / STD).float()[:, None]


def taught(targets: str) -> tuple[Tensor, Tensor]:
    """Return what FER+'s rules teach: the faces (n, 1, SIDE, SIDE) and their targets (n, 8), both float32."""
    faces = train_faces()
    shares = torch.from_numpy(np.stack([face.shares for face in faces]))
    if targets == "crossentropy":
        return normalised(faces), shares
    if targets == "multi_target":  # every emotion with three votes of ten
        return normalised(faces), (shares >= 0.29).float()
    kept = shares.amax(1) > 0.5  # majority: no class where the voters were divided
    return normalised(faces)[kept], torch.eye(CLASSES)[shares.argmax(1)][kept]


def first_run(folder: Path, backbone: str = "lenet5", head: Head = LINEAR, blank: bool = False, **more: Any) -> Path:
    """Write a run to begin from (`init`) and return it: weights drawn, answers that differ from face to face.

    With `blank` the last layer is zero, as is that of an auxiliary classifier: every class is then as likely as the
    next, whatever the net is shown.
    """
    classes = taxonomy("basic8")
    facts: dict[str, Any] = {"manifest": "gone.parquet", "fingerprint": "", "chosen": {}, "config": {}, "tta": "none"}
    meta = model_file.Meta(
        **{"backbone": backbone, "classes": classes.classes, "taxonomy": classes.as_dict(), "channels": 1},
        **{"size": SIDE, "mean": (MEAN,), "std": (STD,), "head": head.as_dict(), **facts, **more},
    )
    torch.manual_seed(5)
    net = blank_model(meta)
    with torch.no_grad():
        for last in (net.get_classifier(), *([net.auxiliary[-1]] if meta.aux else [])):
            last.weight.mul_(0 if blank else 8)
            last.bias.mul_(0 if blank else 1)
    folder.mkdir(parents=True)
    model_file.save(Folder(folder).model, net, meta)
    return folder


def net_of(run: Path) -> nn.Module:
    """Return a run's net, in training mode."""
    return load_model(Folder(run).model)[0].train()


def learn(manifest: Path, first: Path, out: Path, **options: Any) -> Run:
    """Make one step, or as many as `epochs` says, from the weights of `first`; `options` are TrainConfig's.

    The run ends with its last epoch: its weights and history are there, and its test, charts and report, which take ten
    times as long, are not.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.training.loop.finish", lambda context, _: Run(context.folder.path, {}))
        return train(manifest, out, options={**ONE_STEP, "init": first, **options})


def weights(run: Run) -> Weights:
    """Return the weights that a run kept, by name."""
    return load_file(Folder(run.path).model)


def history(run: Run, column: str) -> list[float]:
    """Return a column of a run's history, a number per epoch."""
    return [float(row[column]) for row in csv.DictReader(Folder(run.path).history.read_text().splitlines())]


def gradients(net: nn.Module, loss: Tensor) -> Weights:
    """Return the loss's gradient by each of the net's parameters."""
    named = dict(net.named_parameters())
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


def descended(net: nn.Module, grads: Weights, rate: float | Mapping[str, float] = RATE) -> Weights:
    """Move the net's weights down their gradients, by one rate or each by its own (0 where none is given)."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            p -= grads[name] * (rate.get(name, 0.0) if isinstance(rate, Mapping) else rate)
    return {name: t.detach().clone() for name, t in net.state_dict().items()}


def cross_entropy(logits: Tensor, t: Tensor) -> Tensor:
    """Return the mean over the images of -sum t log p."""
    return -(t * logits.log_softmax(1)).sum(1).mean()


def stepped(
    first: Path, rule: Callable[[Tensor, Tensor], Tensor] = cross_entropy, targets: str = "crossentropy"
) -> Weights:
    """Return the weights after one plain step down `rule`, a function of logits and targets."""
    net = net_of(first)
    x, t = taught(targets)
    return descended(net, gradients(net, rule(net(x), t)))


def farthest(a: Weights, b: Weights) -> float:
    """Return the largest difference between two nets' weights."""
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


@contextmanager
def seen_in_training() -> Iterator[list[Tensor]]:
    """Collect the batches, float (B, 1, SIDE, SIDE), that any LeNet5 is shown in training mode."""
    seen: list[Tensor] = []

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        if isinstance(module, LeNet5) and module.training and not given[0].is_meta:
            seen.append(given[0].detach().clone())

    hook = nn.modules.module.register_module_forward_pre_hook(note)
    try:
        yield seen
    finally:
        hook.remove()
