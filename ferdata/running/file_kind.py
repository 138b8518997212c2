"""What a file is by its first bytes, whatever its name says, in words for a message."""

HEAD = 512  # bytes that say what a file is
WEB_PAGE = "a web page (HTML)"
ZIP, TAR = "a zip archive or an Excel workbook", "a tar archive"
GZIP, BZIP2, XZ = "a gzip archive", "a bzip2 archive", "an xz archive"
_BEGINS: tuple[tuple[bytes, str], ...] = (
    (b"PK\3\4", ZIP),
    (b"PK\5\6", "an empty zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x1f\x8b", GZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\0", XZ),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself: git lfs pull fetches it"),
)


def kind_of(head: bytes) -> str | None:
    """Return what a file is that begins with `head`, HEAD bytes of it, if it is known and no plain text."""
    if head[257:262] == b"ustar":
        return TAR
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return WEB_PAGE
    return next((kind for start, kind in _BEGINS if head.startswith(start)), None)
