"""Archives as folders: a dataset's .zip and .tar(.gz) files, unpacked for the time of one ingest, and then gone.

They are unpacked apart from what lies beside them, into a folder where nothing is linked yet: no file of the user's
is ever opened for writing. What an archive may not do: write outside its folder, over what lies there already, link,
or swell to more than it says. Such members are left out by name, and the caller counts them.
"""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ferdata.errors import CannotWrite, FerdataError
from ferdata.running import progress
from ferdata.sources.archive_members import Member, members_of, pieces, unpacked_size
from ferdata.sources.contents import holds_files

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
TABLES = (".csv", ".tsv")  # names that archives have been met under
# Other archives, and the parts of one that was cut into pieces.
_FOREIGN = re.compile(r".*\.(rar|r\d\d|7z|zst|gz|bz2|xz|z\d\d|(zip|7z|rar|tar|gz|tgz)\.\d{3})", re.IGNORECASE)


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive that is read here: by its name, or, called a table, by what it holds.

    macOS leftovers (`._a.zip`) are none.
    """
    name = path.name.lower()
    if name.startswith("."):
        return False
    try:
        return name.endswith(SUFFIXES) or (name.endswith(TABLES) and holds_files(path))
    except OSError:
        return False


def foreign(root: Path) -> list[Path]:
    """Return the archives in `root`, and up to two folders below, of kinds that are not read here."""
    return [path for path in _files(root, is_foreign) if path.is_file()]


def is_foreign(name: str) -> bool:
    """Return whether a file of that name is an archive, or a part of one, that is not read here."""
    return not name.startswith(".") and not name.lower().endswith(SUFFIXES) and _FOREIGN.fullmatch(name) is not None


@dataclass(frozen=True)
class LeftOut:
    """A member that was left out: `archive/member`, and why."""

    name: str
    why: str


@dataclass
class Opened:
    """A folder that holds a dataset; `unpacked` if files in it come from archives, and so are gone after the ingest."""

    folder: Path
    unpacked: bool = False
    left_out: list[LeftOut] = field(default_factory=list)


@contextmanager
def opened(root: Path) -> Iterator[Opened]:
    """Give `root` as a folder: itself, or, if it is a file or holds archives, a temporary one with their files.

    An archive with a single top folder is unpacked as if where it lies, any other into a folder of its own name; one
    whose folder is there already is passed over. The other files of `root` are there as links, and a member whose
    place is taken by another file is left out. Errors name `root`, never the temporary folder. Raises BrokenSource
    for a damaged, locked or foreign archive, CannotWrite when space runs out.
    """
    single = root.is_file() and not is_archive(root)
    found = (
        []
        if single
        else [root]
        if root.is_file()
        else [p for p in _archives(root) if not p.with_name(_stem(p)).is_dir()]
    )
    if not found and not single:
        yield Opened(root)
        return
    with tempfile.TemporaryDirectory(prefix="ferdata-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        result = Opened(folder, unpacked=True)
        _check_space(found, folder)
        try:
            for archive in found:
                beside = None if archive == root else archive.parent
                inner = beside.relative_to(root) if beside else Path()
                result.left_out += _unpack(archive, folder / inner, beside)
        except OSError as error:
            raise CannotWrite(
                f"Unpacking into {folder.parent} failed: {error.strerror or error}.",
                "Free some space, or choose another disk for temporary files with TMPDIR=/path.",
            ) from None
        if root.is_dir():
            _link_others(root, folder, set(found))
        elif single:
            (folder / root.name).symlink_to(root.absolute())
        try:
            yield result
        except FerdataError as error:
            inside = str(folder / root.name) if single else temporary
            message, hint = (
                text.replace(inside, str(root)).replace(temporary, str(root)) for text in (error.message, error.hint)
            )
            raise type(error)(message, hint) from None


def _stem(path: Path) -> str:
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def _archives(root: Path) -> list[Path]:
    """Return the archives in `root` and up to two folders below, sorted."""
    named = _files(root, lambda name: name.lower().endswith(SUFFIXES + TABLES))
    return [path for path in named if path.is_file() and is_archive(path)]


def _files(root: Path, named: Callable[[str], bool]) -> list[Path]:
    """Return the files in `root` and up to two folders below whose name is `named`, sorted by folder."""
    found: list[Path] = []
    folders = [root]
    for _ in range(3):
        inner: list[Path] = []
        for folder in folders:
            try:
                with os.scandir(folder) as entries:  # of perhaps a million images: no object is made for those
                    kept = [e for e in entries if named(e.name) or e.is_dir(follow_symlinks=False)]
            except OSError:
                continue
            for entry in sorted(kept, key=lambda entry: entry.name):
                if not entry.is_dir(follow_symlinks=False):
                    found.append(Path(entry.path))
                elif not entry.name.startswith("."):
                    inner.append(Path(entry.path))
        folders = inner
    return found


def _link_others(root: Path, folder: Path, archives: set[Path]) -> None:
    """Link what lies in `root` beside what was unpacked into `folder`; a folder of both is gone through in turn."""
    with os.scandir(root) as entries:
        for entry in entries:
            path, place = Path(entry.path), folder / entry.name
            if path in archives:
                continue
            if place.is_dir():
                _link_others(path, place, archives)
                continue
            try:
                place.symlink_to(path.absolute(), target_is_directory=entry.is_dir())
            except OSError as error:
                raise CannotWrite(
                    f"{root} holds archives beside other files, and this system cannot create the links to read both "
                    f"as one folder: {error.strerror or error}.",
                    "Unpack the archives by hand, and remove them from the folder.",
                ) from None


def _check_space(archives: list[Path], folder: Path) -> None:
    needed = sum(map(unpacked_size, archives))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CannotWrite(
            f"The archives need {needed / 1e9:.1f} GB unpacked; {folder.parent} has {free / 1e9:.1f} GB free.",
            "Choose another disk for temporary files with TMPDIR=/path, or unpack them and give the folder as --root.",
        )


def _unpack(archive: Path, place: Path, beside: Path | None) -> list[LeftOut]:
    """Unpack an archive into `place`; `beside` is the user's folder, whose files are looked at and never written to."""
    with members_of(archive) as members:
        inner = _target(archive, [m.name for m in members])
        target, taken = place / inner, beside / inner if beside else None
        left_out: list[LeftOut] = []
        with progress.bar(f"unpack {archive.name}", len(members), "files") as advance:
            for member in members:
                why = _refused(member.name) or member.refused or _copy(archive, member, target, taken)
                if why:
                    left_out.append(LeftOut(f"{archive.name}/{member.listed}", why))
                advance(1)
    return left_out


