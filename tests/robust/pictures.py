"""Pictures as nobody expects them: claims of sizes that no memory holds, odd depths, and what is no picture at all."""

import random
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm", ".ppm")


def png(width: int, height: int) -> bytes:
    """Return a PNG that says it is of this size, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * (1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _encoded(kind: str, pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(kind, pixels)[1].tobytes())


def _grey(chance: random.Random) -> np.ndarray:
    return np.random.default_rng(chance.randrange(1 << 30)).integers(0, 256, (40, 30), dtype=np.uint8)


def _jpeg(chance: random.Random) -> bytes:
    data = bytearray(_encoded(".jpg", _grey(chance)))
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    return bytes(data)


def _bmp(chance: random.Random) -> bytes:
    del chance
    head = struct.pack("<IiiHHIIiiII", 40, 1 << 20, 1 << 20, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + head


def _gif(chance: random.Random) -> bytes:
    del chance
    screen = struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + b"\0" * 6
    return b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x44\x01\0;"


def _tiff(chance: random.Random) -> bytes:
    del chance
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 256, 4, 1, 1 << 30) + struct.pack("<I", 8)


ODD: dict[str, Callable[[random.Random], bytes]] = {
    "a PNG of 60,000 a side": lambda chance: png(60000, 60000),
    "a PNG of 2^31 in a row": lambda chance: png((1 << 31) - 1, 1),
    "a PNG of 8,000 a side": lambda chance: _encoded(".png", np.zeros((8000, 8000), np.uint8)),
    "a BMP of a million a side": _bmp,
    "a GIF of 65,535 a side": _gif,
    "a JPEG of 65,535 a side": _jpeg,
    "a PGM of 10^9 a side": lambda chance: b"P5\n999999999 999999999\n255\n" + b"\0" * 50,
    "a TIFF in a circle": _tiff,
    "16 bits": lambda chance: _encoded(".png", _grey(chance).astype(np.uint16) * 257),
    "floats": lambda chance: _encoded(".tiff", _grey(chance).astype(np.float32)),
    "transparency": lambda chance: _encoded(".png", np.dstack([_grey(chance)] * 4)),
    "one pixel": lambda chance: _encoded(".png", _grey(chance)[:1, :1]),
    "a row of 5,000": lambda chance: _encoded(".png", np.zeros((1, 5000), np.uint8)),
    "an SVG with a script": lambda chance: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "a web page": lambda chance: b"<html>Please log in</html>" * 40,
    "noise": lambda chance: chance.randbytes(chance.randrange(1, 4000)),
    "nothing": lambda chance: b"",
}


def odd(chance: random.Random) -> tuple[str, bytes]:
    """Return the name of an odd picture, and its bytes."""
    name = chance.choice(sorted(ODD))
    return name, ODD[name](chance)
