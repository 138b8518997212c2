"""Pack: the images of a manifest made into arrays in the cache, ahead of the training that reads them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferdata.errors import BadOption, choose_one
from ferdata.manifest import Manifest
from ferdata.running.engine import ENGINES, choose
from ferdata.schema import SPLITS
from ferdata.training_data import arrays as packs
from ferdata.training_data import rows
from ferdata.training_data.split_advice import how_to_split

SIZES = (8, 2048)


@dataclass(frozen=True)
class Packed:
    """One side: its file, `shape` (n, H, W, C) of uint8, and whether it was `made` now or there already.

    `changed` images are not as ingested.
    """

    split: str
    path: Path | None
    shape: tuple[int, ...]
    size: int
    made: bool
    changed: int


@dataclass(frozen=True)
class Packing:
    """What a pack did: `size` in bytes, of all sides; `images` were decoded now, in `seconds`."""

    sides: tuple[Packed, ...]
    split_source: str
    size: int
    images: int
    seconds: float


def pack(
    manifest: Path | str,
    *,
    size: int | None = None,
    channels: int | None = None,
    split: Sequence[str] = SPLITS,
    datasets: Sequence[str] | None = None,
    fold: int | None = None,
    trust_files: bool = False,
    workers: int | None = None,
    engine: str = ENGINES[0],
    address: str | None = None,
    roots: Mapping[str, Path] | None = None,
) -> Packing:
    """Make the packs that a training on `manifest` reads; `train` makes missing ones itself.

    `size` is the side in pixels, `channels` 1 or 3: by default the images' own, as in train. `split` are the splits,
    `datasets` and `fold` as in train. `trust_files` uses images even if they changed since ingest.
    `engine` is `local` (`workers` threads, which hand no pictures over) or `ray` (as many processes of a cluster, at
    `address` or started here, all of which see the manifest and its images at their paths). Raises NotAManifest,
    BadOption, MissingExtra, ImagesMissing, BrokenSource, CannotWrite, WorkersLost.
    """
    if size is not None and not SIZES[0] <= size <= SIZES[1]:
        raise BadOption(f"--size cannot be {size}.", f"Use {SIZES[0]} to {SIZES[1]} pixels.")
    if channels not in (None, 1, 3):
        raise BadOption(f"--channels cannot be {channels}.", "Use 1 for grey, 3 for colour.")
    if strangers := [name for name in split if name not in SPLITS]:
        raise BadOption(f"There is no split {strangers[0]!r}.", choose_one(strangers[0], SPLITS))
    runner = choose(engine, workers, address, large=True)
    opened = Manifest(Path(manifest))
    table, taxonomy = opened.table(*rows.COLUMNS), opened.taxonomy
    side, source = rows.split_of_rows(opened, table, datasets, fold)
    wanted = {name: rows.whole_side(table, taxonomy, side, name) for name in dict.fromkeys(split)}
    if not any(len(where) for where in wanted.values()):
        raise BadOption(
            f"{opened.path} has no labelled row in {', '.join(wanted)} (column {source}).",
            how_to_split(opened, table),
        )
    judged = (side != "") & ((side == "train") | (rows.classes_of(table, taxonomy) >= 0))
    everything = np.flatnonzero(judged & rows.with_target(table, taxonomy))  # what train uses, whatever `split` says
    size = size or rows.natural_size(table, everything)
    channels = channels or (1 if rows.all_grey(table, everything) else 3)
    started = time.perf_counter()
    done = packs.packs(opened, wanted, size, channels, roots, trust_files=trust_files, engine=runner)
    seconds = time.perf_counter() - started
    sides = tuple(
        Packed(name, pack.path, pack.pixels.shape, pack.pixels.nbytes, pack.made, pack.changed)
        for name, pack in done.items()
    )
    decoded = sum(each.shape[0] for each in sides if each.made)
    return Packing(sides, source, sum(each.size for each in sides), decoded, seconds)
