"""The cache: a folder of things that can be made again, kept below a limit; each entry is a folder of its own.

`<cache>/<kind>/<key>/entry.json` says what an entry is. An entry appears whole, by a rename, or not at all. Who uses
one holds a shared lock on its `entry.json`, so that no other process takes it out; who makes one holds a lock for
its key, so that two processes do not make it twice. Where the system or the disk has no such locks, both make it, and
the last rename wins.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from ferdata.errors import BadOption, CannotWrite
from ferdata.running import locks, progress
from ferdata.running.whole_file import (
    is_leftover,
    put_in_place,
    remove_at_once,
    temporaries,
    temporary_beside,
    write_whole,
)

VARIABLE, LIMIT_VARIABLE = "FERDATA_CACHE", "FERDATA_CACHE_LIMIT"
LIMIT = 20 * 10**9  # bytes; a million grey faces at 112 px are 13 GB
ABOUT = "entry.json"
REMEDY = f"Free space with `ferdata cache clear`, or set a folder on another disk: {VARIABLE}=/path/to/it"
NOT_WRITABLE = f"Set a folder that you may write in: {VARIABLE}=/path/to/it"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class NoRoom(CannotWrite):
    """The cache cannot take an entry: the disk is full, or the limit is reached, or the folder refuses."""


@dataclass(frozen=True)
class Entry:
    """One thing in the cache: `about` is what its maker wrote, `used` seconds since 1970, `size` bytes on disk."""

    kind: str
    key: str
    path: Path
    about: Mapping[str, Any]
    size: int
    used: float
    in_use: bool


class Held:
    """An entry in use: until `release`, or until this is garbage, nobody takes it out of the cache."""

    def __init__(self, path: Path, about: Mapping[str, Any], lock: locks.Shared) -> None:
        self.path, self.about = path, about
        self._lock = lock

    def release(self) -> None:
        """Let the entry go."""
        self._lock.release()


def folder() -> Path:
    """Return the cache's folder: FERDATA_CACHE, else `ferdata` where this system keeps caches."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return platformdirs.user_cache_path("ferdata", appauthor=False, opinion=False)


def limit() -> int:
    """Return how many bytes the cache may hold: FERDATA_CACHE_LIMIT, else as set, else LIMIT. Raises BadOption."""
    if named := os.environ.get(LIMIT_VARIABLE):
        return size_of(named, LIMIT_VARIABLE)
    with contextlib.suppress(OSError):
        return size_of((folder() / "limit").read_text(encoding="utf-8"), str(folder() / "limit"))
    return LIMIT


def set_limit(size: str) -> int:
    """Write down how much the cache may hold, such as 50GB, and return it in bytes. Raises BadOption, CannotWrite."""
    most = size_of(size, "The limit")
    with writing():
        folder().mkdir(parents=True, exist_ok=True)
    write_whole(folder() / "limit", f"{most}\n", REMEDY)
    return most


def size_of(text: str, what: str) -> int:
    """Return the bytes that `text` says: 500MB, 20 GB, 1.5T. Raises BadOption."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)B?\s*", text, re.IGNORECASE | re.ASCII)
    if not found:
        raise BadOption(f"{what} cannot be {text.strip()!r}.", "Give it in MB, GB or TB, such as 20GB.")
    unit = found[2].upper()
    return int(float(found[1]) * UNITS[f"{unit}B" if unit else ""])


def find(kind: str, key: str) -> Held | None:
    """Return the entry, held and marked as used just now; None where there is none that can be read."""
    path = folder() / kind / key
    lock = locks.share(path / ABOUT)
    if lock is None:
        return None
    about = _about(path)
    if about is None:
        lock.release()
        return None
    with contextlib.suppress(OSError):  # a cache that is shared, and only read here
        os.utime(path / ABOUT)
    return Held(path, about, lock)


@contextlib.contextmanager
def turn(kind: str, key: str) -> Iterator[None]:
    """Wait until no other process makes this entry. Raises NoRoom where the cache cannot be written."""
    path = _lock_of(kind, key)
    with contextlib.ExitStack() as stack:
        with writing(), contextlib.suppress(locks.NoLocks):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_waited_for(path, key))
            stack.callback(_unlink, path)  # before the release: who waits for it then begins anew
        yield


def _lock_of(kind: str, key: str) -> Path:
    return folder() / kind / f".{key}.lock"


def _waited_for(path: Path, key: str) -> locks.Lock:
    lock = locks.take(path, wait=0)
    if lock is None:
        with progress.bar(f"Waiting for another process, which is writing {key[:8]}"):
            lock = locks.take(path)
    assert lock is not None  # it has waited for ever
    return lock


def _unlink_unless_held(path: Path) -> None:
    with contextlib.suppress(OSError):  # held by who makes it anew
        lock = locks.take(path, wait=0)
        if lock is not None:
            with lock:
                _unlink(path)


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def fresh(kind: str, key: str) -> Iterator[Path]:
    """Yield an empty folder to make an entry in, for `publish`; it is gone afterwards, whatever happened."""
    part = temporary_beside(folder() / kind / key)
    try:
        with writing():
            part.mkdir(parents=True)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn an OSError of the block, which writes in the cache, into NoRoom."""
    try:
        yield
    except OSError as error:
        remedy = REMEDY if error.errno in FULL else NOT_WRITABLE  # clearing makes room, and no rights
        raise NoRoom(f"The cache {folder()} cannot be written: {error.strerror or error}.", remedy) from None


