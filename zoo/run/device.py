"""Where and how precisely to compute: "auto" resolved by what the machine is fast at."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from ferdata.errors import BadOption, choose_one

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")


def resolve(device: str, precision: str) -> tuple[str, str]:
    """Return the device and precision that "auto" stands for here. Raises BadOption for what is not there."""
    for name, value, choices in (("device", device, DEVICES), ("precision", precision, PRECISIONS)):
        if value not in choices:
            raise BadOption(f"--{name} cannot be {value!r}.", choose_one(value, choices))
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(d for d in ("cuda", "mps", "cpu") if there[d])
    if not there[device]:
        raise BadOption(f"There is no {device} device here.", "Use --device auto or --device cpu.")
    if precision == "auto":
        # A GPU without bfloat16 (T4, V100, P100) computes in float16 itself, many times as fast as in float32.
        precision = "bf16-mixed" if has_bf16(device) else "16-mixed" if device == "cuda" else "32-true"
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


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Form convolutions and products in whole float32 on `device`, not in TF32's ten bits."""
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("highest")
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def fast(device: torch.device) -> Iterator[None]:
    """Let a GPU try which kernels are the fastest, and form float32's products in TF32, as it forms convolutions.

    For training, whose batches are all of one shape.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def check_devices(device: str, devices: int) -> None:
    """Raise BadOption for more devices than there are."""
    there = torch.cuda.device_count() if device == "cuda" else 1 if device == "mps" else devices
    if devices > there:
        raise BadOption(f"There are {there} devices of kind {device}, not {devices}.", f"Give --devices {there}.")
