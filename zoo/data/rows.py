"""From a manifest to arrays: which rows, their pixels mapped from the cache, their targets and weights."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from ferdata.errors import BadOption
from ferdata.images.alignment import Aim
from ferdata.labels import Taxonomy
from ferdata.manifest import Manifest
from ferdata.running import progress
from ferdata.schema import SPLITS
from ferdata.splitting.seeded_order import SUBSAMPLE, round_robin, shuffle_keys
from ferdata.training_data import arrays
from ferdata.training_data import rows as training_rows
from zoo.data.targets import COLUMNS as TARGET_COLUMNS
from zoo.data.targets import distributions

COLUMNS = tuple(dict.fromkeys(("sample_id", "group", "pixel_hash", *training_rows.COLUMNS, *TARGET_COLUMNS)))
BY_CLASS = ("majority", "hard")  # what only rows with a class can be asked for under
CHUNK = 64 << 20  # bytes of pixels looked at together


@dataclass(frozen=True)
class Rows:
    """The facts of every row of a manifest, in its order; no pixels yet.

    `split` is "train", "val", "test" or "" per row; `split_source` the column that it comes from. `hard` is the
    class, int64 (n,), -1 for none; `soft` float32 (n, classes), what is taught (`zoo.data.targets`), zeros for nothing.
    """

    manifest: Manifest
    taxonomy: Taxonomy
    table: pa.Table
    split: NDArray[np.str_]
    split_source: str
    hard: NDArray[np.int64]
    soft: NDArray[np.float32]

    def where(self, split: str, targets: str = "hard") -> NDArray[np.intp]:
        """Return the positions of a split's rows that have a target: rows with a class first, each in file order.

        `split` may be "all". "majority" and "hard" keep to rows with a class; other targets also take those whose
        votes have no majority but do have a distribution, as FER+'s reader does (microsoft/FERPlus, src/ferplus.py).
        Val and test are always asked for as "hard".
        """
        usable: NDArray[np.bool_] = self.hard >= 0 if targets in BY_CLASS else self.soft.max(1, initial=0) > 0
        return training_rows.ordered(self.hard, usable if split == "all" else usable & (self.split == split))


def read_rows(
    manifest: Manifest,
    datasets: Sequence[str] | None = None,
    fold: int | None = None,
    targets: str = "crossentropy",
) -> Rows:
    """Read the facts of all rows, of the named datasets only; `targets` as in `zoo.data.targets.distributions`.

    Splits are those of `ferdata.training_data.rows.split_of_rows`: column split, else the official one; with `fold`,
    that fold to test on, the next to choose on, the others to learn from. Raises BadOption for a dataset or a fold that
    is not there.
    """
    table = manifest.table(*COLUMNS)
    split, source = training_rows.split_of_rows(manifest, table, datasets, fold)
    if datasets is not None:
        ours = pa.array(training_rows.of_datasets(manifest, table, datasets))
        kept = pc.if_else(pa.chunked_array([ours]), table["target"], None)
        table = table.set_column(table.schema.get_field_index("target"), "target", kept)
    taxonomy = manifest.taxonomy
    rows = Rows(
        manifest, taxonomy, table, split, source, training_rows.classes_of(table, taxonomy), np.empty((0, 0), "f4")
    )
    soft = distributions(rows, targets)
    if datasets is not None:
        soft[~ours.to_numpy(zero_copy_only=False)] = 0
    return replace(rows, soft=soft)


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
    trust_files: bool = False,
) -> dict[str, Images]:
    """Return the images at the wanted positions, in their order, mapped from the cache's packs.

    Packs that are not there are made. A row costs nothing before it is used, and sets may be larger than memory.
    `trust_files` takes images that have changed since ingest as they are. Raises ImagesMissing, BrokenSource for an
    image that has changed or does not decode, CannotWrite where neither cache nor memory will hold them.
    """
    packed = {name: _side(rows, name, where) for name, where in wanted.items()}
    packs = arrays.packs(rows.manifest, packed, size, channels, roots, trust_files=trust_files, spare=True)
    return {
        name: Images(
            where,
            _tensor(packs[name].pixels[: len(where)]),
            torch.from_numpy(rows.hard[where]),
            torch.from_numpy(rows.soft[where]),
        )
        for name, where in wanted.items()
    }


def _side(rows: Rows, name: str, where: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the whole side that the wanted rows begin, so that all kinds of targets share a pack; else the rows."""
    if name not in SPLITS or not len(where):
        return where
    whole = training_rows.whole_side(rows.table, rows.taxonomy, rows.split, name)
    return whole if np.array_equal(whole[: len(where)], where) else where


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    with warnings.catch_warnings():
        # A stray write must not reach the cache: reading is all that is wanted of it.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(pixels)


def natural_size(rows: Rows, where: NDArray[np.intp]) -> int:
    """Return the median short side of the rows' images, in pixels, up to the next multiple of 16, 32 to 224."""
    return training_rows.natural_size(rows.table, where)


def all_grey(rows: Rows, where: NDArray[np.intp]) -> bool:
    """Say whether every one of the rows is a one-channel image."""
    return training_rows.all_grey(rows.table, where)


