"""The pack: rows of a manifest, decoded once, as one memory-mapped uint8 array in the cache.

A pack is one side of a split (or of a fold): every image is on one side, so that a training, which opens three packs,
decodes each image once, and `evaluate` opens the test pack and no more. The rows that teach nothing are left out. Its
name in the cache is `array_key`'s.
"""

import contextlib
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata import images
from ferdata.errors import BrokenSource, FerdataWarning
from ferdata.manifest import Manifest, opened_here, read_image, stored_hash
from ferdata.running import cache, progress
from ferdata.running.engine import Engine, local, run
from ferdata.running.machine import free_memory
from ferdata.training_data import array_file, array_key

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported

KIND, PIXELS = "pack", "pixels.npy"
FORMAT = 1
ARRAY_COLUMNS = ("sample_id", "dataset", "image", "pixel_hash", "alignment")
CROP = "centre"  # the largest square in the middle
INTERPOLATION = "area-linear"  # area when it shrinks, bilinear when it grows
Where = NDArray[np.intp]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pack:
    """An open pack: `pixels` uint8 (n, size, size, channels), read-only, in the order in which rows were asked for.

    `path` is its file, None where it is held in memory; `made` says that it was not there before. `changed` images
    are not as ingested, which only `trust_files` lets through.
    """

    key: str
    path: Path | None
    pixels: Pixels
    made: bool
    changed: int


def prepare(image: NDArray[Any], size: int, channels: int) -> Pixels:
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


def packs(
    manifest: Manifest,
    wanted: Mapping[str, Where],
    size: int,
    channels: int,
    roots: Mapping[str, Path] | None = None,
    *,
    trust_files: bool = False,
    spare: bool = False,
    engine: Engine | None = None,
) -> dict[str, Pack]:
    """Open the packs of the rows at `wanted`, and make those that are not there: all in one pass over the manifest.

    Every image must have the pixels that were ingested; with `trust_files` it is taken as it is now, and the pack is
    made anew when a file changes. Where the cache cannot take a pack and memory can, `spare` holds it there, with a
    warning: the pixels are the same. Raises NoRoom otherwise, ImagesMissing, and BrokenSource for an image that has
    changed or does not decode.
    """
    where_from = manifest.roots(roots)
    hashes = array_key.pixel_hashes(manifest)
    made_as = {
        **{"format": FORMAT, "size": size, "channels": channels, "crop": CROP, "interpolation": INTERPOLATION},
        "opencv": cv2.__version__,  # another release may round otherwise
    }
    jobs: dict[str, _Job] = {}
    names = {}
    for name, where in wanted.items():
        key = array_key.key(manifest, where, made_as, hashes, where_from if trust_files else None)
        names[name] = key
        jobs.setdefault(key, _Job(key, name, where, (len(where), size, size, channels)))
    done = {key: pack for key, job in jobs.items() if (pack := job.find())}
    missing = [jobs[key] for key in sorted(jobs.keys() - done.keys())]  # in one order everywhere: no deadlock
    if missing:
        maker = _Maker(manifest, manifest.roots_there(roots), trust_files, engine or local(large=True))
        try:
            done |= _make(maker, missing)
        except cache.NoRoom as error:
            if not spare or not _fits(sum(job.length for job in missing)):
                raise
            words = f"{error.message} The images are kept in memory for this run. {error.hint}"
            warnings.warn(FerdataWarning(words), stacklevel=2)
            done |= _in_memory(maker, missing)
    return {name: done[key] for name, key in names.items()}


@dataclass
class _Job:
    """One pack to open or to make: `where` in the manifest its rows are, and what its array is like."""

    key: str
    name: str
    where: Where
    shape: tuple[int, int, int, int]
    changed: int = 0

    @property
    def length(self) -> int:
        """The bytes of its file."""
        return array_file.length(self.shape)

    def find(self) -> Pack | None:
        """Open what is in the cache; None where it is not there, cut short, or not what its name says."""
        if not len(self.where):
            return Pack(self.key, None, np.empty(self.shape, np.uint8), False, 0)
        held = cache.find(KIND, self.key)
        return None if held is None else self.open(held, made=False)

    def open(self, held: cache.Held, made: bool) -> Pack | None:
        """Map a held entry's pixels; the entry stays held as long as any part of them is used."""
        about, path = held.about, held.path / PIXELS
        with contextlib.suppress(OSError, ValueError):
            same = about.get("key") == self.key and about.get("shape") == list(self.shape)
            if same and (opened := array_file.mapped(path, self.shape)):
                mapping, pixels = opened
                weakref.finalize(mapping, held.release)
                return Pack(self.key, path, pixels, made, int(about.get("changed", 0)))
        held.release()
        return None


def _make(maker: "_Maker", jobs: Sequence[_Job]) -> dict[str, Pack]:
    """Make the packs that no other process has made meanwhile, and open all of them."""
    done: dict[str, Pack] = {}
    with contextlib.ExitStack() as stack:
        for job in jobs:
            stack.enter_context(cache.turn(KIND, job.key))
        left = []
        for job in jobs:
            pack = job.find()
            if pack is None:
                left.append(job)
            else:
                done[job.key] = pack
        if not left:
            return done
        cache.make_room(sum(job.length for job in left))
        parts = [stack.enter_context(cache.fresh(KIND, job.key)) for job in left]
        with contextlib.ExitStack() as files:
            sinks: list[Sink] = []
            for job, part in zip(left, parts, strict=True):
                writer = array_file.Writer(part / PIXELS, job.shape)
                files.callback(writer.close)
                sinks.append(writer)
            maker.fill(left, sinks)
        for job, part in zip(left, parts, strict=True):
            held = cache.publish(part, KIND, job.key, _about(maker.manifest, job))
            pack = job.open(held, made=True) if held else None
            if pack is None:
                raise cache.NoRoom(
                    f"The pack {job.key} was removed from {cache.folder()} before it could be read.", cache.REMEDY
                )
            done[job.key] = pack
    return done


