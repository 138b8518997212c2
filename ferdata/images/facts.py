"""What the pixels of a picture tell, in one pass: size, mode, hashes, brightness, contrast, sharpness."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Of these formulas: a manifest's metadata has it of each source, as `measured`. Without one they were the first, whose
# contrast overflowed in large pictures (`overflowed`).
VERSION = 2


@dataclass(frozen=True, slots=True)
class Facts:
    """What one decode tells of an image; the fields are columns that ingest owns (`ferdata.schema`)."""

    pixel_hash: str
    phash: int
    width: int
    height: int
    mode: str
    brightness: float
    contrast: float
    sharpness: float


def pixel_hash(image: NDArray[np.integer]) -> str:
    """Return the 128-bit hash, in hex, of an image's shape, depth and pixels.

    RGB with three equal channels counts as grey, so that a grey picture saved as colour stays the same picture.
    """
    return _pixel_hashes(np.ascontiguousarray(image)[None])[0]


def _pixel_hashes(stack: NDArray[np.integer]) -> list[str]:
    """Return the hash of each image of a stack (n, H, W) or (n, H, W, 3) without gaps."""
    colour = _form(stack.shape[1:], stack.dtype)
    if stack.ndim == 3:
        return [_hash(colour, image) for image in stack]
    plain = _form(stack.shape[1:3], stack.dtype)
    both = zip(stack, _are_grey(stack), strict=True)
    return [_hash(plain, np.ascontiguousarray(image[..., 0])) if g else _hash(colour, image) for image, g in both]


def _are_grey(stack: NDArray[np.integer]) -> list[bool]:
    """Return of which images, (n, H, W, 3), all channels are equal: a row from the middle tells most that are not."""
    middle = stack.shape[1] // 2
    grey = (stack[:, middle, :, 1:] == stack[:, middle, :, :1]).all(axis=(1, 2))
    for i in np.flatnonzero(grey):
        grey[i] = (stack[i, ..., 1:] == stack[i, ..., :1]).all()
    return [bool(g) for g in grey]


def _hash(form: Any, image: NDArray[np.integer]) -> str:
    digest = form.copy()
    digest.update(image)
    return str(digest.hexdigest())


@lru_cache(maxsize=256)
def _form(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Return a hash that has taken in an image's shape and depth."""
    return hashlib.blake2b(repr((shape, dtype.name)).encode(), digest_size=16)


def _cosines(n: int) -> NDArray[np.float64]:
    """Return the lowest `n` frequencies of a DCT-II over 32 values, (n, 32), in whole numbers."""
    waves: NDArray[np.float64] = np.cos(np.pi * np.outer(np.arange(n), 2 * np.arange(32) + 1) / 64)
    return np.rint(waves * (1 << 15))


_DOWN, _ACROSS = _cosines(9), _cosines(8).T


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """Return the 64-bit DCT hash: signs of the lowest 8 x 8 frequencies of a 32 x 32 copy, bit 63 first.

    The constant term, which is always positive, gives its place to the next vertical frequency. Signs, rather than
    the usual comparison with the median, because mirroring then only negates every second column: see `mirrored`.
    The cosines are whole numbers, so that the sums are exact, and equal on every machine.
    """
    return int(perceptual_hashes(grey[None])[0])


def perceptual_hashes(stack: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the `perceptual_hash` of each image of a stack, uint8 (n, H, W), as uint64 (n,)."""
    n, height, width = stack.shape
    if height >= 32 <= width:
        # One tall image: where it shrinks, no pixel of the copy is made of two pictures' pixels.
        small = cv2.resize(stack.reshape(n * height, width), (32, 32 * n), interpolation=cv2.INTER_AREA)
    else:
        small = np.concatenate([cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA) for grey in stack])
    waves = np.matmul(_DOWN, np.matmul(small.reshape(n, 32, 32).astype(np.float64), _ACROSS))  # below 2 ** 53: exact
    low = waves[:, :8].copy()
    low[:, 0, 0] = waves[:, 8, 0]
    return np.packbits((low > 0).reshape(n, 64), axis=1).view(">u8")[:, 0].astype(np.uint64)


ODD_COLUMNS = 0x5555555555555555  # the frequencies that change sign when left and right are swapped


def mirrored(phash: int) -> int:
    """Return the perceptual hash of the mirror image; exact up to the resizing of the picture."""
    return phash ^ ODD_COLUMNS


def as_uint8(image: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the image with 8 bits a channel; 16-bit values keep their upper byte."""
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8, copy=False)


def measure(image: NDArray[np.integer]) -> Facts:
    """Return the facts of a decoded image, as `decode` gives it."""
    measured = Measured()
    measured.add(image)
    return Facts(**{name: column[0] for name, column in measured.columns().items()})


