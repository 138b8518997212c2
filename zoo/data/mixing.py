"""Two faces in one picture: mixup and cutmix, whose targets are mixed in the same shares."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.augment.apply import inside


def mix(x: Tensor, soft: Tensor, mixup: float, cutmix: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mix each image of a batch with another of it, and the targets in the same shares.

    `x` is float (B, C, H, W), `soft` float (B, classes). `mixup` and `cutmix` are the alpha of the beta distribution
    that a share is drawn from, per image; 0 switches one off, and with both on each image takes one of them by a coin.
    mixup blends whole pictures (Zhang et al. 2017, arXiv 1710.09412); cutmix pastes a rectangle (Yun et al. 2019,
    arXiv 1905.04899), whose share is the area that is really covered. Numbers come from `generator`, on the CPU;
    pictures are mixed where they are.
    """
    n, _, height, width = x.shape
    if not (mixup or cutmix) or n < 2:
        return x, soft
    # torch draws no beta numbers from a generator of one's own; numpy does.
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    other = torch.randperm(n, generator=generator)
    pasted = rng.random(n) < (0.5 if mixup and cutmix else float(bool(cutmix)))
    share = rng.beta(mixup, mixup, n) if mixup else np.ones(n)
    if not cutmix:
        kept = _there(share, x).view(-1, 1, 1, 1)
    else:
        boxes = _boxes(rng, n, height, width, cutmix) * pasted[:, None]  # no box where nothing is pasted
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        share = np.where(pasted, 1 - area / (height * width), share)
        outside = ~inside(_there(boxes, x), height, width)
        kept = torch.where(_there(pasted, x).view(-1, 1, 1, 1), outside, _there(share, x).view(-1, 1, 1, 1))
    other = _there(other, x)
    mask, part = kept.to(x), _there(share, x).to(soft)[:, None]
    return x * mask + x[other] * (1 - mask), soft * part + soft[other] * (1 - part)


def _there(numbers: NDArray[Any] | Tensor, x: Tensor) -> Tensor:
    """Return numbers, floats as float32, where `x` lies, without waiting for the device."""
    tensor = torch.as_tensor(numbers)
    tensor = tensor.float() if tensor.is_floating_point() else tensor
    return tensor.pin_memory().to(x.device, non_blocking=True) if x.is_cuda else tensor


def _boxes(rng: np.random.Generator, n: int, height: int, width: int, alpha: float) -> NDArray[np.int64]:
    """Return rectangles around random points, cut off at the border: left, top, right and bottom, int64 (n, 4)."""
    side = np.sqrt(1 - rng.beta(alpha, alpha, n))
    ends = []
    for length in (height, width):
        middle, half = rng.random(n) * length, side * length / 2
        # A pixel is inside if its middle is, half a pixel from where it begins.
        ends.append(np.clip(np.ceil(np.stack([middle - half, middle + half]) - 0.5), 0, length))
    (top, bottom), (left, right) = ends
    return np.stack([left, top, right, bottom], 1).astype(np.int64)
