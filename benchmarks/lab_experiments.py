"""What `lab_notes.py` trains: each change of a lab note by itself, and the two trainings that are no single run."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import timm
from safetensors.torch import load_file
from timm.models import save_for_hf

from zoo.experiments.run_or_reuse import once
from zoo.training.state import Run

NET = "tf_efficientnet_lite0"
THIRD, NINTH = 9_570, 3_190  # images of train
BASE: Mapping[str, Any] = {"backbone": NET, "size": 96, "epochs": 5, "tta": "none", "patience": 0}
LONG: Mapping[str, Any] = {**BASE, "epochs": 10}
SMALL: Mapping[str, Any] = {**BASE, "epochs": 3}
# Rotation in degrees and zoom as the notes had them, weak and strong, each with a flip.
WEAK = {"augment": "flip", "rotation": 10, "zoom": 0.1}
STRONG = {"augment": "flip", "rotation": 20, "zoom": 0.2}
HEAD_FIRST = {"unfreeze": "lp-ft", "head_epochs": 1}
DENSE = {"head": "mlp", "head_widths": (512, 256, 128, 64), "head_dropout": (0.5, 0.6, 0.6, 0.3), "head_l2": 1e-3}

Make = Callable[[Path, Path, int], Run]  # manifest, folder of the run, seed


@dataclass(frozen=True)
class Experiment:
    """One training: what is changed, as a reader knows it, and the options or the way that it is made by."""

    name: str
    section: str
    what: str
    options: Mapping[str, Any] = field(default_factory=dict)
    make: Make | None = None


@dataclass(frozen=True)
class Part:
    """Experiments that are compared with the first of them, on the same images of train."""

    key: str
    title: str
    images: int
    base: Mapping[str, Any]
    experiments: Sequence[Experiment]


def parts(weights: Path, work: Path) -> list[Part]:
    """Return all experiments; `weights` are ImageNet's, `work` is where the script may write."""
    begun = {"weights": str(weights)}
    one = [
        Experiment(
            "baseline", "", "every layer trained, pixels scaled once, standard augmentation, linear head", begun
        ),
        Experiment("scaled-twice", "scaling", "pixels scaled twice", make=partial(scaled_twice, weights, work)),
        Experiment("head", "open-layers", "the head alone", {**begun, "unfreeze": "head"}),
        *(
            Experiment(
                f"top-{n}", "open-layers", f"head and last {n} layers", {**begun, "unfreeze": "top", "open_layers": n}
            )
            for n in (10, 20, 40, 60)
        ),
        Experiment("lp-ft", "gradual", "the head for an epoch, then every layer", {**begun, **HEAD_FIRST}),
        Experiment("norm-frozen", "norm", "statistics kept as ImageNet's", {**begun, "norm": "frozen"}),
        Experiment("norm-recalibrate", "norm", "statistics set once on train", {**begun, "norm": "recalibrate"}),
        Experiment("class-weights", "class-weights", "class weights", {**begun, "class_weights": "balanced"}),
        Experiment("48px", "size", "48 px in place of 96", {**begun, "size": 48}),
        Experiment("no-augmentation", "augmentation", "none in place of standard", {**begun, "augment": "none"}),
        Experiment("weak", "augmentation", "flip, rotation 10 degrees, zoom 0.1", {**begun, **WEAK}),
        Experiment("strong", "augmentation", "flip, rotation 20 degrees, zoom 0.2", {**begun, **STRONG}),
        Experiment("dense-head", "head", "dense head of 512, 256, 128, 64 with dropout and L2", {**begun, **DENSE}),
        Experiment("xgboost", "xgboost", "XGBoost on the trained net's features", {**begun, "head": "xgboost"}),
        Experiment("scratch", "scratch", "random weights at the start"),
    ]
    two = [
        Experiment("baseline-10", "", "every layer trained", begun),
        Experiment("gradual", "gradual", "a block more each epoch, one optimizer", {**begun, "unfreeze": "gradual"}),
        Experiment("gradual-as-noted", "gradual", "five fits as the notes had them", make=partial(as_noted, weights)),
    ]
    three = [
        Experiment("96px-ninth", "", "96 px", begun),
        Experiment("224px-ninth", "size", "224 px, ImageNet's own", {**begun, "size": 224}),
    ]
    return [
        Part("one", "One change at a time: 96 px, five epochs of a third of train", THIRD, BASE, one),
        Part("two", "Unfreezing step by step: 96 px, ten epochs of a third of train", THIRD, LONG, two),
        Part("three", "Image size: three epochs of a ninth of train", NINTH, SMALL, three),
    ]


def scaled_twice(weights: Path, work: Path, manifest: Path, out: Path, seed: int) -> Run:
    """Train on pixels that are divided by 255 before a net whose own mean and std divide them again.

    The weights' folder says 0 to 255 for its mean and std, as a person does who forgets that pixels are 0 to 1 already.
    """
    folder = work / "scaled-twice"
    if not folder.is_dir():
        net = timm.create_model(NET)
        net.load_state_dict(load_file(weights))
        net.pretrained_cfg |= {"mean": (127.5,) * 3, "std": (127.5,) * 3}
        save_for_hf(net, str(folder))
    options = {**BASE, "backbone": f"local-dir:{folder}", "pretrained": True}
    return once(manifest, out, "default", {**options, "seed": seed, "allow_scale": True}, {}, say=to_stderr)[0]


def as_noted(weights: Path, manifest: Path, out: Path, seed: int) -> Run:
    """Train as the note's loop over `fit` does: each call opens more layers with a new optimizer and a slower rate.

    Two epochs for each of the head, the last 20, 40 and 60 layers and all. BatchNorm takes the batch's statistics in
    layers that stand still too. Images were augmented by the generator and again in the net: here by twice the ranges.
    """
    opened: list[dict[str, Any]] = [{"unfreeze": "head"}]
    opened += [{"unfreeze": "top", "open_layers": n} for n in (20, 40, 60)] + [{"unfreeze": "all"}]
    begun: dict[str, Any] = {"weights": str(weights)}
    for number, layers in enumerate(opened, 1):
        how = {"epochs": 2, "optimizer": "adam", "lr": 1e-3 / number, "schedule": "constant", "weight_decay": 0.0}
        options = {**BASE, **STRONG, **DENSE, **begun, **layers, **how, "seed": seed}
        place = out if number == len(opened) else out.with_name(f"{out.name}-{number}")
        run, _ = once(manifest, place, "default", options, {}, say=to_stderr)
        begun = {"init": str(run.path)}
    return run


def to_stderr(line: str) -> None:
    """Show a line of a training."""
    print(line, file=sys.stderr, flush=True)
