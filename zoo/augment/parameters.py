"""What a policy comes to for each image of a batch: numbers only, drawn at once for all of them.

Whoever moves the pixels (OpenCV on the processor, torch on a device) is given the same numbers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from zoo.augment.policies import Policy, Range

TRIES = 10  # a crop that does not fit is drawn again, so often; then the picture stays whole (torchvision's rule)


@dataclass(frozen=True)
class Draws:
    """The numbers for n images of `side` pixels, drawn on the CPU; None for what the policy leaves alone.

    `maps` float64 (n, 2, 3): where in the picture, x and y in pixels with the first one's middle at 0, each pixel of
    the new one comes from; `mirror` bool (n,), part of `maps` already; `bright` and `contrast` float32 (n,);
    `holes` int64 (n, 4): left, top, right and bottom of what is erased, all 0 for nothing.
    """

    mirror: Tensor
    maps: Tensor | None
    bright: Tensor | None
    contrast: Tensor | None
    holes: Tensor | None

    @classmethod
    def nothing(cls, n: int) -> Self:
        """Return what leaves `n` images as they are."""
        return cls(torch.zeros(n, dtype=torch.bool), None, None, None, None)

    def each(self, moved: Callable[[Tensor], Tensor]) -> Self:
        """Return the same numbers, each tensor as `moved` gives it: pinned, or on a device."""
        given = (getattr(self, field.name) for field in fields(self))
        return type(self)(*(moved(numbers) if isinstance(numbers, Tensor) else None for numbers in given))  # type: ignore[arg-type]  # mirror is always there


def draw(policy: Policy, n: int, side: int, generator: torch.Generator) -> Draws:
    """Draw for `n` square images of `side` pixels from `generator`, which lives on the CPU."""
    mirror = _chance(n, policy.flip, generator)
    maps = _maps(policy, n, side, mirror, generator) if policy.bends else None
    bright = contrast = holes = None
    if policy.tones:
        on = _chance(n, policy.tone_chance, generator)
        bright, contrast = (
            torch.where(on, _even(n, span, generator), 1.0).float() for span in (policy.brightness, policy.contrast)
        )
    if policy.erase:
        holes = _holes(policy, n, side, generator)
    return Draws(mirror, maps, bright, contrast, holes)


def _maps(policy: Policy, n: int, side: int, mirror: Tensor, generator: torch.Generator) -> Tensor:
    """Return the way back from each new pixel: mirror, crop, shift, shear, turn, scale, each undone."""
    back = _about_middle(_turned(policy, n, generator), side)
    if policy.shift:
        span = (-policy.shift * side, policy.shift * side)
        moved = torch.stack([_even(n, span, generator), _even(n, span, generator)], 1)
        moved = moved * _chance(n, policy.shift_chance, generator)[:, None]
        back[:, :, 2] -= (back[:, :, :2] @ moved[:, :, None])[:, :, 0]
    if policy.crops:
        size, corner = _crop(policy, n, side, generator)
        step = size / side
        # The middles of the first pixels of crop and picture lie half a step and half a pixel from their corners.
        start = corner + step / 2 - 0.5
        back[:, :, 2] += (back[:, :, :2] @ start[:, :, None])[:, :, 0]
        back[:, :, :2] *= step[:, None, :]
    across = torch.where(mirror, -1.0, 1.0).double()
    back[:, :, 2] += back[:, :, 0] * (mirror * (side - 1.0))[:, None]
    back[:, :, 0] *= across[:, None]
    return back


def _turned(policy: Policy, n: int, generator: torch.Generator) -> Tensor:
    """Return the inverse of shear times turn times scale, float64 (n, 2, 2); y points down."""
    across, down = _even(n, policy.scale, generator), _even(n, policy.scale, generator)
    angle = _even(n, (-math.radians(policy.rotation), math.radians(policy.rotation)), generator)
    slope = _even(n, (-math.radians(policy.shear), math.radians(policy.shear)), generator).tan()
    on = _chance(n, policy.rotation_chance, generator)
    cosine, sine, one, zero = angle.cos(), angle.sin(), torch.ones(n).double(), torch.zeros(n).double()
    unshear = torch.stack([one, -slope, zero, one], 1).view(n, 2, 2)
    unturn = torch.stack([cosine, -sine, sine, cosine], 1).view(n, 2, 2)
    unscale = torch.stack([1 / across, zero, zero, 1 / down], 1).view(n, 2, 2)
    return torch.where(on[:, None, None], unscale @ unturn @ unshear, torch.eye(2).double())


def _about_middle(linear: Tensor, side: int) -> Tensor:
    middle = torch.full((2,), (side - 1) / 2).double()
    return torch.cat([linear, (middle - linear @ middle)[:, :, None]], 2)


def _crop(policy: Policy, n: int, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return width and height, and left and top, of what is kept: whole pixels, float64 (n, 2) each."""
    area = _even((n, TRIES), policy.crop, generator) * side * side
    low, high = policy.crop_aspect
    aspect = _even((n, TRIES), (math.log(low), math.log(high)), generator).exp()
    sides = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], 2).round()
    fits = ((sides > 0) & (sides <= side)).all(2)
    first = fits.byte().argmax(1)
    chosen = sides[torch.arange(n), first]
    size = torch.where(fits.any(1)[:, None], chosen, float(side))
    corner = (torch.rand((n, 2), generator=generator, dtype=torch.float64) * (side - size + 1)).floor()
    return size, corner


def _holes(policy: Policy, n: int, side: int, generator: torch.Generator) -> Tensor:
    low, high = policy.erase_area
    narrow, wide = policy.erase_aspect
    area = _even(n, (low, min(high, narrow, 1 / wide)), generator) * side * side
    aspect = _even(n, policy.erase_aspect, generator)
    size = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], 1).round()
    corner = (torch.rand((n, 2), generator=generator, dtype=torch.float64) * (side - size + 1)).floor()
    hit = _chance(n, policy.erase, generator)
    return (torch.cat([corner, corner + size], 1) * hit[:, None]).long()


def _chance(n: int, share: float, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator) < share


def _even(shape: int | tuple[int, int], span: Range, generator: torch.Generator) -> Tensor:
    """Draw evenly from the span, in float64: OpenCV's maps are."""
    low, high = span
    return low + torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low)
