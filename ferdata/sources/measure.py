"""Samples to measured rows: every image is read and decoded once, what cannot be read is a reject with its reason."""

import errno
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ferdata import images as pictures
from ferdata import labels
from ferdata.errors import ImagesMissing
from ferdata.manifest.safe_paths import Below, inside, must_be_file, same_text
from ferdata.schema import ADAPTER_COLUMNS, BY_NAME, Frame, Sample, Shares, arrow_schema, arrow_type
from ferdata.sources.declaration import Layout

# The reasons for which a picture itself is rejected.
MISSING, UNREADABLE, OUTSIDE = "missing file", "unreadable file", "outside the root"
UNSUPPORTED, BROKEN = "unsupported format", "broken image"
MEASURED = (MISSING, UNREADABLE, OUTSIDE, UNSUPPORTED, BROKEN)
Stored = tuple[bytes | None, str | None]  # the image's own bytes, its path


@dataclass(frozen=True)
class Reject:
    """A row that is not in the manifest, and why; the columns of `<name>.rejects.parquet`."""

    sample_id: str
    path: str | None
    reason: str
    detail: str


@dataclass(frozen=True)
class Setting:
    """What does not change while a dataset is taken in.

    `root` is where paths are relative to, `prefix` what the layout's base adds to them. `unpacked` holds what archives
    beside the root's own files had in them, at the same paths; it is gone after the ingest. `labels` grows by what is
    unknown where `keep_unknown`. `codes` are the numbers among the labels that the dataset's publishers gave: a number
    that is none of them is never kept, since then the others may be counted from elsewhere too.
    """

    dataset: str
    layout: Layout
    root: Path
    prefix: str
    embed: bool
    policy: str
    labels: dict[str, str]
    keep_unknown: bool = False
    codes: frozenset[str] = frozenset()
    unpacked: Path | None = None

    @property
    def roots(self) -> tuple[Path, ...]:
        """Where pictures are looked for, in order: a file of the user's is read where it lies."""
        return (self.root,) if self.unpacked is None else (self.root, self.unpacked)

    def sample_id(self, key: str) -> str:
        """Return the id, in the manifest, of the sample that its adapter calls `key`."""
        return f"{self.dataset}:{key}"


@dataclass(frozen=True)
class Measure:
    """Samples to finished rows: a pure function of `setting` and what is on disk, for any thread, process or machine.

    `setting.labels` may grow between calls, never by a label of samples that were handed out before.
    """

    setting: Setting

    def __call__(self, samples: list[Sample]) -> tuple[pa.RecordBatch, list[Reject]]:
        """Read, decode and measure the images of `samples`; return the finished rows, and what could not be read.

        Raises ImagesMissing where the root itself is not to be seen.
        """
        if not self.setting.root.is_dir():
            raise ImagesMissing(
                f"The machine {platform.node()} does not see {self.setting.root}.",
                "Every worker reads the images: the root must be at the same path on all machines.",
            )
        places = [_Place(root, root is not self.setting.root) for root in self.setting.roots]
        kept: list[Sample] = []
        stored: list[Stored] = []
        rejects: list[Reject] = []
        facts = pictures.Measured()
        for sample in samples:
            try:
                image, storage = self._read(sample, places)
            except (OSError, pictures.UnreadableImage) as error:
                rejects.append(self._why(sample, error))
                continue
            facts.add(image)
            kept.append(sample)
            stored.append(storage)
        return self._rows(kept, facts.columns(), stored), rejects

    def _read(self, sample: Sample, places: "Sequence[_Place]") -> tuple[Any, Stored]:
        """Return the image, and what the manifest keeps of it. Raises OSError, UnreadableImage."""
        image = sample.image
        if isinstance(image, str):
            place, path, data = _found(places, self.setting.prefix + image, lambda p, path: p.files.read(path))
            return pictures.decode(data), (data if self.setting.embed or place.passing else None, path)
        if isinstance(image, bytes):
            return pictures.decode(image), (image, None)
        if isinstance(image, Frame):
            frame = image
            _, _, image = _found(places, self.setting.prefix + image.path, lambda p, path: p.videos.read(path, frame))
        return image, (pictures.encode_png(image), None)

    def _why(self, sample: Sample, error: Exception) -> Reject:
        if isinstance(error, FileNotFoundError):
            reason, detail = MISSING, error.strerror or ""
        elif isinstance(error, PermissionError) and error.errno == errno.EPERM:
            reason, detail = OUTSIDE, str(error.strerror)
        elif isinstance(error, OSError):
            reason, detail = UNREADABLE, error.strerror or str(error)
        elif isinstance(error, pictures.UnsupportedImage):
            reason, detail = UNSUPPORTED, str(error)
        else:
            reason, detail = BROKEN, str(error)
        image = sample.image
        named = image.path if isinstance(image, Frame) else image if isinstance(image, str) else sample.key
        return Reject(self.setting.sample_id(sample.key), self.setting.prefix + named, reason, detail)

    def _rows(self, kept: list[Sample], facts: dict[str, list[Any]], stored: list[Stored]) -> pa.RecordBatch:
        if not kept:
            return self._derived(arrow_schema(*INGESTED).empty_table())
        data, paths = zip(*stored, strict=True)
        keys, _, *annotations = zip(*kept, strict=True)
        kind = arrow_type(BY_NAME["image"])
        columns: dict[str, Any] = {
            "sample_id": [self.setting.sample_id(key) for key in keys],
            "dataset": pa.repeat(self.setting.dataset, len(kept)),
            "image": pa.StructArray.from_arrays(
                [_column(data, kind[0].type), _column(paths, kind[1].type)], fields=list(kind)
            ),
            **facts,
            **dict(zip(ADAPTER_COLUMNS, annotations, strict=True)),
            "reviewed_label": pa.nulls(len(kept), pa.string()),
        }
        columns["action_units"] = [
            units and [{"au": au, "intensity": i} for au, i in units] for units in columns["action_units"]
        ]
        sizes = zip(columns["face_box"], columns["width"], columns["height"], strict=True)
        columns["face_box"] = [_in_pixels(*each) for each in sizes]
        schema = arrow_schema(*INGESTED)
        arrays = [
            given if isinstance(given, pa.Array) else _column(given, field.type)
            for field, given in ((field, columns[field.name]) for field in schema)
        ]
        return self._derived(pa.table(arrays, schema=schema))

    def _derived(self, table: pa.Table) -> pa.RecordBatch:
        maps = {self.setting.dataset: self.setting.labels}
        derived = labels.derive(table, maps, self.setting.policy, labels.TAXONOMIES["basic8"])
        for derived_name, values in derived.items():
            table = table.append_column(derived_name, values)
        whole = table.combine_chunks()
        return whole.to_batches()[0] if len(whole) else pa.RecordBatch.from_pylist([], whole.schema)


