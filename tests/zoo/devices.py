"""The devices that a test is run on: the processor, where its every line is tried, and a GPU where there is one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.run.device import exact
from zoo.run.run_folder import Folder
from zoo.training import loop
from zoo.training.distributed import Place
from zoo.training.resolve import resolve
from zoo.training.schedule import Schedule
from zoo.training.setup import setup
from zoo.training.state import RunContext, TrainState

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
ON_CUDA = (pytest.mark.cuda, NO_GPU)
each_device = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_CUDA)])
# Without batch statistics or dropout, and smooth: what differs between two devices is rounding, and stays small.
SMOOTH: Mapping[str, Any] = {
    **{"backbone": "lenet5", "size": 32, "batch": 16, "augment": "none", "precision": "32-true"},
    **{"optimizer": "sgd", "lr": 0.05, "schedule": "constant", "epochs": 2},
}


@contextmanager
def ready_to_learn(manifest: Path, device: str, **options: Any) -> Iterator[tuple[RunContext, TrainState]]:
    """Yield what the loop needs on a device, in float32 without TF32 where it computes in float32."""
    asked = resolve(Path(manifest), Folder(Path("not-written")), "default", options, {"device": device})
    with (
        setup(asked, None, Schedule(None), Place(), None, lambda _: None) as (context, state),
        exact(torch.device(device)),
    ):
        yield context, state


def learn(context: RunContext, state: TrainState) -> dict[str, float]:
    """Learn for an epoch, as `fit` does; return its figures."""
    figures = loop.learn_epoch(context, state, loop.begin_epoch(context, state))
    state.epoch += 1
    return figures


def on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies on the processor."""
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
