"""A run under way: what stays the same from epoch to epoch, and what the loop carries along."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.data.batches import Loader
from zoo.data.rows import Images, Rows
from zoo.options.options import TrainConfig
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder
from zoo.training.ema import Ema
from zoo.training.freezing import Blocks, Stage
from zoo.training.losses import Loss
from zoo.training.optimizer import Sam
from zoo.training.recorded import Recorder
from zoo.training.schedule import Plateau, Schedule

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and what `report.json` says."""

    path: Path
    report: dict[str, Any]

    def __fspath__(self) -> str:
        return os.fspath(self.path)


@dataclass(frozen=True)
class RunContext:
    """What stays the same from epoch to epoch; in a run on several devices, each has its own."""

    out: Folder | None  # None: nothing is written
    config: TrainConfig
    rows: Rows
    parts: dict[str, Images]
    dataset_ids: Tensor  # int64, of each train image
    val_pixels: Tensor  # uint8: what this device scores of val, and there already where train's images are as well
    meta: Meta
    fabric: "Fabric"
    loader: Loader
    loss: Loss
    blocks: Blocks
    norms: Sequence[_BatchNorm]
    stages: tuple[Stage, ...]
    baseline: dict[str, float]
    leak: dict[str, int]
    say: Say
    notes: list[str]  # what a reader of the report should know

    @property
    def steps(self) -> int:
        """Batches in an epoch: the last is left out when short, since batch normalisation needs a fair sample."""
        batches = len(self.parts["train"]) // self.config.batch
        return batches - batches % self.config.accumulate

    @property
    def folder(self) -> Folder:
        """The run's folder. Raises RuntimeError where nothing is to be written."""
        if self.out is None:
            raise RuntimeError("This run has no folder to write to.")
        return self.out

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return bool(self.fabric.is_global_zero)


@dataclass
class TrainState:
    """What the loop carries; `net` is as Fabric wraps it, `bare` the same net without."""

    net: nn.Module
    bare: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    ema: Ema | None = None
    sam: Sam | None = None
    recorder: Recorder | None = None
    plateau: Plateau = field(default_factory=Plateau)
    epoch: int = 0  # those that have ended
    step: int = 0  # batches learnt from
    rate: float = 0.0
    best: tuple[float, ...] = ()
    best_epoch: int = 0
    stage: int = 0
    stage_epochs: int = 0
    stage_step: int = 0  # at which the stage's schedule began
    stage_progress: float = 0.0
    stage_best: tuple[float, ...] = ()
    stale: int = 0  # epochs of the stage since its best
    over: bool = False
    collapsed: list[bool] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    only_answer: str = ""  # the class that the last epoch's net gave every val image; "": several


def number_of(*parts: int) -> int:
    """Return the 63 bits of a seed that hang on all the numbers, as random as they are alike."""
    state = np.random.SeedSequence([part & 0xFFFFFFFFFFFFFFFF for part in parts]).generate_state(1, np.uint64)
    return int(state[0] >> 1)
