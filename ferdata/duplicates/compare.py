"""Compare pictures: small copies of them, laid over each other, their edges correlated.

What is the same after re-encoding, resizing, blur and light is the middle band of frequencies, so that band is
compared. Thresholds were measured on FER+ and CK+ (`benchmarks/results/`): see SAME.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ferdata import images
from ferdata.running import progress

Floats = NDArray[np.float32]
Pairs = NDArray[np.int64]

SIDE = 32
FINE, COARSE = 1.0, 4.0  # standard deviations, in pixels of the small copy: the band lies between the two blurs
EDGE = 2  # pixels around the small copy that are not compared: what is beyond them is not known
# Correlation from which two pictures are the same one. Faces are aligned alike, so strangers reach far: of 1,127 pairs
# of different people of CK+ within 10 bits, who share studio, light and pose, and were laid over each other as well as
# can be, 12 pass 0.94 and none 0.96; the most changed of the copies (blur of 2 pixels in 48) begin at 0.94. FER+ has
# hardly a pair between 0.90 and 0.95. So where the publisher names two people, more is asked for.
SAME = 0.94
SAME_OF_TWO_PEOPLE = 0.97
HOPELESS = (
    0.6  # of copies within 10 bits, the most cropped (an eighth) begin at 0.63 before they are laid over each other
)
MOST_STRETCH, SCALES = 1.12, (0.8, 1.25)  # a copy is turned, moved and scaled, but hardly stretched; a stranger is
CLIPPED = 0.005  # of the pixels: fewer black or white ones change nothing
STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
AT_ONCE = 4096  # pairs


@dataclass(frozen=True)
class Small:
    """Small grey copies: `grey` float16 (n, SIDE, SIDE), 0..255; `clipped` float32 (n, 2), shares of black and white.

    `band` is float16 (n, SIDE, SIDE), the middle frequencies of `grey`.
    """

    grey: NDArray[np.float16]
    band: NDArray[np.float16]
    clipped: Floats

    @classmethod
    def empty(cls, n: int) -> "Small":
        """Return room for n pictures."""
        shape = (n, SIDE, SIDE)
        return cls(np.zeros(shape, np.float16), np.zeros(shape, np.float16), np.zeros((n, 2), np.float32))

    def of(self, chosen: NDArray[np.int64]) -> "Small":
        """Return the pictures numbered `chosen`."""
        return Small(self.grey[chosen], self.band[chosen], self.clipped[chosen])

    def and_(self, other: "Small") -> "Small":
        """Return these pictures and, after them, the others."""
        return Small(
            np.concatenate([self.grey, other.grey]),
            np.concatenate([self.band, other.band]),
            np.concatenate([self.clipped, other.clipped]),
        )

    def put(self, at: int, image: NDArray[np.uint8]) -> None:
        """Store the picture `image`, uint8 (H, W) grey, as number `at`."""
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        self.grey[at] = small
        self.band[at] = band(small)[1]
        self.clipped[at] = (image <= 2).mean(), (image >= 253).mean()


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
    two_people: NDArray[np.bool_] | None = None,
    threads: int = 2,
) -> NDArray[np.bool_]:
    """Return which `pairs`, int64 (n, 2), of `first` and `second` are one picture; `mirror` says which are mirrored.

    `two_people` says which pairs the publisher gives to different people.
    """
    bar = np.where(np.zeros(len(pairs), bool) if two_people is None else two_people, SAME_OF_TWO_PEOPLE, SAME)
    same = np.zeros(len(pairs), bool)
    spans = [slice(at, at + AT_ONCE) for at in range(0, len(pairs), AT_ONCE)]
    with ThreadPoolExecutor(threads) as pool, progress.bar("compare", len(pairs), "pairs") as advance:
        jobs = pool.map(lambda s: _confirm(first, second, pairs[s], mirror[s], bar[s]), spans)
        for span, found in zip(spans, jobs, strict=True):
            same[span] = found
            advance(len(found))
    return same


def _confirm(
    first: Small, second: Small, pairs: Pairs, mirror: NDArray[np.bool_], bar: NDArray[np.float64]
) -> NDArray[np.bool_]:
    ours, theirs = first.band[pairs[:, 0]], second.band[pairs[:, 1]]
    theirs[mirror] = theirs[mirror][:, :, ::-1]
    inner = slice(EDGE, SIDE - EDGE)
    straight = _correlation(_flat(ours[:, inner, inner]), _flat(theirs[:, inner, inner]))
    same = straight >= bar
    for k in np.flatnonzero((straight >= HOPELESS) & ~same):
        i, j = pairs[k]
        theirs_small = second.grey[j][:, ::-1] if mirror[k] else second.grey[j]
        a, b = level(first.grey[i], theirs_small, first.clipped[i], second.clipped[j])
        same[k] = laid_over(a, b) >= bar[k]
    return same


def _flat(band: NDArray[np.float16]) -> Floats:
    return band.reshape(len(band), -1).astype(np.float32)


def _correlation(a: Floats, b: Floats) -> Floats:
    """Return the correlation of each row of `a` with that of `b`; flat rows go with nothing."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    strength = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.asarray((a * b).sum(axis=1) / np.maximum(strength, 1e-3), np.float32)


def level(
    a: NDArray[np.float16], b: NDArray[np.float16], clipped_a: Floats, clipped_b: Floats
) -> tuple[Floats, Floats]:
    """Return both small copies with as much black and white as the one that has more.

    Brightening a picture cuts its lightest parts off at white; cutting as large a share off the other one makes
    them the same again.
    """
    black, white = np.maximum(clipped_a, clipped_b)
    levelled = []
    for small in (a.astype(np.float32), b.astype(np.float32)):
        if CLIPPED < black + white < 0.9:
            small = np.clip(small, *np.quantile(small, [black, 1 - white]))
        levelled.append((small - small.mean()) / max(float(small.std()), 1e-3))
    return levelled[0], levelled[1]


def laid_over(a: Floats, b: Floats) -> float:
    """Return the correlation of two small copies, straight or after turning, moving and scaling `b` onto `a`."""
    (fine_a, band_a), (fine_b, band_b) = band(a), band(b)
    inside = np.zeros((SIDE, SIDE), np.float32)
    inside[EDGE:-EDGE, EDGE:-EDGE] = 1
    everywhere = np.ones((SIDE, SIDE), np.uint8)
    straight = _where(band_a, band_b, inside)
    warp = np.eye(2, 3, dtype=np.float32)
    try:
        cv2.findTransformECC(fine_a, fine_b, warp, cv2.MOTION_AFFINE, STEPS, everywhere, 3)
    except cv2.error:  # it does not converge: the pictures have nothing in common
        return straight
    sizes = np.linalg.svd(warp[:, :2].astype(np.float64))[1]
    if sizes[0] > SCALES[1] or sizes[1] < SCALES[0] or sizes[0] > sizes[1] * MOST_STRETCH:
        return straight
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(band_b, warp, (SIDE, SIDE), flags=how)
    seen = cv2.warpAffine(inside, warp, (SIDE, SIDE), flags=how) * inside
    if (seen > 0.99).mean() < 0.4:
        return straight
    return max(straight, _where(band_a, moved.astype(np.float32), seen))


def _where(a: Floats, b: Floats, seen: NDArray[np.floating]) -> float:
    mask = seen > 0.99
    return float(_correlation(a[mask][None], b[mask][None])[0])
