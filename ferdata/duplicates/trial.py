"""Try the search out on one's own pictures: copies are planted, and what is found of them is counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata import images
from ferdata.duplicates.compare import Pairs, Small, grey
from ferdata.duplicates.components import connected
from ferdata.duplicates.find import VARIANTS, connect, variant_hashes
from ferdata.duplicates.plant import KINDS
from ferdata.duplicates.scenes import SCENE_COLUMNS, are_scenes, inside
from ferdata.duplicates.search import Hashes
from ferdata.errors import BadOption, BrokenSource
from ferdata.manifest import Manifest
from ferdata.running import progress


@dataclass(frozen=True)
class Found:
    """How a kind of copy fared: copies planted, copies found beside their picture, rows wrongly put beside a copy."""

    kind: str
    planted: int
    found: int
    wrong: int

    @property
    def recall(self) -> float:
        """The share of the copies that was found."""
        return self.found / max(self.planted, 1)

    @property
    def precision(self) -> float:
        """The share of what was put beside a copy that belongs there; 1 where nothing was."""
        return self.found / max(self.found + self.wrong, 1) if self.found + self.wrong else 1.0


@dataclass(frozen=True)
class Trial:
    """The outcome of a self-test: how many pictures were searched, and how each kind of copy fared."""

    pictures: int
    thorough: bool
    kinds: tuple[Found, ...]


@dataclass(frozen=True)
class _Some:
    """Pictures: their hashes, small copies, and the hashes of their variants (none unless thorough)."""

    hashes: Hashes
    small: Small
    variants: Hashes

    @classmethod
    def empty(cls, n: int, thorough: bool) -> "_Some":
        return cls(np.zeros(n, np.uint64), Small.empty(n), np.zeros((n, len(VARIANTS) if thorough else 0), np.uint64))

    def put(self, at: int, picture: NDArray[np.uint8]) -> None:
        self.hashes[at] = images.perceptual_hash(picture)
        self.small.put(at, picture)
        if self.variants.shape[1]:
            self.variants[at] = variant_hashes(picture)

    def and_(self, other: "_Some") -> "_Some":
        """Return these pictures and, after them, the others."""
        return _Some(
            np.concatenate([self.hashes, other.hashes]),
            self.small.and_(other.small),
            np.concatenate([self.variants, other.variants]),
        )

    def components(self, thorough: bool) -> NDArray[np.int64]:
        """Return the number of the set that each picture is found to be in."""

        def read(chosen: NDArray[np.int64]) -> tuple[Small, Hashes]:
            return self.small.of(chosen), self.variants[chosen]

        pairs = connect(self.hashes, read, thorough=thorough)
        return connected(len(self.hashes), pairs)


def trial(
    manifest: Manifest, *, thorough: bool = False, pictures: int = 5000, copies: int = 500, seed: int = 0
) -> Trial:
    """Plant `copies` of each of KINDS among `pictures` of the manifest, one kind at a time, and look for them.

    What counts as wrong: a row beside a copy that was not beside the copied picture before. Raises BadOption if
    the manifest has fewer than two pictures, ImagesMissing and BrokenSource.
    """
    table = manifest.table("pixel_hash")
    codes = table["pixel_hash"].combine_chunks().dictionary_encode().indices.to_numpy()
    distinct = np.unique(codes, return_index=True)[1]
    if len(distinct) < 2:
        raise BadOption(f"{manifest.path} has fewer than two different pictures.", "Use a manifest with more images.")
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(distinct, min(pictures, len(distinct)), replace=False))
    copied = np.sort(rng.choice(len(rows), min(copies, len(rows)), replace=False))
    base = _Some.empty(len(rows), thorough)
    planted = {kind: _Some.empty(len(copied), thorough) for kind in KINDS}
    place = {int(c): k for k, c in enumerate(copied)}
    with progress.bar("plant", len(rows), "images") as advance:
        for at, picture in enumerate(_pictures(manifest, rows)):
            base.put(at, grey(picture))
            if at in place:
                for kind, make in KINDS.items():
                    planted[kind].put(place[at], grey(make(picture, rng)))
            advance()
    before = base.components(thorough)
    kinds = []
    for kind, copies_of in planted.items():
        after = base.and_(copies_of).components(thorough)
        kinds.append(_judge(kind, before, after, copied))
    return Trial(len(rows), thorough, tuple(kinds))


def _judge(kind: str, before: Pairs, after: Pairs, copied: NDArray[np.int64]) -> Found:
    n = len(before)
    copy_set, own_set = after[n:], after[copied]
    found = int((copy_set == own_set).sum())
    # The rows beside each copy, less those that the copied picture had beside it anyway.
    beside = np.bincount(after[:n], minlength=int(after.max()) + 1)[copy_set]
    together = np.unique(np.stack([before, after[:n]], 1), axis=0, return_counts=True)
    of = {(int(b), int(a)): int(c) for (b, a), c in zip(*together, strict=True)}
    right = np.array([of.get((int(before[c]), int(a)), 0) for c, a in zip(copied, copy_set, strict=True)])
    return Found(kind, len(copied), found, int((beside - right).sum()))


def _pictures(manifest: Manifest, rows: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures of `rows`, of scenes their faces; rising, uint8 (H, W) grey or (H, W, 3) RGB."""
    scene = are_scenes(manifest.table(*SCENE_COLUMNS))
    roots, start = manifest.roots_there(), 0
    for batch in manifest.batches(["sample_id", "dataset", "image", "face_box"]):
        here = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + batch.num_rows)] - start
        for at, row in zip(here + start, batch.take(pa.array(here)).to_pylist() if len(here) else (), strict=True):
            image = images.as_uint8(_decoded(manifest, row, roots))
            yield inside(image, row["face_box"]) if scene[at] else image
        start += batch.num_rows


def _decoded(manifest: Manifest, row: dict[str, Any], roots: Any) -> NDArray[np.integer]:
    try:
        return images.decode(manifest.read_image(row, roots))
    except images.UnreadableImage as error:
        raise BrokenSource(f"{row['sample_id']} can no longer be read: {error}.", "Ingest its dataset again.") from None
