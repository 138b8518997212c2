"""Compare pictures: small copies of them, laid over each other, their edges correlated.

What is the same after re-encoding, resizing, blur and light is the middle band of frequencies, so that band is
compared. Thresholds were measured on FER+ and CK+ (`benchmarks/results/`): see SAME.
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ferdata import images
from ferdata.errors import CannotWrite
from ferdata.running import progress
from ferdata.running.machine import cores

Floats = NDArray[np.float32]
Pairs = NDArray[np.int64]

SIDE = 32
FINE, COARSE = 1.0, 4.0  # standard deviations, in pixels of the small copy: the band lies between the two blurs
EDGE = 2  # pixels around the small copy that are not compared: what is beyond them is not known
# Correlation from which two pictures are the same one. Faces are aligned alike, so strangers reach far: of 1,127 pairs
# of different people of CK+ within 10 bits, who share studio, light and pose, and were laid over each other as well as
# can be, 12 pass 0.94 and none 0.96; the most changed of the copies (blur of 2 pixels in 48) begin at 0.94. FER+ has
# hardly a pair between 0.90 and 0.95. What a publisher gives to two people is not compared at all.
SAME = 0.94
HOPELESS = (
    0.6  # of copies within 10 bits, the most cropped (an eighth) begin at 0.63 before they are laid over each other
)
MOST_STRETCH, SCALES = 1.12, (0.8, 1.25)  # a copy is turned, moved and scaled, but hardly stretched; a stranger is
CLIPPED = 0.005  # of the pixels: fewer black or white ones change nothing
STEPS, FIRST_STEPS = 30, 3
# After FIRST_STEPS, 2,979 pairs that were to pass (copies planted on FER+ and CK+, and FER+'s own) stood at 0.93 and
# more; of those that were not, nineteen of twenty stood below this.
FAR_OFF = 0.85
AT_ONCE = 4096  # pairs
HELD = 1 << 28  # bytes of small copies in memory; more of them are in a file, of which the system keeps what it can


@dataclass(frozen=True)
class Small:
    """Small grey copies: `grey` uint8 (n, SIDE, SIDE); `clipped` float32 (n, 2), the shares of black and white."""

    grey: NDArray[np.uint8]
    clipped: Floats

    @classmethod
    def empty(cls, n: int) -> "Small":
        """Return room for n pictures. Raises CannotWrite where the temporary folder has none for many."""
        return cls(_room((n, SIDE, SIDE)), np.zeros((n, 2), np.float32))

    def of(self, chosen: NDArray[np.int64]) -> "Small":
        """Return the pictures numbered `chosen`."""
        return Small(self.grey[chosen], self.clipped[chosen])

    def and_(self, other: "Small") -> "Small":
        """Return these pictures and, after them, the others."""
        return Small(np.concatenate([self.grey, other.grey]), np.concatenate([self.clipped, other.clipped]))

    def put(self, at: int, image: NDArray[np.uint8]) -> None:
        """Store the picture `image`, uint8 (H, W) grey, as number `at`."""
        self.grey[at] = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        self.clipped[at] = (image <= 2).mean(), (image >= 253).mean()


def _room(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return zeros: in memory, or, if they are many, in a file without a name that goes with them."""
    size = int(np.prod(shape))
    if size <= HELD:
        return np.zeros(shape, np.uint8)
    try:
        with tempfile.TemporaryFile(prefix="ferdata-") as file:
            if hasattr(os, "posix_fallocate"):  # now, since a full disk would end the process later
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.uint8, "w+", shape=shape)
    except OSError as error:
        raise no_room(size, error) from None


def no_room(size: int, error: OSError) -> CannotWrite:
    """Return the error for a temporary folder that cannot take so many bytes."""
    return CannotWrite(
        f"The temporary folder {tempfile.gettempdir()} has no room for {size / 1e9:.1f} GB: {error.strerror}.",
        "Give another one with TMPDIR=/path/to/it. Or do not look for near duplicates, which may then be in train "
        "and test: --by pixels,subject,sequence.",
    )