def publish(part: Path, kind: str, key: str, about: Mapping[str, Any]) -> Held | None:
    """Give a finished folder its place and return it held; one that is there already, damaged, makes way."""
    path = folder() / kind / key
    size = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
    with writing():
        with (part / ABOUT).open("x", encoding="utf-8") as file:
            json.dump({"ferdata": "cache", "kind": kind, "key": key, "bytes": size, **about}, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(part, path)
    return find(kind, key)


def entries() -> list[Entry]:
    """Return what is in the cache, the least recently used first."""
    found = []
    for file in folder().glob(f"*/*/{ABOUT}"):
        about = _about(file.parent)
        if about is not None and not file.parent.name.startswith("."):
            with contextlib.suppress(OSError):  # gone meanwhile
                used = file.stat().st_mtime
                kind, key, size = file.parent.parent.name, file.parent.name, int(about["bytes"])
                found.append(Entry(kind, key, file.parent, about, size, used, _in_use(file)))
    return sorted(found, key=lambda entry: entry.used)


def make_room(size: int) -> None:
    """Take out what was used longest ago until `size` more bytes fit under the limit; nothing that is in use.

    Raises NoRoom, and takes out nothing, where that cannot be.
    """
    sweep()
    most, there = limit(), entries()
    total = sum(entry.size for entry in there)
    free = [entry for entry in there if not entry.in_use]
    if total - sum(entry.size for entry in free) + size > most:
        raise NoRoom(
            f"The cache {folder()} is full: {gigabytes(total)} of {gigabytes(most)} used, {gigabytes(size)} needed.",
            f"Raise the limit: ferdata cache limit {gigabytes(2 * (total + size)).replace(' ', '')}",
        )
    for entry in free:
        if total + size <= most:
            return
        total -= entry.size if take_out(entry) else 0


def take_out(entry: Entry) -> bool:
    """Remove an entry, unless a process uses it; return whether it is gone."""
    if not (entry.path / ABOUT).exists():
        return True
    with locks.alone(entry.path / ABOUT) as free:
        return free and remove_at_once(entry.path)


def sweep() -> None:
    """Remove what killed processes have left half done; what is being made, here or on another machine, stays."""
    for kind in folder().glob("*/"):
        for part in temporaries(kind):
            if is_leftover(part):
                shutil.rmtree(part, ignore_errors=True)
                _unlink_unless_held(_lock_of(kind.name, part.name[1:].partition(".")[0]))


def unfinished() -> int:
    """Return the bytes of what is being made, or was by processes that are gone."""
    found = 0
    for kind in folder().glob("*/"):
        for part in temporaries(kind):
            with contextlib.suppress(OSError):  # finished, or gone meanwhile
                found += sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
    return found


def clear(keys: Sequence[str] = (), older_than: float | None = None) -> tuple[list[Entry], list[Entry]]:
    """Take out the entries whose keys begin so (all by default), if unused for `older_than` seconds.

    Returns those that are gone, and those that a process is using. Raises BadOption for a key that is not there.
    """
    sweep()
    there = entries()
    for key in keys:
        if not any(entry.key.startswith(key) for entry in there):
            raise BadOption(f"There is no entry {key!r} in {folder()}.", "`ferdata cache` lists them.")
    chosen = [entry for entry in there if not keys or entry.key.startswith(tuple(keys))]
    if older_than is not None:
        chosen = [entry for entry in chosen if time.time() - entry.used > older_than]
    gone = [entry for entry in chosen if take_out(entry)]
    return gone, [entry for entry in chosen if entry not in gone]


def gigabytes(size: float) -> str:
    """Return a size as people say it: 83.1 MB, 20 GB."""
    unit = next(u for u in ("TB", "GB", "MB", "KB", "B") if size >= UNITS[u] or u == "B")
    return f"{size / UNITS[unit]:.1f}".removesuffix(".0") + f" {unit}"


def _about(path: Path) -> dict[str, Any] | None:
    """Return what an entry's maker wrote; None for a folder that is no entry."""
    try:
        about = json.loads((path / ABOUT).read_bytes())
    except (OSError, ValueError):
        return None
    ours = isinstance(about, dict) and about.get("ferdata") == "cache" and isinstance(about.get("bytes"), int)
    return about if ours else None


def _in_use(file: Path) -> bool:
    with locks.alone(file) as free:
        return not free
