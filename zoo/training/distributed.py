"""Several devices: which of them a process works on, and how the processes come to speak with each other."""

import logging
import os
import sys
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zoo.options.options import TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PATIENCE = timedelta(minutes=30)  # for a process that still decodes images while the others wait
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


@dataclass(frozen=True)
class Place:
    """Which of the devices, counted from 0, this process works on."""

    rank: int = 0
    devices: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0


def meet(store: Path, place: Place, config: TrainConfig) -> None:
    """Join the group of processes, which find each other by the file `store`, and speak over the loopback interface.

    By NCCL of what is on GPUs, by Gloo of what is not.
    """
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, LOOPBACK)
    cuda = config.device == "cuda"
    own = torch.device("cuda", place.rank) if cuda else None
    if own is not None:
        torch.cuda.set_device(own)
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if cuda else "gloo",
        init_method=f"file://{store}",
        rank=place.rank,
        world_size=place.devices,
        timeout=PATIENCE,
        device_id=own,
    )


def fabric(config: TrainConfig, place: Place, log: Path | None = None) -> "Fabric":
    """Return Fabric as the options, resolved, say, writing TensorBoard's events to `log` if that is given."""
    from lightning_fabric import Fabric
    from lightning_fabric.loggers import TensorBoardLogger
    from lightning_fabric.strategies import DDPStrategy

    loggers: Any = None
    if log is not None:
        loggers = TensorBoardLogger(root_dir=log.parent, name="", version=log.name)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision
    strategy: Any = "auto"
    if place.devices > 1:
        # Blocks that stand still have no gradients to wait for.
        still = config.unfreeze != "all"
        strategy = DDPStrategy(cluster_environment=_environment(place), find_unused_parameters=still)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would tell a user of this function about its own arguments
        made = Fabric(
            accelerator=config.device,
            devices=place.devices,
            strategy=strategy,
            precision=config.precision,
            loggers=loggers,
        )
        made.launch()
    return made


def _environment(place: Place) -> Any:
    """Return what tells Fabric which of the processes this one is: they were started by `launch`."""
    from lightning_fabric.plugins.environments import LightningEnvironment

    class Ours(LightningEnvironment):  # type: ignore[misc]  # it is untyped
        @property
        def creates_processes_externally(self) -> bool:
            return True

        def local_rank(self) -> int:
            return place.rank

        def node_rank(self) -> int:
            return 0

    return Ours()


def of_the_leader(value: float, config: TrainConfig) -> float:
    """Return what the leading process finds by its clock, where a clock ends the run: all must do the same."""
    if config.devices == 1 or config.time_limit is None:
        return value
    shared = torch.tensor([value], dtype=torch.float64)  # not on a GPU, whose queue it would wait for
    torch.distributed.broadcast(shared, src=0)
    return float(shared)
