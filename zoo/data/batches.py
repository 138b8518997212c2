"""Batches for training: from uint8 pictures to normalised floats where the net is, the next ones made meanwhile."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ferdata.errors import BadOption, choose_one
from ferdata.running.machine import cores
from zoo.augment import apply
from zoo.augment.parameters import Draws, draw
from zoo.augment.policies import Policy
from zoo.data.rows import Images

if TYPE_CHECKING:
    from zoo.augment.albumentations_engine import Pipeline

ENGINES = ("auto", "device", "workers")
AHEAD = 2  # batches that are ready or being made while one is learnt from
# The share of a GPU's free memory that the whole pack may take; above it, each batch travels on its own.
RESIDENT = 0.25


@dataclass(frozen=True)
class Batch:
    """`x` float32 (B, C, H, W), `soft` float32 (B, classes) and `where` int64 (B,) into the images, on the device."""

    x: Tensor
    soft: Tensor
    where: Tensor


@dataclass(frozen=True)
class _Made:
    """What a thread hands over: a finished batch (`x`), or pictures that the device still has to augment."""

    x: Tensor | None
    pictures: Tensor | None = None
    draws: Draws | None = None


class Loader:
    """Batches of `images` under a policy, made by threads ahead of their use.

    `engine` "device": OpenCV on the processor, torch on a GPU, over the whole batch; "workers": albumentations,
    picture by picture; "auto" is "device", the faster on one thread at every size (benchmarks/results). `mean` and
    `std` (C,) are of pixels in 0..1. Every number that is drawn comes from (`seed`, epoch, number of the batch),
    whichever thread makes it, so that a resumed run sees the pictures that it would have seen. Raises BadOption.
    """

    def __init__(
        self,
        images: Images,
        policy: Policy,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        batch: int,
        device: torch.device | str,
        engine: str = "auto",
        seed: int = 0,
        channels_last: bool = True,
    ) -> None:
        if engine not in ENGINES:
            raise BadOption(f"There is no augmentation engine {engine!r}.", choose_one(engine, ENGINES))
        self.images, self.policy, self.batch = images, policy, batch
        self.device = torch.device(device)
        self.mean, self.std = (torch.tensor(v, dtype=torch.float32) for v in (mean, std))
        self.std = self.std.clamp(min=1e-6)
        # On the device once, not with each batch: every copy from memory that is not pinned makes a GPU wait.
        self.there = self.mean.to(self.device), self.std.to(self.device)
        self.soft = images.soft.to(self.device)
        self.channels_last = channels_last
        self.seed = seed
        self.side = int(images.pixels.shape[1])
        self.pipelines = self._pipelines() if engine == "workers" else None
        self.on_processor = self.device.type == "cpu"
        self.resident = None if self.on_processor or self.pipelines else resident(images.pixels, self.device)
        self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="ferdata-batches")

    @property
    def threads(self) -> int:
        """How many threads make batches: one keeps ahead of any net, and leaves the other cores to it.

        Several where a picture takes longer: albumentations, and pictures that travel to a GPU batch by batch.
        """
        travel = not self.on_processor and self.resident is None
        return min(cores(), AHEAD) if self.pipelines is not None or travel else 1

    def steps(self, rows: int) -> int:
        """Return how many batches `rows` images give: a short last one is left out, as batch normalisation needs."""
        return rows // self.batch

    def epoch(self, order: Tensor, epoch: int) -> Iterator[Batch]:
        """Yield the batches of `order`, int64 (m,) into the images, a short last one left out.

        The first batches are begun at this call, before the first is asked for: a caller that makes the next epoch's
        iterator before it validates finds them waiting. What a thread raises is raised here. An iterator that is
        left early makes no more batches.
        """
        plan = order[: self.steps(len(order)) * self.batch].view(-1, self.batch)
        there = plan.to(self.device)
        waiting: deque[Future[_Made]] = deque()
        for number in range(min(AHEAD, len(plan))):
            waiting.append(self.pool.submit(self._make, plan[number], epoch, number))
        return self._batches(plan, there, epoch, waiting)

    def close(self) -> None:
        """End the threads, once the batches that they are at are done."""
        self.pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _batches(self, plan: Tensor, there: Tensor, epoch: int, waiting: deque[Future[_Made]]) -> Iterator[Batch]:
        try:
            for number, chosen in enumerate(there):
                made = waiting.popleft().result()
                if number + AHEAD < len(plan):
                    waiting.append(self.pool.submit(self._make, plan[number + AHEAD], epoch, number + AHEAD))
                yield self._finish(made, chosen)
        finally:
            for future in waiting:
                future.cancel()

    def _make(self, chosen: Tensor, epoch: int, number: int) -> _Made:
        """Do in a thread what needs no device: on the processor all of it."""
        seed = _seed(self.seed, epoch, number)
        if self.pipelines is not None:
            pipeline = self.pipelines.get()
            try:
                drawn = pipeline(self.images.pixels.numpy(), chosen.numpy(), seed)
            finally:
                self.pipelines.put(pipeline)
            if self.on_processor:
                return _Made(self._on_processor(drawn, np.arange(len(drawn)), Draws.nothing(len(drawn))))
            return _Made(None, _pinned(torch.from_numpy(drawn)))
        draws = draw(self.policy, len(chosen), self.side, torch.Generator().manual_seed(seed))
        if self.on_processor:
            return _Made(self._on_processor(self.images.pixels.numpy(), chosen.numpy(), draws))
        return _Made(None, None if self.resident is not None else self._gathered(chosen), draws.each(_pinned))

    def _gathered(self, chosen: Tensor) -> Tensor:
        """Return the pictures at `chosen`, uint8 (B, H, W, C), where a GPU fetches them without anybody's waiting."""
        pixels = self.images.pixels
        out = torch.empty((len(chosen), *pixels.shape[1:]), dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        return torch.index_select(pixels, 0, chosen, out=out)

    def _on_processor(self, pixels: NDArray[np.uint8], where: NDArray[np.integer], draws: Draws) -> Tensor:
        x = apply.on_processor(pixels, where, draws, self.mean.numpy(), self.std.numpy())
        return torch.from_numpy(x).permute(0, 3, 1, 2)

    def _finish(self, made: _Made, chosen: Tensor) -> Batch:
        """Do on the device what is left to do there; `chosen` lies there."""
        x = made.x
        if x is None:
            pictures = made.pictures
            if pictures is None and self.resident is not None:
                pictures = self.resident[chosen]
            assert pictures is not None
            pictures = pictures.to(self.device, non_blocking=True)
            if made.draws is None:
                x = apply.normalise(apply.as_float(pictures), *self.there)
            else:
                draws = made.draws.each(lambda numbers: numbers.to(self.device, non_blocking=True))
                x = apply.on_device(pictures, draws, *self.there)
        kind = torch.channels_last if self.channels_last else torch.contiguous_format
        return Batch(x.contiguous(memory_format=kind), self.soft[chosen], chosen)

    def _pipelines(self) -> "SimpleQueue[Pipeline]":
        from zoo.augment.albumentations_engine import Pipeline

        ready: SimpleQueue[Pipeline] = SimpleQueue()
        for _ in range(AHEAD):
            ready.put(Pipeline(self.policy, self.side, self.mean.numpy()))
        return ready


def _seed(seed: int, epoch: int, number: int) -> int:
    """Return 63 bits that three numbers, of any sign, come to."""
    parts = [part & 0xFFFFFFFFFFFFFFFF for part in (seed, epoch, number)]
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _pinned(numbers: Tensor) -> Tensor:
    return numbers.pin_memory() if torch.cuda.is_available() else numbers


def resident(pixels: Tensor, device: torch.device) -> Tensor | None:
    """Return all pixels on the GPU, if they take no more than their share of its free memory; None if not."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return pixels.to(device) if pixels.numel() <= RESIDENT * free else None
