"""Several devices: this process leads, and one more for each further device does as it does, on its share of a batch.

They meet over a file, and talk over the loopback interface alone.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ferdata.errors import BadOption, FerdataError

if TYPE_CHECKING:
    from zoo.config import TrainConfig

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


def check(config: "TrainConfig") -> None:
    """Raise BadOption for more devices than there are."""
    there = torch.cuda.device_count() if config.device == "cuda" else 1 if config.device == "mps" else config.devices
    if config.devices > there:
        raise BadOption(f"There are {there} devices of kind {config.device}, not {config.devices}.",
                        f"Give --devices {there}.")  # fmt: skip


@contextmanager
def places(
    config: "TrainConfig", manifest: Path, folder: Path, roots: Mapping[str, Path] | None, resumed: bool
) -> Iterator[Place]:
    """Start the processes that follow, and yield this one's place; end them afterwards, whatever came of it."""
    if config.devices == 1:
        yield Place()
        return
    context = torch.multiprocessing.get_context("spawn")
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory(prefix="ferdata-") as meeting:
        said = context.SimpleQueue()
        given = (Path(meeting) / "store", config, manifest, folder, roots, resumed, said)
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
        except RuntimeError as error:  # the others are gone: what they said is why
            if not said.empty():
                raise said.get() from error
            raise
        finally:
            torch.set_num_threads(threads)
            _part(followers)


def _meet(store: Path, rank: int, config: "TrainConfig") -> None:
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


def _follow(
    rank: int,
    store: Path,
    config: "TrainConfig",
    manifest: Path,
    folder: Path,
    roots: Mapping[str, Path] | None,
    resumed: bool,
    said: Any,
) -> None:
    """Do as the leading process does, silently, on another device."""
    from zoo import loop, prepare
    from zoo.folder import Folder
    from zoo.schedule import Schedule

    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  # its bars would cross those of the leading process
    torch.set_num_threads(max(1, torch.get_num_threads() // config.devices))
    try:
        _meet(store, rank, config)
        ready = prepare.ground(config, manifest, resumed)
        place = Place(rank, config.devices)
        with prepare.job(ready, Folder(folder), Schedule(config.time_limit), place, roots, _silent, resumed) as (
            job,
            state,
        ):
            loop.run(job, state)
    except FerdataError as error:
        said.put(error)
    except KeyboardInterrupt:  # the leading process speaks of it
        pass
    finally:
        with contextlib.suppress(Exception):
            torch.distributed.destroy_process_group()


def _silent(line: str) -> None:
    del line
