"""How many images are scored at once, what an out-of-memory error is, and what is said of one."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from ferdata.errors import BadOption, FerdataError

T = TypeVar("T")
MOST = 256  # images at once
WHOLE = 112  # the largest side, in pixels, of which that many are taken: above, as many pixels and no more
# torch has an exception of its own for a GPU's memory, and none for the processor's, MPS's and those of its libraries.
KNOWN = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "insufficient memory",
    "alloc_failed",
    "bad_alloc",
)


def scoring_batch(size: int) -> int:
    """Return how many images of `size` x `size` pixels are scored at once: a power of two, 256 up to 112 px.

    A function of the size alone, so that sums are formed in the same order on every machine. Activations grow with the
    area: 256 images of 380 px are 5 GB in a single layer of EfficientNet-B4, and 16 of them 0.3 GB.
    """
    fitting = min(MOST, MOST * WHOLE**2 // max(size, 1) ** 2)
    return 1 << max(fitting.bit_length() - 1, 0)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error is that memory was not enough, of a GPU or of the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError):  # its words hold a file's name
        return error.errno == errno.ENOMEM
    words = str(error).lower()
    return not isinstance(error, FerdataError) and any(known in words for known in KNOWN)


def if_it_fits(work: Callable[[], T], device: torch.device) -> T | None:
    """Return what `work` returns; None, with the device's cache freed, if memory is not enough for it."""
    try:
        return work()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # Only here, where the error and all that its traceback holds are gone, is there something to free.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    return None


@contextmanager
def enough(device: str, what: str, hint: str) -> Iterator[None]:
    """Raise BadOption, with the `hint`, where memory is not enough on `device` for the block; `what` says what for."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise BadOption(f"Memory is not enough on {device} {what}.", hint) from None


def elsewhere(device: str) -> str:
    """Return, as a sentence of a hint, where there may be more memory than on `device` now."""
    if device == "cpu":
        return "End other programs, or use a machine with more memory."
    return f"Use --device cpu, or end other programs on the {device} device."
