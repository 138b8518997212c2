"""The one path from pixels to probabilities: validation, test, evaluation and prediction all come here."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ferdata.errors import BadOption, choose_one
from ferdata.running import progress
from zoo.augment.apply import as_float, normalise
from zoo.models.xgboost_head import read_by_last
from zoo.run.device import exact
from zoo.run.memory import elsewhere, if_it_fits, scoring_batch

TTA = ("none", "flip", "ten-crop")
HELD = 1 << 26  # bytes of results that stay on the device before they come to the processor
CROP_SHARE = 7 / 8  # of the side that a crop of ten keeps: 42 of 48 pixels, 196 of 224


def score(
    net: nn.Module,
    pixels: Tensor | NDArray[np.uint8],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    tta: str = "none",
    temperature: float = 1.0,
    what: str = "Scoring",
) -> NDArray[np.float32]:
    """Return the probabilities, float32 (n, classes), of uint8 images (n, H, W, C), in order.

    `mean` and `std` are per channel, in 0..1. `tta` averages the probabilities of several views of each image: "flip"
    of it and its mirror image; "ten-crop" of the corners and the centre, each grown back to the net's input, and of
    their mirror images (Krizhevsky et al. 2012). `temperature` then sharpens (below 1) or flattens (above 1) the
    average: p^(1/T), which without views is softmax(logits / T).

    In float32 without TF32, whatever the net was trained in; only a net that Fabric wraps keeps its own precision. The
    net is left in eval mode. Raises BadOption as `over_images` does, for an unknown `tta`, and for a temperature that
    is not above 0.
    """
    check_tta(tta)
    if not temperature > 0:
        raise BadOption(f"The temperature is {temperature}.", "It must be above 0; 1 changes nothing.")
    return over_images(net, pixels, mean, std, lambda x: tempered(_average(net, x, tta), temperature), what)


def features(
    net: nn.Module,
    pixels: Tensor | NDArray[np.uint8],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    what: str = "Reading features",
) -> NDArray[np.float32]:
    """Return what the last layer reads, float32 (n, width), of uint8 images (n, H, W, C), whole and not augmented.

    `mean` and `std` are per channel, in 0..1. The net, as `zoo.models.build.build` returns it, is left in eval mode.
    Raises BadOption as `over_images` does.
    """
    return over_images(net, pixels, mean, std, partial(read_by_last, net), what)


def over_images(
    net: nn.Module,
    pixels: Tensor | NDArray[np.uint8],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    compute: Callable[[Tensor], Tensor],
    what: str,
) -> NDArray[np.float32]:
    """Return what `compute` makes, with the net, of uint8 images (n, H, W, C), in order; float32 (n, ...).

    It is given normalised batches (b, C, H, W) of `scoring_batch` images on the net's device. One that memory does not
    hold is halved, and those after it are no larger. `pixels` may lie on that device, in memory, or on disk. Nothing
    waits for a GPU between batches. Raises BadOption if memory does not hold a single image.
    """
    device, side = next(net.parameters()).device, int(pixels.shape[1])
    centre, spread = torch.tensor(mean, device=device), torch.tensor(std, device=device)
    net.eval()
    batch, start, held = scoring_batch(side), 0, 0
    on_device: list[Tensor] = []
    done = [torch.empty(0)]
    with torch.inference_mode(), exact(device), progress.bar(what, len(pixels), "images") as advance:
        while start < len(pixels):
            some = pixels[start : start + batch]
            made = if_it_fits(partial(_computed, compute, some, centre, spread), device)
            if made is None:
                batch = len(some) // 2
                if not batch:
                    raise _too_large(device.type, side)
                continue
            on_device.append(made)
            start, held = start + len(some), held + made.nbytes
            if held >= HELD:
                done += [part.cpu() for part in on_device]
                on_device, held = [], 0
            advance(len(some))
        done += [part.cpu() for part in on_device]
    return torch.cat(done[1:] or done).numpy()


def _computed(
    compute: Callable[[Tensor], Tensor], pixels: Tensor | NDArray[np.uint8], mean: Tensor, std: Tensor
) -> Tensor:
    """Return what `compute` makes of uint8 images (b, H, W, C), normalised on the device of `mean` and `std` (C,)."""
    images = torch.as_tensor(pixels)
    if mean.device.type == "cuda" and images.device.type == "cpu":
        images = images.pin_memory()  # else the copy, and with it Python, would wait for the GPU
    images = images.to(mean.device, non_blocking=True)
    return compute(normalise(as_float(images), mean, std).contiguous(memory_format=torch.channels_last))


def _too_large(device: str, side: int) -> BadOption:
    return BadOption(
        f"Memory is not enough on {device} to score a single image of {side} px.",
        f"{elsewhere(device)} Or train with a smaller --size than {side}.",
    )


def check_tta(tta: str) -> None:
    """Raise BadOption unless `tta` is one of TTA."""
    if tta not in TTA:
        raise BadOption(f"--tta cannot be {tta!r}.", choose_one(tta, TTA))


def tempered(p: Tensor, temperature: float) -> Tensor:
    """Return probabilities (n, classes) as p^(1/T), with rows that sum to 1."""
    return p if temperature == 1 else (p.clamp(min=torch.finfo(p.dtype).tiny).log() / temperature).softmax(1)


def _average(net: nn.Module, x: Tensor, tta: str) -> Tensor:
    """Return the mean probabilities, float32 (n, classes), over the views of a normalised batch (n, C, H, W)."""
    if tta == "none":
        return _probabilities(net, x)
    total, views = torch.zeros(1, device=x.device), [x] if tta == "flip" else _five(x)
    for view in views:
        # One view at a time, always in this order: the sum is the same each time, and memory that of one view.
        total = total + _probabilities(net, view) + _probabilities(net, view.flip(3))
    return total / (2 * len(views))


def _probabilities(net: nn.Module, x: Tensor) -> Tensor:
    out: Tensor = net(x)
    return out.float().softmax(1)


def _five(x: Tensor) -> list[Tensor]:
    """Return the four corners and the centre of a batch, each grown back to its size."""
    return [
        F.interpolate(crop, x.shape[2:], mode="bilinear").contiguous(memory_format=torch.channels_last)
        for crop in corners_and_centre(x)
    ]


def corners_and_centre(x: Tensor) -> list[Tensor]:
    """Return five crops of a batch (n, C, H, W), each CROP_SHARE of its sides."""
    height, width = x.shape[2:]
    h, w = max(1, round(height * CROP_SHARE)), max(1, round(width * CROP_SHARE))
    bottom, right = height - h, width - w
    places = ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2))
    return [x[:, :, top : top + h, left : left + w] for top, left in places]