class Measured:
    """The facts of decoded images, as `decode` gives them, in the order in which they were added.

    Images of one shape are measured together as soon as there are STACK values of them: small ones take half the time
    of one by one, and all are still in the processor's cache. At most HELD values wait for others of their shape.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in Facts.__slots__}
        self._places: list[int] = []  # which image each value of a column is of
        self._waiting: dict[tuple[tuple[int, ...], str], list[tuple[int, NDArray[np.integer]]]] = {}
        self._count = self._held = 0

    def add(self, image: NDArray[np.integer]) -> None:
        """Take an image in."""
        alike = self._waiting.setdefault((image.shape, image.dtype.char), [])
        alike.append((self._count, image))
        self._count += 1
        self._held += image.size
        if (len(alike) + 1) * image.size > STACK:  # another would not fit
            self._measure(alike)
        elif self._held >= HELD:
            self._measure_all()

    def columns(self) -> dict[str, list[Any]]:
        """Return a column for each field of `Facts`."""
        self._measure_all()
        in_order = list(range(self._count))
        if self._places != in_order:
            at = sorted(in_order, key=self._places.__getitem__)
            self._columns = {name: [values[i] for i in at] for name, values in self._columns.items()}
            self._places = in_order
        return self._columns

    def _measure_all(self) -> None:
        for alike in self._waiting.values():
            if alike:
                self._measure(alike)
        self._waiting = {}

    def _measure(self, alike: list[tuple[int, NDArray[np.integer]]]) -> None:
        """Measure images of one shape and depth, each with its place in the order, and let go of them."""
        places, images = zip(*alike, strict=True)
        alike.clear()
        self._held -= sum(image.size for image in images)
        self._places += places
        for name, values in _measured(images).items():
            self._columns[name] += values


HELD = 1 << 22  # values
STACK = 1 << 16  # values: so few that they stay in the processor's cache


def _measured(images: Sequence[NDArray[np.integer]]) -> dict[str, list[Any]]:
    """Return the facts of images of one shape and depth, by field."""
    n, (height, width) = len(images), images[0].shape[:2]
    stack = _stacked(images)
    grey = as_uint8(stack)
    if grey.ndim == 4:
        tall = cv2.cvtColor(grey.reshape(n * height, width, 3), cv2.COLOR_RGB2GRAY)
        grey = np.asarray(tall, np.uint8).reshape(n, height, width)
    total, squares = _sums(grey)
    return {
        "pixel_hash": _pixel_hashes(stack),
        "phash": perceptual_hashes(grey).tolist(),
        "width": [width] * n,
        "height": [height] * n,
        "mode": [("L" if stack.ndim == 3 else "RGB") + ("16" if stack.dtype == np.uint16 else "")] * n,
        "brightness": (total / (height * width) / 255).tolist(),
        "contrast": (np.sqrt(_variance(total, squares, height * width)) / 255).tolist(),
        "sharpness": (_sharpness(grey) / 255**2).tolist(),
    }


def _stacked(images: Sequence[NDArray[np.integer]]) -> NDArray[np.integer]:
    """Return images of one shape and depth as one array without gaps; one alone is not copied."""
    if len(images) == 1:
        return np.ascontiguousarray(images[0])[None]
    joined = b"".join([np.ascontiguousarray(image).data for image in images])  # five times as fast as numpy.stack
    return np.frombuffer(joined, images[0].dtype).reshape(len(images), *images[0].shape)


# Of so many values OpenCV adds up the squares, at most 255 ** 2 each, in 32 bits.
ADDED = (2**31 - 1) // 255**2


def _sums(stack: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the sum of each image's values and that of their squares, (n,): whole numbers, so exact."""
    n, height, width = stack.shape
    if n == 1:
        return _sums_of_one(stack[0])
    rows = stack.reshape(-1, width)
    total, squares = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for at in range(0, width, ADDED):
        piece = rows[:, at : at + ADDED]
        for sums, how in ((total, cv2.REDUCE_SUM), (squares, cv2.REDUCE_SUM2)):
            sums += cv2.reduce(piece, 1, how, dtype=cv2.CV_32S).reshape(n, height).sum(1, dtype=np.int64)
    return total, squares


def _sums_of_one(values: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum of the values of one array (H, W), and that of their squares, each float64 (1,) and exact."""
    # Some builds of OpenCV take a root, and square it again: what that adds is far below a half.
    return np.array([cv2.sumElems(values)[0]]), np.rint(np.array([cv2.norm(values, cv2.NORM_L2SQR)]))


def _variance(total: NDArray[Any], squares: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Return the variance of n values of which these are the sums and the sums of squares."""
    mean = total / n
    return np.maximum(squares / n - mean * mean, 0)


def _sharpness(stack: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the variance of each image's Laplacian, whose values are whole numbers within 4 x 255."""
    n, height, width = stack.shape
    if n == 1:
        return _variance(*_sums_of_one(cv2.Laplacian(stack[0], cv2.CV_16S)), height * width)
    # Each image gets a rim as OpenCV would give it (reflected, the edge itself once), so that they do not touch.
    rimmed = np.empty((n, height + 2, width + 2), np.uint8)
    rimmed[:, 1:-1, 1:-1] = stack
    rimmed[:, 0, 1:-1], rimmed[:, -1, 1:-1] = stack[:, min(1, height - 1)], stack[:, max(0, height - 2)]
    rimmed[:, :, 0], rimmed[:, :, -1] = rimmed[:, :, min(2, width)], rimmed[:, :, max(1, width - 1)]
    tall = rimmed.reshape(-1, width + 2)
    edges = cv2.Laplacian(tall, cv2.CV_16S, borderType=cv2.BORDER_REPLICATE).reshape(rimmed.shape)
    inner = edges[:, 1:-1, 1:-1]
    squares = np.einsum("nij,nij->n", inner, inner, dtype=np.float64)
    return _variance(inner.sum((1, 2), dtype=np.int64), squares, height * width)


def overflowed(width: NDArray[Any], height: NDArray[Any], brightness: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether the first version's contrast of pictures with these columns, (n,), may be wrong.

    It added up the squares of all values in 32 bits. They come to at most 255 times the sum of the values, which
    brightness gives: pictures of up to 181 x 181 pixels, and larger ones that are dark, were measured rightly.
    """
    total = brightness.astype(np.float64) * 255 * width.astype(np.int64) * height.astype(np.int64)
    return np.asarray(total * 255 >= 2**31 * (1 - 1e-6))  # the column is float32