def grey(image: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return a decoded image as uint8 (H, W) grey."""
    eight = images.as_uint8(image)
    return eight if eight.ndim == 2 else cv2.cvtColor(eight, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def band(small: Floats) -> tuple[Floats, Floats]:
    """Return the small copy without noise, and its middle frequencies; both float32 (SIDE, SIDE)."""
    fine = cv2.GaussianBlur(small, (0, 0), FINE)
    return fine.astype(np.float32), (fine - cv2.GaussianBlur(small, (0, 0), COARSE)).astype(np.float32)


def confirm(
    first: Small,
    second: Small,
    pairs: Pairs,
    mirror: NDArray[np.bool_],
    workers: int | None = None,
) -> NDArray[np.bool_]:
    """Return which `pairs`, int64 (n, 2), of `first` and `second` are one picture; `mirror` says which are mirrored."""
    same = np.zeros(len(pairs), bool)
    at_once = int(np.clip(len(pairs) // 16, 64, AT_ONCE))  # so that every worker has some
    spans = [slice(at, at + at_once) for at in range(0, len(pairs), at_once)]
    with ThreadPoolExecutor(workers or cores()) as pool, progress.bar("compare", len(pairs), "pairs") as advance:
        jobs = pool.map(lambda s: _confirm(first, second, pairs[s], mirror[s]), spans)
        for span, found in zip(spans, jobs, strict=True):
            same[span] = found
            advance(len(found))
    return same


def _confirm(first: Small, second: Small, pairs: Pairs, mirror: NDArray[np.bool_]) -> NDArray[np.bool_]:
    ours, theirs = _bands(first, pairs[:, 0]), _bands(second, pairs[:, 1])
    theirs[mirror] = theirs[mirror][:, :, ::-1]
    straight = _straight(ours, theirs)
    same = straight >= SAME
    left = np.flatnonzero((straight >= HOPELESS) & ~same)
    chosen = pairs[left]
    theirs_small = np.where(
        mirror[left][:, None, None], second.grey[chosen[:, 1]][:, :, ::-1], second.grey[chosen[:, 1]]
    )
    a, b = level(first.grey[chosen[:, 0]], theirs_small, first.clipped[chosen[:, 0]], second.clipped[chosen[:, 1]])
    same[left] = laid_over(a, b) >= SAME
    return same


def _bands(small: Small, chosen: NDArray[np.int64]) -> NDArray[np.float16]:
    """Return the middle frequencies of the pictures numbered `chosen`, float16 (n, SIDE, SIDE)."""
    distinct, back = np.unique(chosen, return_inverse=True)
    stack = [band(one)[1] for one in small.grey[distinct].astype(np.float32)]
    return np.array(stack, np.float16).reshape(-1, SIDE, SIDE)[back]


def _straight(a: NDArray[np.floating], b: NDArray[np.floating]) -> Floats:
    """Return the correlation of each picture's band in `a` with that in `b`, (n, SIDE, SIDE), as they lie."""
    inner = slice(EDGE, SIDE - EDGE)
    return _correlation(
        *(stack[:, inner, inner].reshape(-1, (SIDE - 2 * EDGE) ** 2).astype(np.float32) for stack in (a, b))
    )


def _correlation(a: Floats, b: Floats) -> Floats:
    """Return the correlation of each row of `a` with that of `b`; flat rows go with nothing."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    strength = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.asarray((a * b).sum(axis=1) / np.maximum(strength, 1e-3), np.float32)


def level(a: NDArray[np.uint8], b: NDArray[np.uint8], clipped_a: Floats, clipped_b: Floats) -> tuple[Floats, Floats]:
    """Return small copies, uint8 (n, SIDE, SIDE), with as much black and white as that of the pair that has more.

    Brightening a picture cuts its lightest parts off at white; cutting as large a share off the other one makes
    them the same again. Each is float32 (n, SIDE, SIDE), of mean 0 and standard deviation 1.
    """
    black, white = np.maximum(clipped_a, clipped_b).T
    cut = np.flatnonzero((black + white > CLIPPED) & (black + white < 0.9))
    levelled = []
    for stack in (a, b):
        small = stack.reshape(-1, SIDE * SIDE).astype(np.float32)
        if len(cut):
            inside = np.sort(small[cut], axis=1)
            low, high = (_quantile(inside, q[cut]) for q in (black, 1 - white))
            small[cut] = np.clip(small[cut], low, high)
        small -= small.mean(axis=1, keepdims=True)
        small /= np.maximum(small.std(axis=1, keepdims=True), 1e-3)
        levelled.append(small.reshape(stack.shape))
    return levelled[0], levelled[1]


def _quantile(rising: Floats, share: Floats) -> Floats:
    """Return the quantile `share` (n,) of each row of `rising`, (n, 1), linear between its neighbours."""
    at = share * np.float32(rising.shape[1] - 1)
    below = np.floor(at).astype(np.intp)
    rows = np.arange(len(rising))
    low, high = rising[rows, below], rising[rows, np.minimum(below + 1, rising.shape[1] - 1)]
    return np.asarray((low + (high - low) * (at - below))[:, None], np.float32)


def laid_over(a: Floats, b: Floats) -> Floats:
    """Return the correlation of small copies, float32 (n, SIDE, SIDE): as they lie, or with `b` laid onto `a`.

    So `b` is turned, moved and scaled; where a few steps bring the two nowhere near each other, the rest are not made.
    """
    (fine_a, band_a), (fine_b, band_b) = _all_bands(a), _all_bands(b)
    straight = _straight(band_a, band_b)
    found, left = straight.copy(), np.arange(len(a))
    for steps in (FIRST_STEPS, STEPS):
        # From the beginning each time: whoever stops in between, and goes on, ends elsewhere.
        warps = np.tile(np.eye(2, 3, dtype=np.float32), (len(a), 1, 1))
        how = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-4)
        left = left[np.array([_approach(fine_a[k], fine_b[k], warps[k], how) for k in left], bool)]
        found[left] = _moved(band_a[left], band_b[left], warps[left])
        if steps == FIRST_STEPS:
            left = left[found[left] >= FAR_OFF]
    larger, smaller = _scales(warps[left])
    left = left[(larger <= SCALES[1]) & (smaller >= SCALES[0]) & (larger <= smaller * MOST_STRETCH)]
    straight[left] = np.maximum(straight[left], found[left])
    return straight


def _all_bands(stack: Floats) -> tuple[Floats, Floats]:
    """Return `band` of each picture of a stack."""
    fine, middle = np.empty_like(stack), np.empty_like(stack)
    for k, small in enumerate(stack):
        fine[k], middle[k] = band(small)
    return fine, middle


def _approach(a: Floats, b: Floats, warp: Any, how: tuple[int, int, float]) -> bool:
    """Take steps of `warp` towards laying `b` onto `a`; False where the pictures have nothing in common."""
    try:
        cv2.findTransformECC(a, b, warp, cv2.MOTION_AFFINE, how, _EVERYWHERE, 3)
    except cv2.error:  # it does not converge
        return False
    return True


def _scales(warps: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much each transform stretches, most and least: its singular values."""
    a, b, c, d = warps[:, :, :2].astype(np.float64).reshape(-1, 4).T
    total, difference = np.hypot(a + d, b - c), np.hypot(a - d, b + c)
    return (total + difference) / 2, abs(total - difference) / 2


def _moved(a: Floats, b: Floats, warps: Floats) -> Floats:
    """Return the correlation of bands where both are seen once `b` is moved; 0 where that is little of them."""
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved, seen = np.empty_like(b), np.empty_like(b)
    for k, warp in enumerate(warps):
        moved[k] = cv2.warpAffine(b[k], warp, (SIDE, SIDE), flags=how)
        seen[k] = cv2.warpAffine(_INSIDE, warp, (SIDE, SIDE), flags=how)
    mask = (seen * _INSIDE > 0.99).reshape(-1, SIDE * SIDE)
    size = np.maximum(mask.sum(axis=1, keepdims=True), 1).astype(np.float32)
    # What is masked becomes 0 once the mean is gone, so it adds nothing to any sum.
    flat = [np.where(mask, stack.reshape(mask.shape), 0) for stack in (a, moved)]
    one, other = (np.where(mask, values - values.sum(axis=1, keepdims=True) / size, 0) for values in flat)
    strength = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    correlation = (one * other).sum(axis=1) / np.maximum(strength, 1e-3)
    return np.where(mask.mean(axis=1) < 0.4, 0, correlation).astype(np.float32)


_EVERYWHERE = np.ones((SIDE, SIDE), np.uint8)
_INSIDE = np.zeros((SIDE, SIDE), np.float32)
_INSIDE[EDGE:-EDGE, EDGE:-EDGE] = 1