def _refused(name: str) -> str:
    """Return why a member's name leads out of the folder, or nothing."""
    path = PurePosixPath(name)
    if path.is_absolute() or (len(name) > 1 and name[1] == ":"):
        return "an absolute path"
    if ".." in path.parts:
        return "a path that leads outside (..)"
    return "" if path.parts and "\0" not in name else "no name"


def _target(archive: Path, names: Iterable[str]) -> Path:
    """Return the folder, as seen from the archive's, that its members belong into."""
    paths = [path for name in names if (path := PurePosixPath(name)).parts]
    tops = {path.parts[0] for path in paths if path.parts[0] != "__MACOSX"}
    loose = any(len(path.parts) == 1 for path in paths)
    return Path(_stem(archive)) if loose or len(tops) > 1 else Path()


def _copy(archive: Path, member: Member, target: Path, taken: Path | None) -> str:
    """Copy a member, at most as many bytes as the archive declares; return why that was not done, or nothing.

    A file that lies at its place already, in `target` or among the user's own in `taken`, is never opened for writing.
    The same bytes once more are no loss, so that nothing is said of them.
    """
    path = target / member.name
    try:
        if taken and (there := _in_the_way(taken, member.name)):
            return "" if _holds(there, pieces(archive, member), member.size) else _TAKEN
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except (FileExistsError, NotADirectoryError):
        return "" if _holds(path, pieces(archive, member), member.size) else _TAKEN
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            return "a name that is not allowed on this system"
        raise
    with file:
        for data in pieces(archive, member):
            file.write(data)
    return ""


_TAKEN = "another file has that name"


def _in_the_way(folder: Path, name: str) -> Path | None:
    """Return what of the user's own lies where a member belongs, or a file where a folder above it belongs."""
    path = folder / name
    if path.exists() or path.is_symlink():
        return path
    return next((p for p in path.parents if p.is_relative_to(folder) and p.is_file()), None)


def _holds(path: Path, pieces: Iterator[bytes], size: int) -> bool:
    """Return whether `path` is a file of just these bytes, `size` in all."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return all(file.read(len(data)) == data for data in pieces)