INGESTED = ("sample_id", "dataset", "image", *pictures.Facts.__slots__, *ADAPTER_COLUMNS, "reviewed_label")


def _in_pixels(box: tuple[float, ...] | None, width: int, height: int) -> tuple[float, ...] | None:
    """Return a box in pixels, of one that may be in shares of its picture."""
    if not isinstance(box, Shares):
        return box
    return tuple(share * side for share, side in zip(box, (width, height) * 2, strict=True))


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return `values` as an array; most columns of most datasets hold nothing, which is seen faster than converted."""
    return pa.nulls(len(values), kind) if values.count(None) == len(values) else pa.array(values, kind)


class _Place:
    """A folder that pictures are read from; `passing` if it is gone after the ingest."""

    def __init__(self, root: Path, passing: bool) -> None:
        self.files, self.videos, self.passing = Below(root), _Videos(root), passing


def _found(places: Sequence[_Place], path: str, read: Callable[[_Place, str], Any]) -> tuple[_Place, str, Any]:
    """Return which place a file is in, its path there, and what `read` makes of it."""
    try:
        return places[0], path, read(places[0], path)
    except FileNotFoundError:
        place, there = _elsewhere(places, path)
    return place, there, read(place, there)


def _elsewhere(places: Sequence[_Place], path: str) -> tuple[_Place, str]:
    """Return where a file is that the first place does not have; its path there may spell an accent in the other way.

    Other capitals are never taken for the same, since a table may name both, and one be missing: they are named.
    """
    for place in places[1:]:
        if place.files.has(path):
            return place, path
    alike: dict[str, _Place] = {}
    for place in places:
        for other in place.files.alike(path):
            alike.setdefault(other, place)
    same = [other for other in alike if same_text(other, path)]
    if len(same) == 1:
        return alike[same[0]], same[0]
    there = f"{next(iter(alike))} exists, with another spelling" if alike else ""
    raise FileNotFoundError(errno.ENOENT, there, path)


class _Videos:
    """The video that a batch is reading from, kept open, since a clip's frames come one after another."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = ""
        self.video: pictures.Video | None = None

    def read(self, path: str, frame: Frame) -> Any:
        """Return the part of the frame that is asked for, turned. Raises OSError, UnreadableImage."""
        if path != self.path or self.video is None:
            found = inside(self.root, path)
            must_be_file(found)
            self.path, self.video = path, None
            self.video = pictures.Video(found)
        return pictures.part(self.video.read(frame.index), frame.part, frame.turn)