def _about(manifest: Manifest, job: _Job) -> dict[str, Any]:
    about = {"manifest": manifest.path.name, "fingerprint": manifest.fingerprint, "what": job.name}
    return {**about, "shape": list(job.shape), "size": job.shape[1], "changed": job.changed}


def _in_memory(maker: "_Maker", jobs: Sequence[_Job]) -> dict[str, Pack]:
    arrays = {job.key: np.empty(job.shape, np.uint8) for job in jobs}
    maker.fill(jobs, [_Memory(arrays[job.key]) for job in jobs])
    return {job.key: Pack(job.key, None, arrays[job.key], True, job.changed) for job in jobs}


def _fits(needed: int) -> bool:
    """Return whether half of the memory that is free would do."""
    free = free_memory()
    return needed < (1 << 30 if free is None else free / 2)


class _Memory:
    """What `array_file.Writer` is, for an array in memory."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    def write(self, places: Where, pixels: Pixels) -> None:
        """Put `pixels` (m, size, size, channels) at the rows `places`, int (m,)."""
        self.pixels[places] = pixels


Sink = array_file.Writer | _Memory


@dataclass(frozen=True)
class Decode:
    """Rows to pixels: a pure function of these options and what is on disk, for any thread, process or machine."""

    manifest: Path
    fingerprint: str
    roots: Mapping[str, Path | None]
    shape: tuple[int, int, int]
    trust_files: bool

    def __call__(self, piece: tuple[int, Where]) -> tuple[Where, Pixels, NDArray[np.bool_]]:
        """Return the manifest's rows `piece` (the first, and which of those that follow it), int (m,).

        Beside the rows: uint8 (m, size, size, channels), and bool (m,), which are not as ingested. Raises
        ImagesMissing, BrokenSource.
        """
        first, which = piece
        batch = opened_here(self.manifest, self.fingerprint).file.slice(first, int(which[-1]) + 1, ARRAY_COLUMNS)
        rows = (batch if len(which) == batch.num_rows else batch.take(pa.array(which))).to_pylist()
        pixels = np.empty((len(rows), *self.shape), np.uint8)
        changed = np.zeros(len(rows), bool)
        for i, row in enumerate(rows):
            image = self._decoded(row)
            changed[i] = images.pixel_hash(image) != stored_hash(row)
            if changed[i] and not self.trust_files:
                raise BrokenSource(
                    f"The image of {row['sample_id']} is not the picture that was ingested: its pixels have changed.",
                    f"Ingest {row['dataset']} and merge again, so that duplicates and splits fit the files. "
                    "--trust-files uses the changed files with the old labels and splits. `ferdata validate --images` "
                    "lists every such row.",
                )
            pixels[i] = prepare(image, self.shape[0], self.shape[2])
        return which + first, pixels, changed

    def _decoded(self, row: Mapping[str, Any]) -> NDArray[Any]:
        data = read_image(row, self.roots)
        try:
            return images.decode(data)
        except images.UnreadableImage as error:
            raise BrokenSource(
                f"The image of {row['sample_id']} does not decode: {error}.",
                f"Ingest {row['dataset']} again: its files have changed since.",
            ) from None


class _Maker:
    """Decodes rows of a manifest on an engine, and puts them where they are wanted."""

    def __init__(self, manifest: Manifest, roots: Mapping[str, Path | None], trust_files: bool, engine: Engine) -> None:
        self.manifest, self.engine = manifest, engine
        self.roots = {name: root and root.absolute() for name, root in roots.items()}
        self.trust_files = trust_files

    def fill(self, jobs: Sequence[_Job], sinks: Sequence[Sink]) -> None:
        """Decode every row that a job wants, once, and put it where each wants it."""
        places = []
        for job in jobs:
            place = np.full(self.manifest.rows, -1, np.int64)
            place[job.where] = np.arange(len(job.where))
            places.append(place)
            job.changed = 0
        wanted = np.logical_or.reduce([place >= 0 for place in places])
        shape = jobs[0].shape[1:]
        path, fingerprint = self.manifest.path.absolute(), self.manifest.fingerprint
        decode = Decode(path, fingerprint, self.roots, shape, self.trust_files)
        pieces = _wanted_rows(self.manifest, wanted, _batch(shape))
        with progress.bar("Packing", int(wanted.sum()), "images") as advance:
            for at, pixels, changed in run(self.engine, decode, pieces):
                for job, place, sink in zip(jobs, places, sinks, strict=True):
                    mine = np.flatnonzero(place[at] >= 0)
                    if len(mine):
                        sink.write(place[at[mine]], pixels if len(mine) == len(pixels) else pixels[mine])
                        job.changed += int(changed[mine].sum())
                advance(len(at))
        for sink in sinks:
            if isinstance(sink, array_file.Writer):
                sink.finish()


def _batch(shape: tuple[int, int, int]) -> int:
    """Return how many rows a thread decodes at a time: about 4 MB of pixels."""
    return int(np.clip((4 << 20) // np.prod(shape), 16, 256))


def _wanted_rows(manifest: Manifest, wanted: NDArray[np.bool_], rows: int) -> Iterator[tuple[int, Where]]:
    """Yield the wanted rows, in file order, as pieces of one row group each; groups without any are not read."""
    for first, n in manifest.file.pieces(rows):
        which = np.flatnonzero(wanted[first : first + n])
        if len(which):
            yield first, which
