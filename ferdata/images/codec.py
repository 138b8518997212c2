"""Image bytes to pixels and back: what is no whole, single, still picture of a bearable size is refused."""

import os
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

# A face image has no business being larger; the limit stops decompression bombs, and must stand before the import.
MOST_PIXELS = 1 << 26
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # the caller reports what cannot be read

import cv2  # noqa: E402

cv2.setNumThreads(1)  # images are small and the work is spread over processes


class UnreadableImage(Exception):
    """The bytes are no whole image; the message is the reason that a rejects file records."""


def decode(data: bytes) -> NDArray[np.integer]:
    """Decode an image file's bytes to (H, W) grey or (H, W, 3) RGB, uint8 or uint16, EXIF orientation applied.

    Raises UnreadableImage for what is empty, cut short or no image.
    """
    if not data:
        raise UnreadableImage("empty file")
    # OpenCV fills the rest of a cut file with grey and says nothing, so the end mark is looked for.
    if data.startswith(b"\x89PNG"):
        whole, animated = b"IEND" in data[-64:], b"acTL" in data[:1024]
    elif data.startswith(b"\xff\xd8"):
        whole, animated = b"\xff\xd9" in data[-4096:], False
    else:
        whole, animated = True, _is_animated(data)
    if not whole:
        raise UnreadableImage("cut short: no end mark")
    if animated:
        raise UnreadableImage("animated: which frame is the face?")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
    except cv2.error as error:
        large = "PIXELS" in error.err or "WIDTH" in error.err or "HEIGHT" in error.err
        why = f"larger than {MOST_PIXELS:,} pixels" if large else error.err
        raise UnreadableImage(f"refused by the decoder: {why}") from None
    if image is None:
        raise UnreadableImage("not a whole image")
    if image.dtype.char not in "BH":  # uint8 and uint16
        raise UnreadableImage(f"pixels of type {image.dtype}")
    found = cast("NDArray[np.integer]", image)
    return found if found.ndim == 2 else cast("NDArray[np.integer]", cv2.cvtColor(found, cv2.COLOR_BGR2RGB))


_AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH


def _is_animated(data: bytes) -> bool:
    """Return whether a GIF, WebP or TIFF holds several pictures, of which the decoder would give the first."""
    if data.startswith(b"GIF8"):
        return _gif_pictures(data) > 1
    if data[:4] in (b"II*\0", b"MM\0*"):
        order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
        at = int.from_bytes(data[4:8], order)
        entries = int.from_bytes(data[at : at + 2], order)
        end = at + 2 + 12 * entries  # of the first page's directory; then where the next one is, or 0
        return int.from_bytes(data[end : end + 4], order) != 0
    return data[8:16] == b"WEBPVP8X" and bool(data[20] & 2)


def _gif_pictures(data: bytes) -> int:
    """Return how many pictures a GIF holds, by walking its blocks (GIF89a specification); no more than two count."""

    def colours(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

    found, at = 0, 13 + colours(data[10]) if len(data) > 13 else 0
    while 0 < at < len(data) and found < 2:
        if data[at] == 0x2C and at + 10 < len(data):
            found += 1
            at += 11 + colours(data[at + 9])
        elif data[at] == 0x21:
            at += 2
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return found


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
