"""Several devices: this process leads, and one more for each further device does as it does, on its share of a batch.

They meet over a file, and talk over the loopback interface alone.
"""

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ferdata.errors import FerdataError
from zoo.options.options import TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PATIENCE = timedelta(minutes=30)  # for a process that still decodes images while the others wait
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


@dataclass(frozen=True)
class Place:
    """Which of the devices this process works on."""

    rank: int = 0
    devices: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0


@contextmanager
def launch(config: TrainConfig, work: Callable[[Place], object]) -> Iterator[Place]:
    """Start the processes that follow, and yield this one's place; end them afterwards, whatever came of it.

    Each of them calls `work`, a function that can be pickled, with its own place.
    """
    if config.devices == 1:
        yield Place()
        return
    context = torch.multiprocessing.get_context("spawn")
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory(prefix="ferdata-") as meeting:
        reported = context.SimpleQueue()
        given = (Path(meeting) / "store", config, work, reported)
        followers = [
            context.Process(target=_follow, args=(rank, *given), name=f"ferdata train, device {rank}")
            for rank in range(1, config.devices)
        ]
        try:
            for process in followers:
                process.start()
            torch.set_num_threads(max(1, threads // config.devices))
            _meet(given[0], 0, config)
            yield Place(0, config.devices)
        except RuntimeError as error:  # the others are gone: what they reported is why
            if not reported.empty():
                raise reported.get() from error
            raise
        finally:
            torch.set_num_threads(threads)
            _part(followers)


def _meet(store: Path, rank: int, config: TrainConfig) -> None:
    """Join the group of processes. On a CPU each gets its share of the cores."""
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, LOOPBACK)
    if config.device == "cuda":
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group(
        "nccl" if config.device == "cuda" else "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=config.devices,
        timeout=PATIENCE,
    )


def _part(followers: list[Any]) -> None:
    """Leave the group, and end those who follow: at once where they wait for what will not come."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    for process in followers:
        process.join(5 if sys.exc_info()[0] is None else 0.5)
        if process.is_alive():
            process.terminate()
            process.join()
        process.close()


def _follow(rank: int, store: Path, config: TrainConfig, work: Callable[[Place], object], reported: Any) -> None:
    """Do as the leading process does, silently, on another device."""
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  # its bars would cross those of the leading process
    torch.set_num_threads(max(1, torch.get_num_threads() // config.devices))
    try:
        _meet(store, rank, config)
        work(Place(rank, config.devices))
    except FerdataError as error:
        reported.put(error)
    except KeyboardInterrupt:  # the leading process speaks of it
        pass
    finally:
        with contextlib.suppress(Exception):
            torch.distributed.destroy_process_group()


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
