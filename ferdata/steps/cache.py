"""Cache: what is in it, how much it may hold, and taking things out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption
from ferdata.running import cache

SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True)
class Item:
    """One entry: `kind` (pack, media), what it holds of which manifest, `size` in pixels, bytes, last used (UTC)."""

    key: str
    kind: str
    what: str
    manifest: str | None
    size: int | None
    bytes: int
    used: str
    in_use: bool


@dataclass(frozen=True)
class Contents:
    """The cache: its folder, its entries (the least recently used first), their bytes, and its limit in bytes.

    `unfinished` are the bytes of entries that are being made, or that a killed process has left.
    """

    folder: Path
    items: tuple[Item, ...]
    bytes: int
    limit: int
    unfinished: int


@dataclass(frozen=True)
class Cleared:
    """What was removed, and what stays because a process is using it."""

    gone: tuple[Item, ...]
    bytes: int
    in_use: tuple[Item, ...]


def contents() -> Contents:
    """Return what the cache holds. Raises BadOption for a limit that is no size."""
    items = tuple(_item(entry) for entry in cache.entries())
    return Contents(cache.folder(), items, sum(item.bytes for item in items), cache.limit(), cache.unfinished())


def clear(keys: Sequence[str] = (), older_than: str | None = None) -> Cleared:
    """Remove all entries, or those whose keys begin so, or those unused for `older_than` (30d, 12h, 2w).

    What a process is using stays. Raises BadOption.
    """
    gone, kept = cache.clear(keys, None if older_than is None else _seconds(older_than))
    return Cleared(tuple(map(_item, gone)), sum(entry.size for entry in gone), tuple(map(_item, kept)))


def limit(size: str | None = None) -> int:
    """Set how much the cache may hold, such as 50GB, and return it in bytes; without `size`, only return it.

    Raises BadOption, CannotWrite.
    """
    return cache.limit() if size is None else cache.set_limit(size)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([mhdw])\s*", text, re.ASCII)
    if not found:
        raise BadOption(f"--older-than cannot be {text!r}.", "Use minutes, hours, days or weeks: 90m, 12h, 30d, 2w.")
    return float(found[1]) * SECONDS[found[2]]


def _item(entry: cache.Entry) -> Item:
    def field(name: str, kind: type) -> Any:
        value = entry.about.get(name)
        return value if isinstance(value, kind) else None

    return Item(
        key=entry.key,
        kind=entry.kind,
        what=field("what", str) or "",
        manifest=field("manifest", str),
        size=field("size", int),
        bytes=entry.size,
        used=datetime.fromtimestamp(entry.used, UTC).isoformat(timespec="seconds"),
        in_use=entry.in_use,
    )
