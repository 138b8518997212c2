"""Image bytes to pixels and back: what is no whole, single, still picture of a bearable size is refused."""

import os
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ferdata.images import headers

# A face image has no business being larger; the limit stops decompression bombs, and must stand before the import.
MOST_PIXELS = 1 << 26
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # the caller reports what cannot be read
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's own level: quiet, for the same reason

import cv2  # noqa: E402

cv2.setNumThreads(1)  # images are small and the work is spread over processes


class UnreadableImage(Exception):
    """The bytes are no whole image; the message is the reason that a rejects file records."""


class UnsupportedImage(UnreadableImage):
    """The bytes are a picture, but of a kind that is not read here."""


def decode(data: bytes) -> NDArray[np.integer]:
    """Decode an image file's bytes to (H, W) grey or (H, W, 3) RGB, uint8 or uint16, EXIF orientation applied.

    Raises UnreadableImage for what is empty, cut short or no image, and UnsupportedImage.
    """
    if not data:
        raise UnreadableImage("empty file")
    if not headers.is_whole(data):
        raise UnreadableImage("truncated: no end marker")
    if what := headers.unsupported(data):
        raise UnsupportedImage(f"{what}, which is not supported: convert it to JPEG or PNG")
    if headers.is_animated(data):
        raise UnreadableImage("animated: extract one frame")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
    except cv2.error as error:
        large = "PIXELS" in error.err or "WIDTH" in error.err or "HEIGHT" in error.err
        why = f"larger than {MOST_PIXELS:,} pixels" if large else error.err
        raise UnreadableImage(f"refused by the decoder: {why}") from None
    if image is None:
        raise UnreadableImage("incomplete image")
    if image.dtype.char not in "BH":  # uint8 and uint16
        raise UnreadableImage(f"pixels of type {image.dtype}")
    found = cast("NDArray[np.integer]", image)
    return found if found.ndim == 2 else cast("NDArray[np.integer]", cv2.cvtColor(found, cv2.COLOR_BGR2RGB))


_AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH


# Measured on every 35th face of fer2013.csv (48 x 48): a search for repeats hardly helps; Huffman codes of what differs
# from the average of two neighbours take 37 us and 1,837 bytes a face, against 63 us and 1,789 bytes with level 3.
SMALL_PNG = 1 << 12  # pixels
_SMALL = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY),
    *((cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG) if hasattr(cv2, "IMWRITE_PNG_FILTER") else ()),  # 4.12
)
_LARGE = (cv2.IMWRITE_PNG_COMPRESSION, 3)


def encode_png(image: NDArray[np.integer]) -> bytes:
    """Encode grey (H, W) or RGB (H, W, 3) pixels as PNG: lossless, in the way that is fast at their size."""
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    small = image.shape[0] * image.shape[1] <= SMALL_PNG
    return cv2.imencode(".png", stored, _SMALL if small else _LARGE)[1].tobytes()
