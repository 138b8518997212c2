"""Pictures as files that a browser shows: referenced ones where they lie, all others written once to a cache."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ferdata import images, progress
from ferdata.app.start import cache
from ferdata.errors import CannotWrite, ImagesMissing, InvalidManifest
from ferdata.manifest import Manifest, stored_hash
from ferdata.paths import inside

SHOWN = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp")  # what browsers show
# The first bytes of what browsers show; anything else is stored as PNG.
KINDS = ((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"), (b"BM", ".bmp"))


def files(opened: Manifest, columns: tuple[str, ...] = ("sample_id", "dataset", "pixel_hash", "alignment")) -> list[str]:
    """Return, for each row of a manifest, the file that shows it, or "" where it has none any more.

    Raises ImagesMissing where none of a dataset's files is there, and CannotWrite.
    """
    roots = opened.roots()
    folder = cache() / "media"
    found: list[str] = []
    there: dict[str, bool] = {}
    with progress.bar("pictures", opened.rows) as advance:
        for row in _rows(opened, columns):
            path = _referenced(row, roots) or _cached(opened, row, roots, folder)
            there[row["dataset"]] = there.get(row["dataset"], False) or bool(path)
            found.append(path)
            advance()
    for dataset, any_there in there.items():
        if not any_there:
            raise ImagesMissing(
                f"No picture of {dataset} is below {roots[dataset]} any more.",
                f"Say where the dataset is now: FERDATA_ROOT_{dataset.upper()}=/path/to/it",
            )
    return found


def _rows(opened: Manifest, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for batch in opened.batches([*columns, "image"], rows=2048):
        yield from batch.to_pylist()


def _referenced(row: Mapping[str, Any], roots: Mapping[str, Path | None]) -> str:
    """Return the file that a row points at if a browser can show it as it is; a path never leads out of its root."""
    image, root = row["image"], roots.get(row["dataset"])
    if image["bytes"] is not None or root is None or not image["path"].lower().endswith(SHOWN):
        return ""
    try:
        path = inside(root, image["path"])
    except OSError:
        return ""
    return str(path) if os.path.isfile(path) else ""  # noqa: PTH113  # a Path per row costs more than the look


def _cached(opened: Manifest, row: Mapping[str, Any], roots: Mapping[str, Path | None], folder: Path) -> str:
    """Write a row's picture to the cache, under the hash of its pixels, if it is not there yet."""
    if row["image"]["bytes"] is None and row["image"]["path"].lower().endswith(SHOWN):
        return ""  # it was looked for
    name = stored_hash(row)
    if not name.isalnum():  # a manifest by another hand: a name, never a path
        raise InvalidManifest(f"{opened.path} has the pixel_hash {name!r}.", "It is no hash: ingest the dataset again.")
    place = folder / name[:2]
    for suffix in (".png", ".jpg", ".gif", ".bmp"):
        if (place / f"{name}{suffix}").is_file():
            return str(place / f"{name}{suffix}")
    try:
        data = opened.read_image(row, roots)
        suffix = next((s for head, s in KINDS if data.startswith(head)), "")
        data = data if suffix else images.encode_png(images.decode(data))
    except (ImagesMissing, images.UnreadableImage):
        return ""
    path = place / f"{name}{suffix or '.png'}"
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        place.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError as error:
        raise CannotWrite(
            f"Cannot write pictures to {folder}: {error.strerror}.", "Free some space, or set FERDATA_CACHE to a folder."
        ) from None
    return str(path)
