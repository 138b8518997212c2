"""The key of a pack: a hash of its pictures, in order, and of how they were made into arrays.

A manifest that has been reviewed or merged again, but has the same pictures in a split, keeps its pack; other pictures
have another key.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.manifest import Manifest
from ferdata.manifest.fingerprint import Fingerprint
from ferdata.manifest.safe_paths import inside


def pixel_hashes(manifest: Manifest) -> pa.ChunkedArray:
    """Return the hash that each row's pixels must have: the crop's where it was aligned (`manifest.stored_hash`)."""
    table = manifest.table("pixel_hash", "alignment")
    crops = pa.chunked_array([pc.struct_field(chunk, "pixel_hash") for chunk in table["alignment"].chunks], pa.string())
    return pc.coalesce(crops, table["pixel_hash"])


def key(
    manifest: Manifest,
    where: NDArray[np.intp],
    made_as: Mapping[str, Any],
    hashes: pa.ChunkedArray,
    trusted: Mapping[str, Path | None] | None,
) -> str:
    """Return the key of the pack of the rows `where`.

    `made_as` says how images become arrays, as JSON can hold it; `hashes` are `pixel_hashes`; `trusted` roots bring in
    the times of their files.
    """
    recipe = {**made_as, "files": None if trusted is None else _files_now(manifest, where, trusted)}
    pictures = Fingerprint()
    pictures.update(pa.RecordBatch.from_pydict({"pixels": hashes.take(pa.array(where)).combine_chunks()}))
    whole = json.dumps([recipe, len(where), pictures.hexdigest()])
    return hashlib.blake2b(whole.encode(), digest_size=16).hexdigest()


def _files_now(manifest: Manifest, where: NDArray[np.intp], roots: Mapping[str, Path | None]) -> str:
    """Return a hash of the sizes and times of the files behind these rows, and of the manifest's own."""

    def stamp(path: Path) -> bytes:
        try:
            found = path.stat()
        except OSError:
            return b"gone"  # reading it will say so
        return f"{found.st_size} {found.st_mtime_ns};".encode()

    digest = hashlib.blake2b(stamp(manifest.path), digest_size=16)
    table = manifest.file.read(columns=["dataset", "image.path"]).take(pa.array(where))
    for row in table.to_pylist():
        root, path = roots.get(row["dataset"]), row["image"]["path"]
        if root is not None and path is not None:
            with contextlib.suppress(OSError):
                digest.update(stamp(inside(root, path)))
    return digest.hexdigest()
