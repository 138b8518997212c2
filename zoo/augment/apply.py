"""Augmentation of a whole batch at once, where it is trained: uint8 pixels in, a normalised float batch out.

On the processor OpenCV moves the pixels, three times as fast as torch's own operators there and without waiting for
Python's lock; on a GPU torch does. Both are given the same numbers (`zoo.augment.parameters`), so their pictures agree.
"""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ferdata import images as _  # noqa: F401  # sets OpenCV's limits and its number of threads
from zoo.augment.parameters import Draws
from zoo.augment.policies import ABOUT, POLICIES, Policy, policy

# After the import of ferdata.images, which sets OpenCV's limits.
import cv2  # isort: skip

__all__ = ["ABOUT", "POLICIES", "Policy", "apply", "as_float", "normalise", "on_device", "on_processor", "policy"]

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: what contrast takes as a colour's brightness, as torchvision does


def as_float(images: Tensor) -> Tensor:
    """Turn uint8 (B, H, W, C) into float32 (B, C, H, W) in 0..1, channels last in memory."""
    return images.permute(0, 3, 1, 2).float().div_(255)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Subtract `mean` (C,) and divide by `std` (C,): the one place where that is done."""
    return (images - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)


def apply(images: Tensor, draws: Draws, mean: Tensor, std: Tensor) -> Tensor:
    """Augment and normalise uint8 (B, H, W, C); return float32 (B, C, H, W), channels last in memory, where they are.

    `mean` and `std` (C,) are of pixels in 0..1 and lie where the images do.
    """
    if images.device.type == "cpu":
        pixels, where = images.numpy(), np.arange(len(images))
        return torch.from_numpy(on_processor(pixels, where, draws, mean.numpy(), std.numpy())).permute(0, 3, 1, 2)
    return on_device(images, draws, mean, std)


def on_processor(
    pixels: NDArray[np.uint8],
    where: NDArray[np.integer],
    draws: Draws,
    mean: NDArray[np.floating],
    std: NDArray[np.floating],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Augment and normalise the pictures at `where` of uint8 (N, H, W, C); return float32 (B, H, W, C), in `out`.

    A picture is read once, straight from the pack, and written once: brightness, contrast, normalising and the step
    to float are one table of 256 values.
    """
    n, side, channels = len(where), pixels.shape[1], pixels.shape[3]
    out = np.empty((n, side, side, channels), np.float32) if out is None else out
    at_once = max(1, BLOCK // pixels[:1].size) if len(pixels) else 1
    moved = np.empty((min(n, at_once), side, side, channels), np.uint8)
    for start in range(0, n, at_once):
        here = slice(start, start + at_once)
        some = moved[: len(where[here])]
        _move(pixels, where[here], draws, here, some)
        if draws.bright is None or draws.contrast is None:
            table = _tables(None, None, None, mean, std)[0]
            cv2.LUT(some.reshape(-1, side, channels), table, out[here].reshape(-1, side, channels))
        else:
            bright, contrast = draws.bright[here].numpy(), draws.contrast[here].numpy()
            tables = _tables(_brightness(some), bright, contrast, mean, std)
            for picture, table, place in zip(some, tables, out[here], strict=True):
                cv2.LUT(picture, table, place)
    if draws.holes is not None:
        for i, (left, top, right, bottom) in enumerate(draws.holes.tolist()):
            out[i, top:bottom, left:right] = 0  # the mean
    return out


BLOCK = 1 << 18  # bytes that are moved together, so that they are still near when they are read again
_BACK = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def _move(
    pixels: NDArray[np.uint8], where: NDArray[np.integer], draws: Draws, here: slice, out: NDArray[np.uint8]
) -> None:
    """Put the pictures at `where`, mirrored, turned and cropped as `draws` says for `here`, into `out` (b, H, W, C)."""
    side = pixels.shape[1]
    if draws.maps is None:
        np.take(pixels, where, axis=0, out=out)
        mirror = draws.mirror[here].numpy()
        out[mirror] = out[mirror, :, ::-1]
        return
    for row, back, place in zip(where.tolist(), draws.maps[here].numpy(), out, strict=True):
        cv2.warpAffine(pixels[row], back, (side, side), place, _BACK, cv2.BORDER_REFLECT)


def _brightness(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean brightness of each picture (B, H, W, C), float64 (B,)."""
    n, side, channels = len(pictures), pictures.shape[1], pictures.shape[3]
    if channels == 1:  # all at once: summing along rows is fast for one channel alone
        lines = cv2.reduce(pictures.reshape(-1, side), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    else:
        lines = np.stack(
            [cv2.reduce(p.reshape(side, -1), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S) for p in pictures]
        )  # fmt: skip
    mean = lines.reshape(n, side, channels).sum(1) / side**2
    return np.asarray(mean @ (LUMA if channels == 3 else (1.0,)), np.float64)


def _tables(
    grey: NDArray[np.float64] | None,
    bright: NDArray[np.float32] | None,
    contrast: NDArray[np.float32] | None,
    mean: NDArray[np.floating],
    std: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Return what each of the 256 levels becomes, float32 (n, 1, 256, C)."""
    levels = np.arange(256, dtype=np.float32)[None, :]
    if grey is not None and bright is not None and contrast is not None:
        middle = grey[:, None].astype(np.float32)
        levels = np.clip(((levels - middle) * contrast[:, None] + middle) * bright[:, None], 0, 255)
    return np.asarray((levels[:, None, :, None] / 255 - mean) / std, np.float32)


def on_device(images: Tensor, draws: Draws, mean: Tensor, std: Tensor) -> Tensor:
    """Augment and normalise uint8 (B, H, W, C) with torch, wherever it lies; return float32 (B, C, H, W)."""
    device, channels = images.device, images.shape[3]
    x = _moved(images.permute(0, 3, 1, 2).float(), draws)
    if draws.bright is not None and draws.contrast is not None:
        bright, contrast = (v.to(device, non_blocking=True).view(-1, 1, 1, 1) for v in (draws.bright, draws.contrast))
        middle = (x.mean((2, 3)) @ _luma(channels, device)).view(-1, 1, 1, 1)
        x = ((x - middle) * contrast + middle).mul_(bright).clamp_(0, 255)
    x = normalise(x.div_(255), mean, std)
    if draws.holes is not None:
        x = x.masked_fill(inside(draws.holes.to(device, non_blocking=True), *x.shape[2:]), 0)
    return x.contiguous(memory_format=torch.channels_last)


@lru_cache
def _luma(channels: int, device: torch.device) -> Tensor:
    return torch.tensor(LUMA if channels == 3 else (1.0,), device=device)


def _moved(x: Tensor, draws: Draws) -> Tensor:
    if draws.maps is None:
        return torch.where(draws.mirror.to(x.device).view(-1, 1, 1, 1), x.flip(3), x)
    side = x.shape[3]
    maps = draws.maps.float().to(x.device, non_blocking=True)
    at = torch.arange(side, device=x.device, dtype=torch.float32)
    # As affine_grid does, without its matrix product over every pixel; coordinates run from -1 to 1 here.
    lines = maps[:, :, 1, None] * at + maps[:, :, 2, None]
    grid = lines[:, :, :, None] + (maps[:, :, 0, None] * at)[:, :, None, :]
    grid = grid.mul_(2 / side).add_(1 / side - 1).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return which pixels lie in boxes of left, top, right and bottom, int64 (n, 4): bool (n, 1, H, W)."""
    left, top, right, bottom = boxes[:, :, None].unbind(1)
    across, down = (torch.arange(length, device=boxes.device)[None] for length in (width, height))
    rows, columns = (down >= top) & (down < bottom), (across >= left) & (across < right)
    return (rows[:, :, None] & columns[:, None, :])[:, None]
