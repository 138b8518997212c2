"""The pictures of the report, as data URIs: as large as they are, while all of them fit into a budget of bytes."""

import base64
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ferdata import images
from ferdata.auditing.pictures import pick
from ferdata.manifest import Manifest
from ferdata.running import progress

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported

BUDGET = 16_000_000  # bytes of all pictures; the page is a third larger, since it writes them in base64
SIDES = (512, 384, 256, 192, 128, 96)  # pixels of the longer side: the largest that a picture's share of BUDGET allows
EXACT = 96  # up to this side pixels are kept as they are
QUALITY, LOSSLESS = 90, 101  # of WebP


def embedded(opened: Manifest, rows: NDArray[np.int64]) -> Iterator[tuple[int, str]]:
    """Yield position and data URI of every row whose image can be read."""
    share = BUDGET // max(len(rows), 1)
    with progress.bar("pictures", len(rows), "images") as advance:
        for row, data in pick(opened, rows):
            advance()
            try:
                image = images.as_uint8(images.decode(data))
            except images.UnreadableImage:
                continue
            yield row, "data:image/webp;base64," + base64.b64encode(coded(image, share)).decode()


def coded(image: NDArray[np.uint8], share: int) -> bytes:
    """Return an image as WebP of `share` bytes or less, smaller than it is only where it has to be."""
    stored = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
    out = _webp(stored, LOSSLESS) if max(image.shape[:2]) <= EXACT else b""
    for side in SIDES:
        if 0 < len(out) <= share:
            break
        out = _webp(_at_most(stored, side), QUALITY)
    return out


def _webp(image: NDArray[np.uint8], quality: int) -> bytes:
    return bytes(cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1])


def _at_most(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
