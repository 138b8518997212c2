"""Image bytes to facts, in one decode: size, mode, hashes, brightness, contrast, sharpness."""

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

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


def decode(data: bytes) -> NDArray[np.integer]:
    """Decode an image file's bytes to (H, W) grey or (H, W, 3) RGB, uint8 or uint16, EXIF orientation applied.

    Raises UnreadableImage for what is empty, cut short or no image.
    """
    if not data:
        raise UnreadableImage("empty file")
    # OpenCV fills the rest of a cut file with grey and says nothing, so the end mark is looked for.
    if data.startswith(b"\x89PNG") and b"IEND" not in data[-64:]:
        raise UnreadableImage("cut short: no end mark")
    if data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[-4096:]:
        raise UnreadableImage("cut short: no end mark")
    if _is_animated(data):
        raise UnreadableImage("animated: which frame is the face?")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        large = "PIXELS" in error.err or "WIDTH" in error.err or "HEIGHT" in error.err
        why = f"larger than {MOST_PIXELS:,} pixels" if large else error.err
        raise UnreadableImage(f"refused by the decoder: {why}") from None
    if image is None:
        raise UnreadableImage("not a whole image")
    if image.dtype not in (np.uint8, np.uint16):
        raise UnreadableImage(f"pixels of type {image.dtype}")
    whole = cast("NDArray[np.integer]", image)
    return whole if whole.ndim == 2 else cast("NDArray[np.integer]", cv2.cvtColor(whole, cv2.COLOR_BGR2RGB))


def _is_animated(data: bytes) -> bool:
    """Return whether a GIF, PNG, WebP or TIFF holds several pictures, of which the decoder would give the first."""
    if data.startswith(b"GIF8"):
        return _gif_pictures(data) > 1
    if data.startswith(b"\x89PNG"):
        return b"acTL" in data[:1024]
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


def pixel_hash(image: NDArray[np.integer]) -> str:
    """Return the 128-bit hash, in hex, of an image's shape, depth and pixels.

    RGB with three equal channels counts as grey, so that a grey picture saved as colour stays the same picture.
    """
    if image.ndim == 3 and (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all():
        image = image[..., 0]
    digest = hashlib.blake2b(_form(image.shape, image.dtype), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _form(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return what stands for an image's shape and depth in its hash."""
    return repr((shape, dtype.name)).encode()


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """Return the 64-bit DCT hash: signs of the lowest 8 x 8 frequencies of a 32 x 32 copy, bit 63 first.

    The constant term, which is always positive, gives its place to the next vertical frequency. Signs, rather than
    the usual comparison with the median, because mirroring then only negates every second column: see `mirrored`.
    """
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    frequencies = cv2.dct(small)
    low = frequencies[:8, :8].copy()
    low[0, 0] = frequencies[8, 0]
    return int.from_bytes(np.packbits(low > 0).tobytes(), "big")


ODD_COLUMNS = 0x5555555555555555  # the frequencies that change sign when left and right are swapped


def mirrored(phash: int) -> int:
    """Return the perceptual hash of the mirror image; exact up to the resizing of the picture."""
    return phash ^ ODD_COLUMNS


def as_uint8(image: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the image with 8 bits a channel; 16-bit values keep their upper byte."""
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8, copy=False)


def measure(image: NDArray[np.integer]) -> Facts:
    """Return the facts of a decoded image, as `decode` gives it."""
    eight = as_uint8(image)
    grey = eight if eight.ndim == 2 else cv2.cvtColor(eight, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    mean, deviation = cv2.meanStdDev(grey)
    edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1][0, 0] / 255  # whole numbers within 4 x 255
    return Facts(
        pixel_hash=pixel_hash(image),
        phash=perceptual_hash(grey),
        width=image.shape[1],
        height=image.shape[0],
        mode=("L" if image.ndim == 2 else "RGB") + ("16" if image.dtype == np.uint16 else ""),
        brightness=float(mean[0, 0]) / 255,
        contrast=float(deviation[0, 0]) / 255,
        sharpness=float(edges) ** 2,
    )


class Video:
    """A video file, read frame by frame; frames asked for in rising order are decoded once each."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises UnreadableImage if it is no video that OpenCV can read."""
        self.capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self.at = 0
        if not self.capture.isOpened():
            raise UnreadableImage("no readable video")

    @property
    def frames(self) -> int:
        """How many frames the file says it has; a cut file may hold fewer."""
        return max(int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)

    def read(self, index: int) -> NDArray[np.integer]:
        """Return frame `index` (from 0) as uint8 (H, W, 3) RGB. Raises UnreadableImage if it is not there."""
        if index < self.at:
            self.capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            self.at = 0
        while self.at < index and self.capture.grab():
            self.at += 1
        done, image = self.capture.read() if self.at == index else (False, None)
        if not done or image is None:
            raise UnreadableImage(f"no frame {index} in the video")
        self.at += 1
        return cast(NDArray[np.integer], cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def part(image: NDArray[np.integer], box: tuple[float, float, float, float], turn: int = 0) -> NDArray[np.integer]:
    """Cut `box` (x, y, width, height, as shares of the image) out and turn it by clockwise quarter turns."""
    height, width = image.shape[:2]
    x, y, w, h = box
    cut = image[round(y * height) : round((y + h) * height), round(x * width) : round((x + w) * width)]
    return np.ascontiguousarray(np.rot90(cut, -turn)) if turn else np.ascontiguousarray(cut)
