"""Augmentation of a whole batch at once, on the device: one affine map, flip, contrast, brightness, erasing."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ferdata.errors import BadOption


@dataclass(frozen=True)
class Policy:
    """Ranges that are drawn from evenly, for each image on its own.

    `shift` is a share of the side, either way; `scale` s means a factor of 1/(1+s) to 1+s; `rotation` is in degrees,
    `shear` a slope, `brightness` in units of white, `contrast` like `scale`; `flip` and `erase` are probabilities.
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0


# FER+'s own recipe shifts by 8 %, scales by 1.05, turns by 20 degrees, shears by 0.05 and flips (microsoft/FERPlus,
# src/train.py). A face turned further, or shifted out of the picture, is no longer what its annotators saw.
POLICIES = {
    "none": Policy(),
    "light": Policy(shift=0.04, rotation=5, scale=0.05, flip=0.5),
    "standard": Policy(shift=0.08, rotation=12, scale=0.12, flip=0.5, brightness=0.08, contrast=0.15),
    "strong": Policy(0.1, 20, 0.2, 0.08, 0.5, brightness=0.15, contrast=0.3, erase=0.4),
}


def policy(name: str) -> Policy:
    """Return the policy `name`. Raises BadOption."""
    if name not in POLICIES:
        raise BadOption(f"There is no augmentation {name!r}.", f"Choose one of {', '.join(POLICIES)}.")
    return POLICIES[name]


def as_float(images: Tensor) -> Tensor:
    """Turn uint8 (B, H, W, C) into float32 (B, C, H, W) in 0..1, channels last in memory."""
    return images.permute(0, 3, 1, 2).float().div_(255)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Subtract `mean` (C,) and divide by `std` (C,): the one place where that is done."""
    return (images - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)


def augment(images: Tensor, chosen: Policy, generator: torch.Generator) -> Tensor:
    """Augment float32 (B, C, H, W) in 0..1 under the policy; the shape stays.

    Numbers are drawn from `generator`, which lives on the CPU, so that every device sees the same ones.
    """
    warped = _affine(images, chosen, generator)
    if chosen.contrast or chosen.brightness:
        n = len(images)
        factor = _factor(n, chosen.contrast, generator).view(-1, 1, 1, 1).to(images.device)
        offset = _spread(n, chosen.brightness, generator).view(-1, 1, 1, 1).to(images.device)
        middle = warped.mean((1, 2, 3), keepdim=True)
        warped = (warped - middle) * factor + (middle + offset)
    return warped


def erase(images: Tensor, chosen: Policy, generator: torch.Generator) -> Tensor:
    """Blank a rectangle of 15 to 40 % of each side in some of the images (Zhong et al. 2017, arXiv 1708.04896).

    `images` are normalised, so that blank is the mean, zero.
    """
    if not chosen.erase:
        return images
    n, _, height, width = images.shape
    size = 0.15 + 0.25 * torch.rand(2, n, generator=generator)
    start = torch.rand(2, n, generator=generator) * (1 - size)
    hit = torch.rand(n, generator=generator) < chosen.erase
    sides = []
    for axis, length in enumerate((height, width)):
        at = (torch.arange(length) + 0.5) / length
        low, high = start[axis][:, None], (start + size)[axis][:, None]
        sides.append((at >= low) & (at < high))
    hole = hit[:, None, None] & sides[0][:, :, None] & sides[1][:, None, :]
    return images.masked_fill(hole[:, None].to(images.device), 0)


def _affine(images: Tensor, chosen: Policy, generator: torch.Generator) -> Tensor:
    n = len(images)
    mirror = torch.where(torch.rand(n, generator=generator) < chosen.flip, -1.0, 1.0)
    if not (chosen.shift or chosen.rotation or chosen.scale or chosen.shear):
        return torch.where((mirror < 0).view(-1, 1, 1, 1).to(images.device), images.flip(3), images)
    angle = _spread(n, math.radians(chosen.rotation), generator)
    across, down = _factor(n, chosen.scale, generator), _factor(n, chosen.scale, generator)
    shear = _spread(n, chosen.shear, generator)
    # Coordinates run from -1 to 1, so a share of the side counts double.
    shift = torch.stack([_spread(n, 2 * chosen.shift, generator) for _ in range(2)], 1)
    cosine, sine = angle.cos(), angle.sin()
    turn = torch.stack([cosine, -sine, sine, cosine], 1).view(n, 2, 2)
    stretch = torch.stack([across * mirror, shear, torch.zeros(n), down], 1).view(n, 2, 2)
    theta = torch.cat([turn @ stretch, shift[:, :, None]], 2).to(images.device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _spread(n: int, width: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(n, generator=generator) * 2 - 1) * width


def _factor(n: int, width: float, generator: torch.Generator) -> Tensor:
    return torch.exp(_spread(n, math.log1p(width), generator))
