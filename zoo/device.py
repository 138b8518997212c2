"""Where and how precisely to compute: Lightning Fabric, with "auto" resolved by what the machine is fast at."""

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ferdata.errors import BadOption
from zoo.several import Place

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from zoo.config import TrainConfig

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")


def resolve(device: str, precision: str) -> tuple[str, str]:
    """Return the device and precision that "auto" stands for here. Raises BadOption for what is not there."""
    for name, value, choices in (("device", device, DEVICES), ("precision", precision, PRECISIONS)):
        if value not in choices:
            raise BadOption(f"--{name} cannot be {value!r}.", f"Choose one of {', '.join(choices)}.")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(d for d in ("cuda", "mps", "cpu") if there[d])
    if not there[device]:
        raise BadOption(f"There is no {device} device here.", "Use --device auto or --device cpu.")
    if precision == "auto":
        precision = "bf16-mixed" if has_bf16(device) else "32-true"
    if device == "cpu" and precision == "16-mixed":
        raise BadOption("A CPU has no 16-mixed precision.", "Use --precision bf16-mixed or 32-true.")
    return device, precision


def has_bf16(device: str) -> bool:
    """Say whether a device computes in bfloat16 itself: emulated, it is up to 30 times slower than float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    own = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    # The flags are the processor's. What may be used of them is less where ATEN_CPU_CAPABILITY or ONEDNN_MAX_CPU_ISA
    # say so, as virtual machines and tests do.
    used = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return bool(own and used and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fabric(config: "TrainConfig", place: Place, log: Path | None = None) -> "Fabric":
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
    """Return what tells Fabric which of the processes this one is: they were started by `zoo.several`."""
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
