"""Where the images of a manifest's datasets are, and whether they still are there."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ferdata.errors import ImagesMissing
from ferdata.manifest.parts import Parts
from ferdata.manifest.safe_paths import inside, read_inside
from ferdata.schema import root_variable

LOOKED_FOR = 8  # images of a dataset in a row group: where none of them is there, they have moved


def of_sources(
    sources: Mapping[str, Mapping[str, Any]], manifest: Path, given: Mapping[str, Path] | None = None
) -> dict[str, Path | None]:
    """Return where each dataset's files should be, as `Manifest.roots` does."""
    found: dict[str, Path | None] = {}
    for name, source in sources.items():
        recorded = source.get("root")
        override = (given or {}).get(name) or os.environ.get(root_variable(name))
        if override:
            found[name] = Path(override)
        else:
            found[name] = None if recorded is None else (manifest.parent / recorded).resolve()
    return found


def must_be_there(file: Parts, roots: Mapping[str, Path | None]) -> None:
    """Raise ImagesMissing for a dataset that refers to images, of which none that is looked for is below its root.

    A single image that is gone is a fault of that row, for whoever reads it to tell.
    """
    missing: set[str] = set()
    found: set[str] = set()
    for dataset, path in _referred(file):
        if dataset not in found:
            there = _is_there(roots.get(dataset), path)
            (found if there else missing).add(dataset)
    for dataset in sorted(missing - found):
        raise moved(f"The images of {dataset} are", dataset, roots.get(dataset))


def with_files(file: Parts) -> set[str]:
    """Return the datasets of which images are referred to, not embedded."""
    return {dataset for dataset, _ in _referred(file)}


def moved(what: str, dataset: str, root: Path | None) -> ImagesMissing:
    """Return the error for images that are not below their root."""
    return ImagesMissing(
        f"{what} not in {root}.",
        f"Set where the dataset is now: {root_variable(dataset)}=/path/to/it",
    )


def read_image(row: Mapping[str, Any], roots: Mapping[str, Path | None]) -> bytes:
    """Return the encoded bytes of `row`'s image, as `Manifest.read_image` does, with no manifest open."""
    image, dataset = row["image"], row["dataset"]
    if image["bytes"] is not None:
        return bytes(image["bytes"])
    root = roots.get(dataset)
    try:
        if root is None:
            raise FileNotFoundError
        return read_inside(root, image["path"])
    except OSError:
        raise moved(f"The image {image['path']} of {dataset} is", dataset, root) from None


def _is_there(root: Path | None, path: str) -> bool:
    try:
        return root is not None and inside(root, path).is_file()
    except OSError:
        return False


def _referred(file: Parts) -> Iterator[tuple[str, str]]:
    """Yield dataset and path of a few images of each dataset and row group that are not embedded."""
    for group, rows in enumerate(file.row_groups):
        embedded = rows - file.nulls(group, "image.bytes") if rows else 0
        if embedded == rows:
            continue
        columns = ["dataset", "image.path", *(["image.bytes"] if embedded else [])]
        table = file.read_row_group(group, columns).combine_chunks()
        image = table["image"].combine_chunks()
        if embedded:
            table = table.filter(pc.is_null(pc.struct_field(image, "bytes")))
            image = table["image"].combine_chunks()
        names = table["dataset"].combine_chunks().dictionary_encode()
        codes = names.indices.to_numpy()
        for code, name in enumerate(names.dictionary.to_pylist()):
            own = np.flatnonzero(codes == code)
            few = own[np.unique(np.linspace(0, len(own) - 1, LOOKED_FOR).astype(int))]
            yield from ((name, path) for path in pc.struct_field(image, "path").take(pa.array(few)).to_pylist())
