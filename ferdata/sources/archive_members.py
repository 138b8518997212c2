"""The files in a .zip or a .tar, read piece by piece; what is wrong with one is a BrokenSource that says what it is."""

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ferdata.errors import BrokenSource
from ferdata.running.file_kind import WEB_PAGE, ZIP
from ferdata.sources.contents import READ, what_it_is

# Text and pixels do not shrink more than this; what does is made to fill a disk.
MOST_RATIO = 1000
SMALL = 1 << 20  # below it, any ratio is harmless
CHUNK = 1 << 20


@dataclass(frozen=True)
class Member:
    """A file of an archive: its name as `listed`, `name` with slashes; `refused` is why it is left out in any case."""

    listed: str
    name: str
    size: int
    refused: str
    read: Callable[[], IO[bytes] | None]


@contextmanager
def members_of(archive: Path) -> Iterator[list[Member]]:
    """Open an archive and give its files, folders left out. Raises BrokenSource."""
    with _reading(archive):
        container = zipfile.ZipFile(archive) if zipfile.is_zipfile(archive) else tarfile.open(archive)  # noqa: SIM115
    with container:
        with _reading(archive):
            members = _of_zip(container) if isinstance(container, zipfile.ZipFile) else _of_tar(archive, container)
            found = list(members)
        yield found


def unpacked_size(archive: Path) -> int:
    """Return the bytes that an archive says it needs: of a tar, which says nothing before its end, its own at least."""
    size = archive.stat().st_size
    if zipfile.is_zipfile(archive):
        with _reading(archive), zipfile.ZipFile(archive) as file:
            size += sum(i.file_size for i in file.infolist() if not _swollen(i.compress_size, i.file_size))
    return size


def pieces(archive: Path, member: Member) -> Iterator[bytes]:
    """Yield a member's bytes, at most as many as the archive declares. Raises BrokenSource."""
    with _reading(archive):
        source = member.read()
        if source is None:
            return
        with source:
            left = member.size
            while left > 0 and (data := source.read(min(CHUNK, left))):
                yield data
                left -= len(data)
            if left:
                raise EOFError(f"{member.listed} ends {left:,} bytes early")
            source.read(1)  # at its end, a zip's member is compared with its check sum


def _of_zip(whole: zipfile.ZipFile) -> Iterator[Member]:
    for info in whole.infolist():
        name = info.filename.replace("\\", "/")  # as some programs of Windows write them
        if name.endswith("/"):
            if info.file_size:
                raise zipfile.BadZipFile(f"the folder {name} has the size of a file")
            continue
        why = "a link" if (info.external_attr >> 28) == 0xA else ""
        if not why and _swollen(info.compress_size, info.file_size):
            why = f"unpacks to {info.file_size / 1e9:.1f} GB"
        yield Member(info.filename, name, info.file_size, why, lambda info=info: whole.open(info))  # type: ignore[misc]


def _of_tar(archive: Path, tape: tarfile.TarFile) -> Iterator[Member]:
    members = [m for m in tape if not m.isdir()]
    _check_end(tape)
    packed, total = archive.stat().st_size, sum(m.size for m in members)
    if _swollen(packed, total):
        raise BrokenSource(
            f"{archive} unpacks from {packed:,} to {total:,} bytes.",
            "No dataset does that: this may be a zip bomb. Delete it.",
        )
    for member in members:
        name, why = member.name.replace("\\", "/"), "" if member.isreg() else "a link or a device"
        yield Member(member.name, name, member.size, why, lambda member=member: tape.extractfile(member))  # type: ignore[misc]


def _check_end(tape: tarfile.TarFile) -> None:
    """Read from behind the last member to the end of the file, where a compressed one has its check sum.

    tarfile takes a header that it cannot read for the end. Raises ReadError unless there is nothing but zeros, one
    block of them at least. Rubbish behind a compressed tar does no harm.
    """
    file: IO[bytes] = tape.fileobj  # type: ignore[assignment]
    file.seek(tape.offset)
    head = file.read(tarfile.BLOCKSIZE)
    if len(head) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it ends without the mark of its end, so that members may be missing")
    if any(head):
        raise tarfile.ReadError(f"what follows {len(tape.getmembers()):,} members is no header")
    try:
        while data := file.read(CHUNK):
            if any(data):
                raise tarfile.ReadError("it goes on behind its end, with members that would be missing")
    except gzip.BadGzipFile as error:
        if "Not a gzipped file" not in str(error):
            raise


def _swollen(packed: int, size: int) -> bool:
    return size > SMALL and size > MOST_RATIO * max(packed, 1)


_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, OverflowError),  # bz2's and gzip's are OSErrors
)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn whatever the reader of an archive raises into BrokenSource, which says what the file is."""
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:  # a password, a compression that zipfile has not
        raise BrokenSource(
            f"{archive} cannot be opened: {error}.", "Unpack it with its password, and give the folder as --root."
        ) from None
    except _DAMAGE as error:
        raise _broken(archive, error) from None


def _broken(archive: Path, error: Exception) -> BrokenSource:
    what = what_it_is(archive)
    if what == WEB_PAGE:
        return BrokenSource(
            f"{archive} is {what}, not an archive.",
            "The site sent a login or confirmation page instead: download it in a browser.",
        )
    if what == ZIP:
        whole = zipfile.is_zipfile(archive)
        return BrokenSource(
            f"{archive} is damaged: {error}."
            if whole
            else f"{archive} is incomplete: the end of the zip archive is missing.",
            "Download it again.",
        )
    if what and what not in READ:
        return BrokenSource(
            f"{archive} is {what}, which is not supported.",
            "Download it again."
            if "empty" in what
            else "Unpack it by hand and give the folder as --root, or remove it.",
        )
    known = "damaged" if what in READ else "damaged or not an archive"
    return BrokenSource(f"{archive} is {known}: {error}.", "Download it again.")
