"""Other readings of a model's input: another scale of pixels, BGR for RGB, a tighter or a wider crop."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferdata.training_data.arrays import prepare
from zoo.models.foreign.card import of_range

Pixels = NDArray[np.uint8]
LARGER = 1.25  # the side that pixels are loaded at for tighter crops, of the model's
TIGHTER, WIDER = (0.8, 0.9), (1.1, 1.25)
RANGES = {"0,1": (0.0, 1.0), "-1,1": (-1.0, 1.0), "0,255": (0.0, 255.0)}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
COLOURED = 2.0  # levels of 255 that red and blue differ by, on average, in a picture that has colours
ALIKE = 0.02  # of a scale, what another one differs by at least


@dataclass(frozen=True)
class Reading:
    """Another input: `kind` is pixels, channels or crop; `name` the option's value, or the crop's share of the side."""

    kind: str
    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    turned: bool = False
    crop: float = 1.0

    def of(self, pixels: Pixels, larger: Pixels) -> Pixels:
        """Return the pictures as this reading gives them, uint8 (n, size, size, channels).

        `larger` are the same pictures at LARGER times the side.
        """
        if self.turned:
            return np.ascontiguousarray(pixels[..., ::-1])
        if self.crop == 1:
            return pixels
        return np.stack([_cut(one, self.crop, pixels.shape[1]) for one in (larger if self.crop < 1 else pixels)])


def readings(mean: tuple[float, ...], std: tuple[float, ...], other: str | None) -> Iterator[Reading]:
    """Yield every other reading of an input that `mean` is subtracted from now, and that `std` divides.

    `other` is the other order of channels, BGR or RGB; None where it is not to be tried.
    """
    for name, centre, spread in _scales(len(mean)):
        if not _alike((centre, spread), (mean, std)):
            yield Reading("pixels", name, centre, spread)
    if other:
        yield Reading("channels", other, mean[::-1], std[::-1], turned=True)
    for share in (*TIGHTER, *WIDER):
        yield Reading("crop", f"{share:g}", mean, std, crop=share)


def with_colours(pixels: Pixels) -> NDArray[np.bool_]:
    """Return which pictures (n, H, W, C) have colours, (n,); grey ones saved as colour have not."""
    if pixels.shape[3] == 1:
        return np.zeros(len(pixels), bool)
    red, blue = pixels[..., 0].astype(np.int16), pixels[..., 2].astype(np.int16)
    return np.asarray(np.abs(red - blue).mean((1, 2)) > COLOURED)


def _scales(channels: int) -> Iterator[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    for name, ends in RANGES.items():
        found = of_range(ends, name)
        yield name, found["mean"] * channels, found["std"] * channels
    centre, spread = (((sum(each) / 3,) if channels == 1 else each) for each in IMAGENET)
    yield "ImageNet", centre, spread


def _alike(one: tuple[tuple[float, ...], ...], other: tuple[tuple[float, ...], ...]) -> bool:
    """Return whether two scales make about the same of 0 and of 255, by their own width."""
    ends = [[(end - np.asarray(mean)) / np.asarray(std) for end in (0, 1)] for mean, std in (one, other)]
    width = np.abs(ends[1][1] - ends[1][0])
    return bool(all((np.abs(a - b) <= ALIKE * width).all() for a, b in zip(*ends, strict=True)))


def _cut(pixels: Pixels, share: float, size: int) -> Pixels:
    """Return a picture (H, H, C) cut to a share of its side about the middle, as datasets are cut and resized.

    Above 1 its edge is repeated about it: what lies beyond is not known.
    """
    image = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    off = round(len(image) * abs(1 - share) / 2)
    if share > 1:
        image = np.pad(image, ((off, off), (off, off), (0, 0))[: image.ndim], mode="edge")
    else:
        image = image[off : len(image) - off, off : len(image) - off]
    return prepare(image, size, pixels.shape[2])
