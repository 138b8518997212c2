"""The one way to put a file in place: written beside its name under a hidden one, then renamed, so whole or not at all.

After `whole_file` and `write_whole` the file and its name are on the disk, not only in the system's memory.
"""

import contextlib
import ctypes
import functools
import glob
import hashlib
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ferdata.errors import CannotWrite

ENDING, ASIDE = ".part", ".old"  # of what is to have a name, and of what had it
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
HINT = "Free some space, or choose another --out."
DAY = 24 * 3600.0  # seconds after which a temporary is nobody's, where its writer cannot be looked for


@contextlib.contextmanager
def whole_file(path: Path, hint: str = HINT) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; it takes the place of `path` when the block ends well.

    On an error it is removed, and what `path` was stays. An OSError becomes CannotWrite with `hint`.
    """
    temporary = temporary_beside(path)
    try:
        remove_leftovers(path)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        put_in_place(temporary, path)
    except OSError as error:
        raise CannotWrite(f"Cannot write {path}: {error.strerror or error}.", hint) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | memoryview | str, hint: str = HINT) -> None:
    """Write `data` (a text as UTF-8, its line ends as they are) to `path`, whole or not at all. Raises CannotWrite."""
    with whole_file(path, hint) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def put_in_place(temporary: Path, path: Path, replace: bool = True) -> None:
    """Give a finished file or folder, which is on the disk already, the name `path`, and have the disk keep the name.

    What `path` was is replaced, or a FileExistsError raised without `replace`; an empty folder always makes way. At no
    moment has `path` half of the old and half of the new.
    """
    if temporary.is_dir():
        _put_folder(temporary, path, replace)
    elif replace or not _link(temporary, path):
        temporary.replace(path)
    else:
        temporary.unlink()
    sync_folder(path.parent)


def remove_at_once(folder: Path) -> bool:
    """Remove a folder so that it disappears at once, and return whether it did; who maps its files keeps them."""
    gone = temporary_beside(folder)
    try:
        folder.rename(gone)
    except OSError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _put_folder(temporary: Path, path: Path, replace: bool) -> None:
    try:
        temporary.rename(path)
        return
    except OSError:  # something is there, which only an empty folder would not stop
        if not path.exists():
            raise
    if not replace:
        raise FileExistsError
    old = temporary if _exchange(temporary, path) else _moved_aside(temporary, path)
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink()


def _exchange(one: Path, other: Path) -> bool:
    """Have two paths change places at one moment; False where the system or the disk cannot do that."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2  # Linux alone
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0)


def _moved_aside(temporary: Path, path: Path) -> Path:
    """Give `temporary` the name `path`, and return where what that was lies now."""
    old = temporary_beside(path).with_suffix(ASIDE)
    path.rename(old)
    try:
        temporary.rename(path)
    except BaseException:
        old.rename(path)
        raise
    return old


def recover(path: Path) -> None:
    """Give what a killed writer moved aside its name back, if nothing has come in its place."""
    for old in sorted(path.parent.glob(f".{glob.escape(path.name)}.*{ASIDE}")):
        if is_leftover(old):
            with contextlib.suppress(OSError):  # another has done it
                if path.exists():
                    remove_at_once(old)
                else:
                    old.rename(path)


def _link(temporary: Path, path: Path) -> bool:
    """Give the file `path` as a second name, which never replaces one; False on a disk without hard links."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names in `folder`, as far as it can."""
    # Windows opens no folders, and some network disks refuse: the file itself is safe, and in its place.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def temporary_beside(path: Path) -> Path:
    """Return a hidden name beside `path`, for a file or a folder, that no other writer has, on whatever machine."""
    return path.with_name(f".{path.name}.{_here()}-{os.getpid()}-{secrets.token_hex(4)}{ENDING}")


def temporaries(folder: Path, name: str | None = None) -> list[Path]:
    """Return the temporaries in `folder`, or those that are to become `name`, whether they are being written or not."""
    return sorted(folder.glob(f".{'*' if name is None else glob.escape(name)}.*{ENDING}"))


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed writers of `path` left."""
    for temporary in temporaries(path.parent, path.name):
        if is_leftover(temporary):
            with contextlib.suppress(OSError):  # a folder, which is not ours, or gone meanwhile
                temporary.unlink()


def is_leftover(temporary: Path) -> bool:
    """Return whether nobody writes `temporary` any more: its process has ended or, if unknown here, it is a day old."""
    named = re.search(r"\.([0-9a-f]+)-(\d+)-[0-9a-f]+\.\w+\Z", temporary.name)
    try:
        # A number may have gone to a thread of another process, which has it but is not listed, and so may a process
        # that is hidden from this user: those are nobody's after a day.
        if named and named[1] == _here():
            listed = named[2] in os.listdir("/proc")  # noqa: PTH208
            if listed or not _exists(int(named[2])):
                return not listed
    except OSError:  # no /proc here
        pass
    try:
        return time.time() - temporary.stat().st_mtime > DAY
    except OSError:  # gone meanwhile
        return False


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return True


@functools.cache
def _here() -> str:
    """Return a word for what gives processes their numbers: this machine since its start, or this container."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):  # not on Linux
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()
