"""What an image file's own structure tells before it is decoded: is it whole, one picture, of a kind that is read?

Nothing here believes a length: each is looked up in a slice, which is shorter, or empty, where the file ends before.
"""

import re
from typing import Literal

# From one marker to the next: coded pixels hold no such byte pair but the stuffed FF 00 and the restarts FF D0 to D7.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_END, _STANDALONE = 0xD9, (0x01, 0xD8)
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL ")
_REDUCED, _DNG_VERSION = 254, 50706  # tags of a TIFF's page: what kind of picture it is; that it is a DNG's


def is_whole(data: bytes) -> bool:
    """Return whether a PNG or JPEG goes on to its own end, whatever follows it there; True of every other kind.

    OpenCV fills the rest of a cut file with grey and says nothing. Behind the end phones keep a motion photo's film, or
    a second picture.
    """
    if data.startswith(b"\x89PNG"):
        return data[-8:-4] == b"IEND" or _png_ends(data)
    if data.startswith(b"\xff\xd8"):
        # Cut right behind its thumbnail's end mark, a file has no pixels at all, and the decoder refuses it.
        return data.endswith(b"\xff\xd9") or _jpeg_ends(data)
    return True


def _png_ends(data: bytes) -> bool:
    at = 8
    while len(chunk := data[at : at + 8]) == 8:
        if chunk[4:] == b"IEND":
            return True
        at += 12 + int.from_bytes(chunk[:4], "big")
    return False


def _jpeg_ends(data: bytes) -> bool:
    """Walk from marker to marker, so that the end of a thumbnail, which lies within a segment, is not taken for it."""
    at = 2
    while found := _MARKER.search(data, at):
        at = found.end()
        marker = data[at - 1]
        if marker == _END:
            return True
        if marker not in _STANDALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    return False


def is_animated(data: bytes) -> bool:
    """Return whether a PNG, GIF, WebP, AVIF or TIFF holds several pictures; the decoder would give the first."""
    if data.startswith(b"\x89PNG"):
        return b"acTL" in data[:1024]
    if data.startswith(b"GIF8"):
        return _gif_pictures(data) > 1
    if page := _tiff_page(data):
        return page[1]
    if data[4:8] == b"ftyp":
        return data[8:12] == b"avis"
    return data[8:16] == b"WEBPVP8X" and any(flags & 2 for flags in data[20:21])


def unsupported(data: bytes) -> str | None:
    """Return what a picture is that no decoder here reads, or reads wrongly, as raw files; None for any other file."""
    if data.startswith((b"\x89PNG", b"\xff\xd8")):
        return None
    if data[4:8] == b"ftyp":
        brands = _brands(data)
        return "HEIC" if brands & {*_HEIC} and not brands & {b"avif", b"avis"} else None
    if data.startswith(_JXL):
        return "JPEG XL"
    page = _tiff_page(data)
    # The first page of a camera's file is a small preview, which would pass for the photograph.
    return "a raw photograph" if page and (_DNG_VERSION in page[0] or page[0].get(_REDUCED, 0) & 1) else None


def _brands(data: bytes) -> set[bytes]:
    """Return the kinds that a file of the HEIF family says it is: its major brand, and those that it fits."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}


def _tiff_page(data: bytes) -> tuple[dict[int, int], bool] | None:
    """Return the tags of a TIFF's first page with their values, and whether another follows; None of other files."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    at = int.from_bytes(data[4:8], order)
    end = at + 2 + 12 * int.from_bytes(data[at : at + 2], order)
    tags = {}
    for entry in range(at + 2, min(end, len(data)), 12):
        # A short value fills the first of the four bytes in either order.
        size = 2 if int.from_bytes(data[entry + 2 : entry + 4], order) == 3 else 4
        tags[int.from_bytes(data[entry : entry + 2], order)] = int.from_bytes(data[entry + 8 : entry + 8 + size], order)
    return tags, int.from_bytes(data[end : end + 4], order) != 0


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
