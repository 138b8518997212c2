"""What the tests of packs share: pictures, manifests of them, packs of those."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ferdata import images, manifest
from ferdata.manifest import Manifest
from ferdata.training_data.arrays import Pack, packs
from tests.conftest import make_rows, metadata_of, picture


def colour(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    return np.dstack([picture(seed * 3 + c, 64)[:height, :width] for c in range(3)])


def write(path: Path, pictures: list[np.ndarray], root: Path | None = None, **columns: list[Any]) -> Path:
    """Write a manifest of these pictures: embedded, or as files below `root`."""
    rows = []
    for i, pixels in enumerate(pictures):
        facts, data = images.measure(pixels), images.encode_png(pixels)
        row: dict[str, Any] = {name: getattr(facts, name) for name in images.Facts.__slots__}
        row["image"] = {"bytes": data, "path": None}
        if root:
            root.mkdir(exist_ok=True)
            (root / f"{i}.png").write_bytes(data)
            row["image"] = {"bytes": None, "path": f"{i}.png"}
        rows.append(row | {name: values[i] for name, values in columns.items()})
    batch = make_rows(rows)
    metadata = metadata_of(batch)
    for source in metadata["sources"].values():
        source["root"] = os.path.relpath(root, path.parent) if root else None
    manifest.write(path, [batch], metadata, force=True)
    return path


def pack(path: Path, where: list[int], size: int = 24, channels: int = 1, **more: Any) -> Pack:
    return packs(Manifest(path), {"train": np.array(where)}, size, channels, **more)["train"]


def leftovers(place: Path) -> list[str]:
    """What is in the cache that is no finished entry."""
    return [p.name for p in place.glob("*/.*")]


MIXED = [picture(1), colour(2), picture(3, 20), colour(4, 90, 30), picture(5, 100).astype(np.uint16) << 8]