def statistics(pixels: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel, in 0..1, of uint8 (n, H, W, C), read a piece at a time."""
    levels = np.arange(256) / 255
    # From the histogram: exact, and no float copy of the whole set.
    counts = torch.zeros(pixels.shape[3], 256, dtype=torch.int64)
    with progress.bar("Mean and deviation", len(pixels), "images") as advance:
        step = max(1, CHUNK // max(1, pixels[:1].numel()))
        for start in range(0, len(pixels), step):
            piece = pixels[start : start + step]
            for channel in range(pixels.shape[3]):
                counts[channel] += torch.bincount(piece[..., channel].reshape(-1), minlength=256)
            advance(len(piece))
    share = counts.double().numpy() / np.maximum(counts.sum(1, keepdim=True).numpy(), 1)
    mean = share @ levels
    variance = (share * (levels - mean[:, None]) ** 2).sum(1)
    return tuple(mean.tolist()), tuple(np.sqrt(variance).tolist())


def class_weights(soft: Tensor, how: str, cap: float | None = None, beta: float = 0.9999) -> Tensor | None:
    """Return a weight per class, float32 (classes,), whose mean over the samples is 1; None for "none".

    With a `cap` none is above it, which takes the mean below 1.

    "balanced": inverse to the count. "effective": inverse to the effective number (1 - beta^n) / (1 - beta) of Cui et
    al. 2019, arXiv 1901.05555, which spares the rarest classes the steepest weights.
    """
    if how == "none":
        return None
    counts = soft.sum(0).double()
    mass = counts if how == "balanced" else (1 - beta**counts) / (1 - beta)
    weights = torch.where(counts > 0, 1 / mass.clamp(min=1e-12), torch.zeros_like(mass))
    scaled = (weights * counts.sum() / (weights * counts).sum()).float()
    return scaled if cap is None else scaled.clamp(max=cap)


def shared(rows: Rows, ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> int:
    """Count the rows at `theirs` that share a group, or the very pixels, with a row at `ours`."""
    return int(sharing(rows, ours, theirs).sum())


def sharing(rows: Rows, ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which of the rows at `theirs` share a group, or the very pixels, with a row at `ours`."""
    tainted = np.zeros(len(theirs), bool)
    for name in ("group", "pixel_hash"):
        column = rows.table[name].combine_chunks()
        known = column.take(pa.array(ours)).drop_null()
        other = column.take(pa.array(theirs))
        tainted |= pc.and_(pc.is_in(other, known), other.is_valid()).to_numpy(zero_copy_only=False)
    return tainted


def of_split(rows: Rows, targets: str, train_images: int | None = None) -> dict[str, NDArray[np.intp]]:
    """Return the positions of each split's rows: train under `targets`, val and test by their class alone.

    With `train_images` only so many of train's: as `merge --cap` draws, every person and clip gives one before any
    gives two, and always the same ones, whatever the seed. Raises BadOption where train has fewer.
    """
    where = {split: rows.where(split, targets if split == "train" else "hard") for split in SPLITS}
    if train_images is not None:
        where["train"] = _drawn(rows, where["train"], train_images)
    return where


def _drawn(rows: Rows, train: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return `most` of the rows at `train`, in their order."""
    if most > len(train):
        raise BadOption(
            f"{rows.manifest.path} has {len(train):,} train images, of which train_images={most} cannot be drawn.",
            f"Give {len(train)} or fewer, or leave it out.",
        )
    known = rows.table["group"].take(pa.array(train))
    alone = pa.array(-1 - np.arange(len(train)))  # a row without a group is one of its own
    group = pc.coalesce(known, alone).to_numpy()
    key = shuffle_keys(rows.table["sample_id"].take(pa.array(train)), 0, SUBSAMPLE)
    return train[np.sort(round_robin(key, group)[:most])]


def recorded(manifest: Manifest, datasets: Sequence[str] | None = None) -> dict[str, Any] | None:
    """Return how the manifest's images (of the named datasets only) were cut, as its lineage says; None for not at all.

    The fields of `Aim`, and `detector`: who would look where nothing is published, as in a picture of yours. Where
    some images are cut and others not, or in several ways, only `mixed` is there, the number of ways.
    """
    table = manifest.table("dataset", "alignment")
    if datasets is not None:
        table = table.filter(pc.is_in(table["dataset"], pa.array(list(datasets), pa.string())))
    column = table["alignment"]
    if column.null_count == len(column):
        return None
    steps = [step["options"] for step in _steps(manifest.metadata["lineage"]) if step["step"] == "align"]
    aims = {tuple((name, step[name]) for name in asdict(Aim())) for step in steps}
    if len(aims) != 1 or column.null_count:
        return {"mixed": len(aims) + (column.null_count > 0)}
    lookers = {step["fallback"] or step["detector"] for step in steps}
    return {**dict(aims.pop()), "detector": "yunet" if "yunet" in lookers else "haar"}


def _steps(lineage: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield every step that led to a manifest."""
    for step in lineage:
        yield step
        for source in step["inputs"]:
            yield from _steps(source["lineage"])
