"""Pictures as files that a browser shows: referenced ones where they lie, all others written once to the cache."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ferdata import images
from ferdata.errors import ImagesMissing, InvalidManifest
from ferdata.manifest import Manifest, stored_hash
from ferdata.manifest.safe_paths import inside
from ferdata.running import cache, progress

KIND = "media"
SHOWN = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp")  # what browsers show
# The first bytes of what browsers show; anything else is stored as PNG.
HEADS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")
MEDIA_COLUMNS = ("sample_id", "dataset", "pixel_hash", "alignment", "image")
BATCH = 2048


def files(opened: Manifest) -> tuple[list[str], cache.Held | None]:
    """Return, for each row of a manifest, the file that shows it, or "" where its picture is not there any more.

    Files in the cache stay as long as what comes with them is held. Raises ImagesMissing where none of a dataset's
    pictures is there, and NoRoom.
    """
    roots = opened.roots_there()
    found: list[str] = []
    stored: dict[int, str] = {}  # row -> hash, of what no browser shows where it lies
    size = 0
    with progress.bar("pictures", opened.rows) as advance:
        for row in _rows(opened):
            found.append(_referenced(row, roots))
            if not found[-1] and not _shown(row["image"]):
                stored[len(found) - 1] = _name(opened, row)
                size += len(row["image"]["bytes"] or b"")
            advance()
    held = _cached(opened, roots, stored, size) if stored else None
    for i, name in stored.items():
        path = held.path / name[:2] / name if held else None
        found[i] = str(path) if path and path.is_file() else ""
    return found, held


def _rows(opened: Manifest) -> Iterator[dict[str, Any]]:
    for batch in opened.batches(MEDIA_COLUMNS, rows=BATCH):
        yield from batch.to_pylist()


def _shown(image: Mapping[str, Any]) -> bool:
    return image["bytes"] is None and str(image["path"]).lower().endswith(SHOWN)


def _referenced(row: Mapping[str, Any], roots: Mapping[str, Path | None]) -> str:
    """Return the file that a row points at if a browser can show it as it is; a path never leads out of its root."""
    root = roots.get(row["dataset"])
    if root is None or not _shown(row["image"]):
        return ""
    try:
        path = inside(root, row["image"]["path"])
    except OSError:
        return ""
    return str(path) if os.path.isfile(path) else ""  # noqa: PTH113  # a Path per row costs more than the look


def _name(opened: Manifest, row: Mapping[str, Any]) -> str:
    name = stored_hash(row)
    if not name.isalnum():  # a manifest by another hand: a name, never a path
        raise InvalidManifest(f"{opened.path} has the pixel_hash {name!r}.", "Ingest the dataset again.")
    return f"{name}.png"


def _cached(
    opened: Manifest, roots: Mapping[str, Path | None], stored: Mapping[int, str], size: int
) -> cache.Held | None:
    """Return the cache's folder of these pictures; it is made if it is not there. A decision changes nothing of it."""
    key = hashlib.blake2b("".join(stored.values()).encode(), digest_size=16).hexdigest()
    held = cache.find(KIND, key)
    if held:
        return held
    with cache.turn(KIND, key):
        held = cache.find(KIND, key)
        if held:
            return held
        cache.make_room(size)
        with cache.fresh(KIND, key) as part:
            _write(opened, roots, stored, part)
            return cache.publish(part, KIND, key, {"manifest": opened.path.name, "pictures": len(stored)})


def _write(opened: Manifest, roots: Mapping[str, Path | None], stored: Mapping[int, str], part: Path) -> None:
    with progress.bar("pictures to the cache", len(stored)) as advance:
        for i, row in enumerate(_rows(opened)):
            if i not in stored:
                continue
            path = part / stored[i][:2] / stored[i]
            advance()
            if path.exists():
                continue
            try:
                data = opened.read_image(row, roots)
                # Browsers go by the first bytes, not by the name.
                data = data if data.startswith(HEADS) else images.encode_png(images.decode(data))
            except (ImagesMissing, images.UnreadableImage):
                continue
            with cache.writing():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
