"""From a manifest to arrays: which rows, their pixels in one uint8 array, their targets and weights."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from ferdata import images, progress
from ferdata.errors import BadOption, BrokenSource
from ferdata.labels import EMOTIONS, VOTE_COLUMNS, Taxonomy, tally
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS

# After the import of ferdata.images, which sets OpenCV's limits.
import cv2  # isort: skip

CROP = "centre"  # the largest square in the middle
INTERPOLATION = "area-linear"  # area when it shrinks, bilinear when it grows

COLUMNS = (
    *("sample_id", "dataset", "target", "split", "official_split", "votes", "reviewed_label"),
    *("group", "pixel_hash", "width", "height", "mode"),
)


@dataclass(frozen=True)
class Rows:
    """The facts of every row of a manifest, in its order; no pixels yet.

    `split` is "train", "val", "test" or "" per row; `split_source` the column that it comes from. `hard` is the
    class, int64 (n,), -1 for none; `soft` a float32 (n, classes) distribution, zeros for none.
    """

    manifest: Manifest
    taxonomy: Taxonomy
    table: pa.Table
    split: NDArray[np.str_]
    split_source: str
    hard: NDArray[np.int64]
    soft: NDArray[np.float32]

    def where(self, split: str, targets: str = "hard") -> NDArray[np.intp]:
        """Return the positions of a split's rows that have a target; `split` may be "all".

        "soft" also takes rows whose votes have no majority but do have a distribution, as FER+'s reader does
        (microsoft/FERPlus, src/ferplus.py); val and test are always asked for as "hard".
        """
        usable = self.hard >= 0 if targets == "hard" else self.soft.sum(1) > 0
        return np.flatnonzero(usable if split == "all" else usable & (self.split == split))


def read_rows(manifest: Manifest, datasets: Sequence[str] | None = None) -> Rows:
    """Read the facts of all rows, of the named datasets only. Raises BadOption for a dataset that is not there.

    A manifest that no step has split, such as one just ingested, is taken by its official split.
    """
    table = manifest.table(*COLUMNS)
    strangers = sorted(set(datasets or ()) - set(manifest.sources))
    if strangers:
        raise BadOption(
            f"{manifest.path} has no dataset {', '.join(strangers)}.", f"It has {', '.join(manifest.sources)}."
        )
    source = "split" if table["split"].null_count < len(table) else "official_split"
    split = np.asarray(pc.fill_null(table[source], "").to_pylist(), dtype=np.str_)
    if datasets is not None:
        chosen = pc.is_in(table["dataset"], pa.array(list(datasets), pa.string()))
        split = np.where(chosen.to_numpy(), split, "")
        table = table.set_column(2, "target", pc.if_else(chosen, table["target"], None))
    taxonomy = manifest.taxonomy
    position = pc.index_in(table["target"], pa.array(taxonomy.classes))
    hard = pc.fill_null(position, -1).to_numpy().astype(np.int64)
    soft = _soft(table, taxonomy, hard)
    if datasets is not None:
        soft[~chosen.to_numpy()] = 0
    return Rows(manifest, taxonomy, table, split, source, hard, soft)


def _soft(table: pa.Table, taxonomy: Taxonomy, hard: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the vote distribution over the classes where a row has one and nobody overruled it, else one-hot."""
    soft = np.zeros((len(table), len(taxonomy.classes)), np.float32)
    labelled = np.flatnonzero(hard >= 0)
    soft[labelled, hard[labelled]] = 1
    free = pc.and_(table["votes"].is_valid(), table["reviewed_label"].is_null())
    voted = np.flatnonzero(free.to_numpy())
    if not len(voted):
        return soft
    votes = table["votes"].combine_chunks().take(pa.array(voted)).flatten()
    dist = tally(votes.to_numpy(zero_copy_only=False).reshape(-1, len(VOTE_COLUMNS)), "crossentropy")[1]
    to_class = np.zeros((len(EMOTIONS), len(taxonomy.classes)), np.float32)
    for emotion, name in taxonomy.mapping.items():
        to_class[EMOTIONS.index(emotion), taxonomy.classes.index(name)] = 1
    dist = dist @ to_class
    total = dist.sum(1, keepdims=True)
    has = total[:, 0] > 0
    soft[voted[has]] = (dist / np.maximum(total, 1e-9))[has]
    return soft


@dataclass(frozen=True)
class Images:
    """The rows at `where`: `pixels` uint8 (n, size, size, channels), `hard` int64 (n,), `soft` float32 (n, classes)."""

    where: NDArray[np.intp]
    pixels: Tensor
    hard: Tensor
    soft: Tensor

    def __len__(self) -> int:
        return len(self.where)


def load(
    rows: Rows,
    wanted: Mapping[str, NDArray[np.intp]],
    size: int,
    channels: int,
    roots: Mapping[str, Path] | None = None,
) -> dict[str, Images]:
    """Decode the wanted rows, each once and in file order, into one array; return a view of it for each name.

    Raises ImagesMissing, BrokenSource for an image that does not decode, BadOption if memory will not hold them.
    """
    order = np.concatenate([*wanted.values(), np.empty(0, np.intp)])
    shape = (len(order), size, size, channels)
    _check_memory(shape)
    pixels = np.empty(shape, np.uint8)
    place = np.full(rows.manifest.rows, -1, np.int64)
    place[order] = np.arange(len(order))
    _fill(pixels, place, rows.manifest, rows.manifest.roots(roots))
    parts, start = {}, 0
    for name, where in wanted.items():
        stop = start + len(where)
        parts[name] = Images(
            where,
            torch.from_numpy(pixels[start:stop]),
            torch.from_numpy(rows.hard[where]),
            torch.from_numpy(rows.soft[where]),
        )
        start = stop
    return parts


