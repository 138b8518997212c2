"""Find near duplicates: candidates by hash, their pictures read once each, confirmed by what they show."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata import images, progress
from ferdata.errors import BrokenSource
from ferdata.manifest import Manifest
from ferdata.near.compare import Pairs, Small, confirm, grey
from ferdata.near.search import Hashes, pairs_within

RADIUS = 10  # bits: re-encoded copies differ by 3 and less, a crop or blur of a twentieth by 5, strangers by 20 to 40
ROUNDS = 8  # pictures of one hash that are not the same picture, before the rest of them are left alone
THREADS = 2
# Copies of each picture that `thorough` hashes as well: (degrees, share cut off). Each finds what lies around it, up
# to 2 degrees and 4 % away, so together they reach turns of 14 degrees and crops of a fifth.
VARIANTS = ((-12, 0.0), (-8, 0.0), (-4, 0.0), (4, 0.0), (8, 0.0), (12, 0.0), (0, 0.07), (0, 0.12), (0, 0.17))


def find(manifests: Sequence[Manifest], table: pa.Table, *, thorough: bool = False, radius: int = RADIUS) -> Pairs:
    """Return the row pairs of `table` that show one picture in different pixels, int64 (n, 2), i < j, sorted.

    `table` has `phash`, uint64, and `pixel_hash`; its rows are those of `manifests`, one after the other. Rows with
    equal pixels are compared once, by the first of them; the pairs connect what belongs together, they do not list
    every pair of a group. Only candidates are decoded; `thorough` decodes and turns every picture. Raises
    ImagesMissing, and BrokenSource for an image that was readable at ingest and is not now.
    """
    rows = _first_rows(table["pixel_hash"])
    hashes = table["phash"].combine_chunks().take(pa.array(rows)).to_numpy().astype(np.uint64)
    distinct, kind = np.unique(hashes, return_inverse=True)
    straight, mirrored = (pairs_within(distinct, radius, flip=flip) for flip in (0, images.ODD_COLUMNS))
    members = np.bincount(kind, minlength=len(distinct))
    wanted = members > 1
    for pairs in (straight, mirrored):
        wanted[pairs.ravel()] = True
    chosen = np.flatnonzero(np.ones(len(rows), bool) if thorough else wanted[kind])
    small, variants = _read(manifests, rows[chosen], thorough)
    kind = kind[chosen]
    found, leaders = _within_kinds(small, kind)
    for pairs, mirror in ((straight, False), (mirrored, True)):
        found.append(_across_kinds(small, leaders, kind, len(distinct), pairs, mirror))
    if thorough:
        found += _turned(small, variants, hashes[chosen], radius)
    pairs = rows[chosen[np.concatenate(found)]]
    pairs.sort(axis=1)
    return np.unique(pairs, axis=0)


def _first_rows(column: pa.ChunkedArray) -> Pairs:
    """Return the first row of each value."""
    codes = column.combine_chunks().dictionary_encode().indices.to_numpy()
    # Codes are numbered by first appearance, so a value is new where the maximum so far rises.
    highest = np.maximum.accumulate(codes) if len(codes) else codes
    return np.flatnonzero(np.diff(highest, prepend=-1) > 0).astype(np.int64)


def _read(manifests: Sequence[Manifest], rows: NDArray[np.int64], thorough: bool) -> tuple[Small, NDArray[np.uint64]]:
    """Decode the pictures in `rows`, rising, once each: small copies, and hashes (rows, VARIANTS) if `thorough`."""
    small = Small.empty(len(rows))
    hashes = np.zeros((len(rows), len(VARIANTS) if thorough else 0), np.uint64)

    def take(at: int, m: Manifest, row: dict[str, Any], roots: Any) -> None:
        try:
            picture = grey(images.decode(m.read_image(row, roots)))
        except images.UnreadableImage as error:
            raise BrokenSource(
                f"{row['sample_id']} cannot be read any more: {error}.", "Ingest its dataset again."
            ) from None
        small.put(at, picture)
        for k in range(hashes.shape[1]):
            hashes[at, k] = images.perceptual_hash(variant(picture, *VARIANTS[k]))

    with ThreadPoolExecutor(THREADS) as pool, progress.bar("look", len(rows), "images") as advance:
        at = 0
        for m, batch, roots in _batches(manifests, rows):
            jobs = [pool.submit(take, at + k, m, row, roots) for k, row in enumerate(batch)]
            for job in jobs:
                job.result()
            at += len(batch)
            advance(len(batch))
    return small, hashes


def _batches(manifests: Sequence[Manifest], rows: NDArray[np.int64]) -> Iterator[tuple[Manifest, list[Any], Any]]:
    """Yield, manifest by manifest, a few hundred of `rows` as Python values; other row groups are not read."""
    start = 0
    for m in manifests:
        roots = m.roots()
        for g in range(m.file.metadata.num_row_groups):
            n = m.file.metadata.row_group(g).num_rows
            here = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + n)] - start
            start += n
            if len(here):
                group = m.file.read_row_group(g, columns=["sample_id", "dataset", "image"])
                for at in range(0, len(here), 512):
                    yield m, group.take(pa.array(here[at : at + 512])).to_pylist(), roots


def variant(picture: NDArray[np.uint8], degrees: float, cut: float) -> NDArray[np.uint8]:
    """Return the picture turned, or without the share `cut` of its width and height, at its own size or 64 pixels."""
    side = 64
    if max(picture.shape) > side:
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1 / (1 - cut))
    return cv2.warpAffine(picture, matrix, (width, height)).astype(np.uint8, copy=False)


def _within_kinds(small: Small, kind: NDArray[np.int64]) -> tuple[list[Pairs], NDArray[np.int64]]:
    """Compare pictures of one hash with the first of them, what is left with the first of that, and so on.

    So many copies of one picture cost one comparison each. Returns the confirmed pairs, and which pictures are
    first of their kind or like none before.
    """
    found: list[Pairs] = [np.zeros((0, 2), np.int64)]
    leaders = []
    left = np.arange(len(kind))
    for _ in range(ROUNDS):
        _, at, back = np.unique(kind[left], return_index=True, return_inverse=True)
        first = left[at]
        leaders.append(first)
        pairs = np.stack([first[back], left], axis=1)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        if not len(pairs):
            break
        same = confirm(small, small, pairs, np.zeros(len(pairs), bool))
        found.append(pairs[same])
        left = pairs[~same, 1]
    return found, np.sort(np.concatenate(leaders))


def _across_kinds(
    small: Small, leaders: NDArray[np.int64], kind: NDArray[np.int64], kinds: int, near: Pairs, mirror: bool
) -> Pairs:
    """Compare the leaders of kinds whose hashes are near; return the confirmed pairs."""
    leaders = leaders[np.argsort(kind[leaders], kind="stable")]
    count = np.bincount(kind[leaders], minlength=kinds)
    start = np.cumsum(count) - count
    a, b = near[:, 0], near[:, 1]
    times = count[a] * count[b]
    which = np.repeat(np.arange(len(near)), times)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
    i = leaders[start[a[which]] + nth // count[b[which]]]
    j = leaders[start[b[which]] + nth % count[b[which]]]
    pairs = np.stack([i, j], axis=1)
    return pairs[confirm(small, small, pairs, np.full(len(pairs), mirror))]


def _turned(small: Small, variants: NDArray[np.uint64], hashes: Hashes, radius: int) -> list[Pairs]:
    """Compare turned and cropped copies of every picture with every picture; return the confirmed pairs."""
    found = []
    for k, (degrees, cut) in enumerate(VARIANTS):
        turned = Small.empty(len(hashes))
        for flip in (0, images.ODD_COLUMNS):
            pairs = pairs_within(variants[:, k], radius, against=hashes, flip=flip)
            pairs = pairs[pairs[:, 0] != pairs[:, 1]]
            for i in np.unique(pairs[:, 0]):
                if not turned.grey[i].any():
                    turned.put(i, variant(small.grey[i].astype(np.uint8), degrees, cut))
            mirror = np.full(len(pairs), bool(flip))
            found.append(pairs[confirm(turned, small, pairs, mirror)])
    return found
