"""Archives as folders: a dataset's .zip and .tar(.gz) files, unpacked for the time of one ingest, and then gone.

What an archive may not do: write outside its folder, over what lies there already, link, or swell to more than it
says. Such members are left out by name, and the caller counts them.
"""

import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from ferdata.errors import BrokenSource, CannotWrite
from ferdata.running import progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
FOREIGN = (".rar", ".7z", ".zst")
# Text and pixels do not shrink more than this; what does is made to fill a disk.
MOST_RATIO = 1000
SMALL = 1 << 20  # below it, any ratio is harmless
CHUNK = 1 << 20


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive, by its name; macOS leftovers (`._a.zip`) are not."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


@dataclass(frozen=True)
class LeftOut:
    """A member that was left out: `archive/member`, and why."""

    name: str
    why: str


@dataclass
class Opened:
    """A folder that holds a dataset: `unpacked` if from archives, and so gone after the ingest."""

    folder: Path
    unpacked: bool = False
    left_out: list[LeftOut] = field(default_factory=list)


@contextmanager
def opened(root: Path) -> Iterator[Opened]:
    """Give `root` as a folder: itself, or, if it is an archive or holds some, a temporary one with their files.

    An archive with a single top folder is unpacked where it lies, any other into a folder of its own name; one
    whose folder is there already is passed over. The other files of `root` are linked beside them (copied, on
    another disk), and nothing is unpacked over them: they stay as they are. Raises BrokenSource for a damaged, locked
    or foreign archive, CannotWrite when space runs out.
    """
    found = [root] if root.is_file() else [p for p in _archives(root) if not p.with_name(_stem(p)).is_dir()]
    if not found:
        yield Opened(root)
        return
    with tempfile.TemporaryDirectory(prefix="ferdata-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        result = Opened(folder, unpacked=True)
        _check_space(found, folder)
        try:
            if root.is_dir():
                _mirror(root, folder, set(found))
            for archive in found:
                inner = archive.parent.relative_to(root) if root.is_dir() else Path()
                result.left_out += _unpack(archive, folder / inner)
        except OSError as error:
            raise CannotWrite(
                f"Unpacking into {folder.parent} failed: {error.strerror or error}.",
                "Free some space, or choose another disk for temporary files with TMPDIR=/path.",
            ) from None
        yield result


def _stem(path: Path) -> str:
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def _archives(root: Path) -> list[Path]:
    """Return the archives in `root` and up to two folders below, sorted."""
    found: list[Path] = []
    folders = [root]
    for _ in range(3):
        inner: list[Path] = []
        for folder in folders:
            try:
                with os.scandir(folder) as entries:  # of perhaps a million images: no object is made for those
                    kept = [e for e in entries if e.name.lower().endswith(SUFFIXES) or e.is_dir(follow_symlinks=False)]
            except OSError:
                continue
            paths = [Path(entry.path) for entry in sorted(kept, key=lambda entry: entry.name)]
            found += [p for p in paths if is_archive(p) and p.is_file()]
            inner += [p for p in paths if p.is_dir() and not p.is_symlink() and not p.name.startswith(".")]
        folders = inner
    return found


def _mirror(root: Path, folder: Path, but: set[Path]) -> None:
    """Lay the files of `root` out in `folder`, linked where the disk is the same."""
    for path in sorted(root.rglob("*")):
        place = folder / path.relative_to(root)
        if path in but or path.is_symlink():
            continue
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif path.is_file():
            try:
                place.hardlink_to(path)
            except OSError:
                shutil.copyfile(path, place)


def _check_space(archives: list[Path], folder: Path) -> None:
    # A tar does not say what it holds before it is read to its end; its own size is the least.
    needed = 0
    for path in archives:
        needed += path.stat().st_size
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                needed += sum(i.file_size for i in file.infolist() if not _swollen(i.compress_size, i.file_size))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CannotWrite(
            f"The archives need {needed / 1e9:.1f} GB unpacked; {folder.parent} has {free / 1e9:.1f} GB free.",
            "Choose another disk for temporary files with TMPDIR=/path, or unpack them and name the folder.",
        )


def _unpack(archive: Path, place: Path) -> list[LeftOut]:
    damaged = f"{archive} is damaged or no archive"
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as whole:
                return _unpack_zip(archive, whole, place)
        with tarfile.open(archive) as tape:
            return _unpack_tar(archive, tape, place)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise BrokenSource(f"{damaged}: {error}.", "Download it again.") from None
    except (RuntimeError, NotImplementedError) as error:  # a password, a compression that zipfile has not
        raise BrokenSource(
            f"{archive} cannot be opened: {error}.", "Unpack it with its password, and name the folder as --root."
        ) from None


def _unpack_zip(archive: Path, whole: zipfile.ZipFile, place: Path) -> list[LeftOut]:
    members = [i for i in whole.infolist() if not i.is_dir()]
    left_out: list[LeftOut] = []
    target = _target(archive, place, [i.filename for i in members])
    with progress.bar(f"unpack {archive.name}", len(members), "files") as advance:
        for info in members:
            why = _refused(info.filename)
            if (info.external_attr >> 28) == 0xA:
                why = "a link"
            elif _swollen(info.compress_size, info.file_size):
                why = f"swells to {info.file_size / 1e9:.1f} GB"
            if not why:
                with whole.open(info) as source:
                    why = _copy(source, target / info.filename, info.file_size)
            if why:
                left_out.append(LeftOut(f"{archive.name}/{info.filename}", why))
            advance(1)
    return left_out


def _unpack_tar(archive: Path, tape: tarfile.TarFile, place: Path) -> list[LeftOut]:
    members = [m for m in tape if not m.isdir()]
    left_out: list[LeftOut] = []
    target = _target(archive, place, [m.name for m in members])
    total = sum(m.size for m in members)
    if _swollen(archive.stat().st_size, total):
        raise BrokenSource(
            f"{archive} swells from {archive.stat().st_size:,} to {total:,} bytes.", "No dataset does that; delete it."
        )
    with progress.bar(f"unpack {archive.name}", len(members), "files") as advance:
        for member in members:
            why = _refused(member.name) or ("" if member.isreg() else "a link or a device")
            if not why and (source := tape.extractfile(member)) is not None:
                why = _copy(source, target / member.name, member.size)
            if why:
                left_out.append(LeftOut(f"{archive.name}/{member.name}", why))
            advance(1)
    return left_out


def _refused(name: str) -> str:
    """Return why a member's name leads out of the folder, or nothing."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or (len(name) > 1 and name[1] == ":"):
        return "an absolute path"
    if ".." in path.parts:
        return "a path that leads out (..)"
    return "" if path.parts and "\0" not in name else "no name"


def _swollen(packed: int, size: int) -> bool:
    return size > SMALL and size > MOST_RATIO * max(packed, 1)


def _target(archive: Path, place: Path, names: list[str]) -> Path:
    tops = {PurePosixPath(n).parts[0] for n in names if PurePosixPath(n).parts and not n.startswith("__MACOSX")}
    loose = any(len(PurePosixPath(n).parts) == 1 for n in names)
    return place / _stem(archive) if loose or len(tops) > 1 else place


def _copy(source: IO[bytes], path: Path, size: int) -> str:
    """Copy at most `size` bytes, what the archive declares; return why that was not done, or nothing.

    What lies at `path` already may be a link to the user's own file: it is never opened for writing. The same bytes
    once more are no loss, so that nothing is said of them.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except (FileExistsError, NotADirectoryError):
        return "" if _holds(path, source, size) else "another file of that name is there"
    with file:
        for data in _pieces(source, size):
            file.write(data)
    return ""


def _holds(path: Path, source: IO[bytes], size: int) -> bool:
    """Return whether `path` is a file of just the `size` bytes that `source` would give."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return all(file.read(len(data)) == data for data in _pieces(source, size))


def _pieces(source: IO[bytes], size: int) -> Iterator[bytes]:
    left = size
    while left > 0 and (data := source.read(min(CHUNK, left))):
        yield data
        left -= len(data)
