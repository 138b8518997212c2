"""Two faces in one picture: mixup and cutmix, whose targets are mixed in the same shares."""

import numpy as np
import torch
from torch import Tensor


def mix(x: Tensor, soft: Tensor, mixup: float, cutmix: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mix each image of a batch with another of it, and the targets in the same shares.

    `x` is float (B, C, H, W), `soft` float (B, classes). `mixup` and `cutmix` are the alpha of the beta distribution
    that a share is drawn from, per image; 0 switches one off, and with both on each image takes one of them by a coin.
    mixup blends whole pictures (Zhang et al. 2017, arXiv 1710.09412); cutmix pastes a rectangle (Yun et al. 2019,
    arXiv 1905.04899), whose share is the area that is really covered. Numbers come from `generator`, on the CPU.
    """
    n, _, height, width = x.shape
    if not (mixup or cutmix) or n < 2:
        return x, soft
    # torch draws no beta numbers from a generator of one's own; numpy does.
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    other = torch.randperm(n, generator=generator)
    pasted = torch.from_numpy(rng.random(n) < (0.5 if mixup and cutmix else float(bool(cutmix))))
    kept = torch.ones(n, 1, height, width)
    if mixup:
        kept[:] = torch.from_numpy(rng.beta(mixup, mixup, n)).view(-1, 1, 1, 1)
    if cutmix:
        kept = torch.where(pasted.view(-1, 1, 1, 1), _outside(rng, n, height, width, cutmix), kept)
    share = kept.mean((1, 2, 3)).to(soft)[:, None]
    mask, other = kept.to(x), other.to(x.device)
    return x * mask + x[other] * (1 - mask), soft * share + soft[other.to(soft.device)] * (1 - share)


def _outside(rng: np.random.Generator, n: int, height: int, width: int, alpha: float) -> Tensor:
    """Return float32 (n, 1, H, W), 0 in a rectangle around a random point, cut off at the border, and 1 outside."""
    side = np.sqrt(1 - rng.beta(alpha, alpha, n))
    inside = []
    for length in (height, width):
        middle, half = rng.random(n) * length, side * length / 2
        at = np.arange(length) + 0.5
        inside.append((at >= (middle - half)[:, None]) & (at < (middle + half)[:, None]))
    hole = inside[0][:, :, None] & inside[1][:, None, :]
    return torch.from_numpy(1 - hole.astype(np.float32))[:, None]
