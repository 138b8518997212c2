"""What a file is by its first bytes, whatever its name says: for an archive or a table that turns out to be neither."""

import tarfile
import zipfile
from pathlib import Path

HEAD = 512
_MAGIC = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"SQLite format 3", "an SQLite database"),
)
WEB_PAGE = "a web page (HTML)"
READ = (
    "a zip archive",
    "a tar archive",
    "a gzip file",
    "a bzip2 file",
    "an xz file",
)  # or may be, behind the first bytes


def what_it_is(path: Path) -> str | None:
    """Return what a file's first bytes say it is (`a RAR archive`), None where they say nothing. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "an empty file"
    if head[257:262] == b"ustar":
        return "a tar archive"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return WEB_PAGE
    return next((what for magic, what in _MAGIC if head.startswith(magic)), None)


def holds_files(path: Path) -> bool:
    """Return whether a file is an archive that is read here, by what it holds. Raises OSError."""
    return what_it_is(path) in READ and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))