def _fill(
    pixels: NDArray[np.uint8],
    place: NDArray[np.int64],
    manifest: Manifest,
    roots: Mapping[str, Path | None],
) -> None:
    size, channels = pixels.shape[1], pixels.shape[3]
    at = 0
    with progress.bar("Decoding", len(pixels), "images") as advance:
        for batch in manifest.batches(("sample_id", "dataset", "image"), rows=1024):
            here = place[at : at + batch.num_rows]
            at += batch.num_rows
            keep = np.flatnonzero(here >= 0)
            if not len(keep):
                continue
            for position, row in zip(here[keep], batch.take(pa.array(keep)).to_pylist(), strict=True):
                data = manifest.read_image(row, roots)
                try:
                    pixels[position] = prepare(images.decode(data), size, channels)
                except images.UnreadableImage as error:
                    raise BrokenSource(
                        f"The image of {row['sample_id']} does not decode: {error}.",
                        f"Ingest {row['dataset']} again: its files have changed since.",
                    ) from None
            advance(len(keep))


def prepare(image: NDArray[Any], size: int, channels: int) -> NDArray[np.uint8]:
    """Turn a decoded image, grey (H, W) or RGB (H, W, 3), into uint8 (size, size, channels).

    The largest square in the middle, shrunk by area or grown bilinearly. Training and prediction both come here.
    """
    pixels = images.as_uint8(image)
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square: NDArray[Any] = pixels[top : top + side, left : left + side]
    if channels == 1 and square.ndim == 3:
        square = cv2.cvtColor(np.ascontiguousarray(square), cv2.COLOR_RGB2GRAY)
    if side != size:
        how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
        square = cv2.resize(np.ascontiguousarray(square), (size, size), interpolation=how)
    if square.ndim == 2:
        square = np.repeat(square[:, :, None], channels, axis=2)
    return np.ascontiguousarray(square)


def _check_memory(shape: tuple[int, ...]) -> None:
    needed = int(np.prod(shape))
    # All of it, not what is free: a page cache gives way.
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else needed * 2
    if needed > 0.8 * there:
        raise BadOption(
            f"{shape[0]:,} images of {shape[1]} px take {needed / 1e9:.1f} GB; this machine has {there / 1e9:.1f} GB.",
            "Choose a smaller --size, or fewer datasets.",
        )


def natural_size(rows: Rows, where: NDArray[np.intp], most: int = 224) -> int:
    """Return the median short side of the rows' images, in pixels, up to the next multiple of 16, 32 to `most`."""
    sides = np.minimum(rows.table["width"].to_numpy()[where], rows.table["height"].to_numpy()[where])
    return int(min(most, max(32, -(-int(np.median(sides)) // 16) * 16)))


def all_grey(rows: Rows, where: NDArray[np.intp]) -> bool:
    """Say whether every one of the rows is a one-channel image."""
    modes = pc.unique(rows.table["mode"].take(pa.array(where))).to_pylist()
    return all(str(mode).startswith("L") for mode in modes)


def statistics(pixels: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel, in 0..1, of uint8 (n, H, W, C)."""
    levels = np.arange(256) / 255
    mean, std = [], []
    for channel in range(pixels.shape[3]):
        # From the histogram: exact, and no float copy of the whole set.
        share = torch.bincount(pixels[..., channel].reshape(-1), minlength=256).double().numpy()
        share /= max(share.sum(), 1)
        centre = float(share @ levels)
        mean.append(centre)
        std.append(float(np.sqrt(share @ (levels - centre) ** 2)))
    return tuple(mean), tuple(std)


def class_weights(soft: Tensor, how: str, beta: float = 0.9999) -> Tensor | None:
    """Return a weight per class, float32 (classes,), whose mean over the samples is 1; None for "none".

    "balanced": inverse to the count. "effective": inverse to the effective number (1 - beta^n) / (1 - beta) of Cui et
    al. 2019, arXiv 1901.05555, which spares the rarest classes the steepest weights.
    """
    if how == "none":
        return None
    counts = soft.sum(0).double()
    mass = counts if how == "balanced" else (1 - beta**counts) / (1 - beta)
    weights = torch.where(counts > 0, 1 / mass.clamp(min=1e-12), torch.zeros_like(mass))
    return (weights * counts.sum() / (weights * counts).sum()).float()


def shared(rows: Rows, ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> int:
    """Count the rows at `theirs` that share a group, or the very pixels, with a row at `ours`."""
    tainted = np.zeros(len(theirs), bool)
    for name in ("group", "pixel_hash"):
        column = rows.table[name].combine_chunks()
        known = column.take(pa.array(ours)).drop_null()
        other = column.take(pa.array(theirs))
        tainted |= pc.and_(pc.is_in(other, known), other.is_valid()).to_numpy(zero_copy_only=False)
    return int(tainted.sum())


def of_split(rows: Rows, targets: str) -> dict[str, NDArray[np.intp]]:
    """Return the positions of each split's rows: train under `targets`, val and test by their class alone."""
    return {split: rows.where(split, targets if split == "train" else "hard") for split in SPLITS}
