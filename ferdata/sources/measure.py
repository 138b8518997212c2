"""Samples in, measured rows out: every image read and decoded once, every row that is not there counted.

Batches are measured by an engine, each by one call of `Measure`, and come out in the order of the samples.
"""

import contextlib
import errno
import itertools
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ferdata import images as pictures
from ferdata import labels
from ferdata.errors import BrokenSource, ImagesMissing, UnknownLabel
from ferdata.manifest.safe_paths import Below, inside, must_be_file
from ferdata.running import progress
from ferdata.running.engine import Engine, run
from ferdata.schema import ADAPTER_COLUMNS, BY_NAME, Frame, Sample, arrow_schema, arrow_type
from ferdata.sources.declaration import Layout, Skipped, is_code
from ferdata.sources.published_counts import strangers

BATCH = 1024  # images measured by one call, at most
FRAMES = 64  # the same of videos, whose frames come back as PNGs
EMBEDDED = 8 << 20  # bytes of files that come back from one call, about
BATCHES = 16  # at least so many, where there are enough images, so that all workers have some
NAMED = 5  # rows told by name
BEGUN = 8 * BATCH  # samples known before the first is read
AHEAD = 250_000  # looked at while the first are read, about 100 MB
MOST_FRAMES = 4096  # of one clip in a batch, so that memory stays bounded
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

    `root` is where paths are relative to, `prefix` what the layout's base adds to them; `labels` grows by what is
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


class Intake:
    """One dataset on its way into a manifest; the counts are whole once `batches` has ended."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.rows = 0
        self.rejects: list[Reject] = []
        self.unlabelled: Counter[str] = Counter()
        self.first_unlabelled: list[str] = []
        self.unknown: Counter[str] = Counter()
        self.cells: Counter[tuple[str | None, str | None]] = Counter()
        self.strange: list[str] = []
        self.strange_count = 0
        self.seen: set[str] = set()

    @property
    def named(self) -> dict[str, list[str]]:
        """The first few rows of each reason for which a row was rejected or came without a label at all."""
        first: dict[str, list[str]] = {"unlabelled": self.first_unlabelled} if self.first_unlabelled else {}
        for reject in self.rejects:
            names = first.setdefault(reject.reason, [])
            if len(names) < NAMED:
                names.append(reject.sample_id)
        return first

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were rejected, by reason."""
        return dict(Counter(r.reason for r in self.rejects))

    def batches(
        self, samples: Iterable[Sample | Skipped], engine: Engine, done: Iterable[pa.RecordBatch] = (), skip: int = 0
    ) -> Iterator[pa.RecordBatch]:
        """Yield measured rows; `done` are those of an earlier run, which the first `skip` samples became."""
        kept = self._kept(samples)
        with progress.bar(f"ingest {self.setting.dataset}", None, "images") as advance:
            for batch in done:
                yield self._count((batch, []), advance)
            for _ in itertools.islice(kept, skip):
                pass
            for measured in run(engine, Measure(self.setting), self._chunks(kept, advance)):
                yield self._count(measured, advance)

    def _chunks(self, samples: Iterator[Sample], advance: progress.Advance) -> Iterator[list[Sample]]:
        """Cut the samples into batches, small ones where there are few, so that every worker has some.

        A clip's frames stay together, since reading one means reading all before it.
        """
        begun, more = _ahead(samples, BEGUN)
        most = BATCH if more else max(1, len(begun) // BATCHES)
        if self.setting.embed and (size := self._typical_size(begun)):
            most = max(1, min(most, EMBEDDED // size))
        chunk: list[Sample] = []
        for sample in itertools.chain(begun, self._rest(samples, advance, self.rows + len(begun))):
            full = len(chunk) >= (min(most, FRAMES) if isinstance(sample.image, Frame) else most)
            if full and not (_video(sample) and _video(sample) == _video(chunk[-1]) and len(chunk) < MOST_FRAMES):
                yield chunk
                chunk = []
            chunk.append(sample)
        if chunk:
            yield chunk

    def _typical_size(self, samples: list[Sample]) -> int:
        """Return the mean size, in bytes, of some of the samples' files; 0 where there are none."""
        sizes = []
        for sample in samples[:: max(1, len(samples) // 32)]:
            if isinstance(sample.image, str):
                with contextlib.suppress(OSError):
                    sizes.append((self.setting.root / (self.setting.prefix + sample.image)).stat().st_size)
        return sum(sizes) // len(sizes) if sizes else 0

    def _rest(self, samples: Iterator[Sample], advance: progress.Advance, begun: int) -> Iterator[Sample]:
        """Yield what comes after the first samples; it is looked at while those are worked at.

        So a bar soon knows its end, and a strange label soon stops the ingest. Samples that carry pixels, and more
        than AHEAD others, would not fit into memory: then the published number is the best guess, if there is one.
        """
        ahead, more = _ahead(samples, AHEAD)
        published = sum(each.get("all") or sum(each.values()) for each in self.setting.layout.counts.values())
        if published or not more:
            advance(0, total=max(begun + len(ahead), published if more else 0))
        yield from ahead
        yield from samples

    def _kept(self, samples: Iterable[Sample | Skipped]) -> Iterator[Sample]:
        remaining = iter(samples)
        for sample in remaining:
            if sample.key in self.seen:
                raise BrokenSource(
                    f"{self.setting.dataset} names {sample.key!r} twice.",
                    "Every image needs a name of its own; is a folder there twice, or a table's line repeated?",
                )
            self.seen.add(sample.key)
            if isinstance(sample, Skipped):
                self.rejects.append(Reject(_id(self.setting, sample.key), None, sample.reason, ""))
                continue
            if self._is_unknown(sample):
                if not self.setting.keep_unknown or self._is_strange_code(str(sample.native_label)):
                    raise self._unknown_label(itertools.chain([sample], remaining))
                self.unknown[str(sample.native_label)] += 1
                self.setting.labels.setdefault(str(sample.native_label), "other")
            yield sample

    def _is_unknown(self, sample: Sample) -> bool:
        label = sample.native_label
        if label is None or sample.votes is not None:
            return False
        return label not in self.setting.labels or str(label) in self.unknown

    def _is_strange_code(self, label: str) -> bool:
        return bool(self.setting.codes) and is_code(label)

    def _unknown_label(self, remaining: Iterable[Sample | Skipped]) -> UnknownLabel:
        """Count the unknown labels of what is left, so that the error tells all of them."""
        first: dict[str, str] = {}
        count: Counter[str] = Counter()
        for sample in remaining:
            if isinstance(sample, Sample) and self._is_unknown(sample):
                label = str(sample.native_label)
                count[label] += 1
                first.setdefault(label, sample.key)
        told = "; ".join(f"{label!r}: {n:,} rows, first {first[label]}" for label, n in count.most_common(8))
        more = f" and {len(count) - 8} more" if len(count) > 8 else ""
        name = f"{self.setting.dataset}, as {self.setting.layout.name!r},"
        known = f"Known are {', '.join(self.setting.layout.labels) or 'none'}."
        if any(map(self._is_strange_code, count)):
            return UnknownLabel(
                f"{name} has codes that its publishers do not have: {told}{more}.",
                f"{known} Somebody has numbered the classes anew, so that the other codes cannot be trusted either. "
                f"Read it with `ferdata ingest folder --name {self.setting.dataset} --labels FILE` (of a table: ingest "
                "csv), where FILE says what each of them means.",
            )
        return UnknownLabel(
            f"{name} has labels that are not known: {told}{more}.",
            f"{known} Is this another release? --unknown-labels keep takes such rows in without a label.",
        )

    def _count(self, measured: tuple[pa.RecordBatch, list[Reject]], advance: progress.Advance) -> pa.RecordBatch:
        batch, rejects = measured
        self.rejects += rejects
        self.rows += batch.num_rows
        reasons = batch.column("label_reason")
        self.unlabelled.update(_listed(reasons.drop_null()))
        if len(self.first_unlabelled) < NAMED:
            without = batch.column("sample_id").filter(pc.equal(reasons, "unlabelled")).slice(0, NAMED)
            self.first_unlabelled += without.to_pylist()[: NAMED - len(self.first_unlabelled)]
        splits, natives = (_listed(batch.column(c)) for c in ("official_split", "native_label"))
        self.cells.update(zip(splits, natives, strict=True))
        paths = [i["path"] for i in batch.column("image").to_pylist() if i["path"]] if self.setting.layout.names else []
        odd = list(strangers(self.setting.layout, paths))
        self.strange_count += len(odd)
        self.strange += odd[: NAMED - len(self.strange)]
        advance(batch.num_rows + len(rejects))
        return batch


def _ahead(samples: Iterator[Sample], most: int) -> tuple[list[Sample], bool]:
    """Return the next samples, up to `most` or the first that carries its pixels, and whether there may be more."""
    found: list[Sample] = []
    for sample in samples:
        found.append(sample)
        if len(found) == most or not isinstance(sample.image, str | Frame):
            return found, True
    return found, False


def _listed(column: pa.Array) -> list[Any]:
    """Return a column of strings as Python's, without the scalar per row that `to_pylist` makes."""
    values: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
    return values


def _id(setting: Setting, key: str) -> str:
    return f"{setting.dataset}:{key}"


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
                "Every worker reads the images itself: the root must be at the same path on all of them.",
            )
        files, videos = Below(self.setting.root), _Videos(self.setting.root)
        kept: list[Sample] = []
        stored: list[Stored] = []
        rejects: list[Reject] = []
        facts = pictures.Measured()
        for sample in samples:
            try:
                image, storage = self._read(sample, files, videos)
            except (OSError, pictures.UnreadableImage) as error:
                rejects.append(self._why(sample, error))
                continue
            facts.add(image)
            kept.append(sample)
            stored.append(storage)
        return self._rows(kept, facts.columns(), stored), rejects

    def _read(self, sample: Sample, files: Below, videos: "_Videos") -> tuple[Any, Stored]:
        if isinstance(sample.image, str):
            path = self.setting.prefix + sample.image
            data = files.read(path)
            return pictures.decode(data), (data if self.setting.embed else None, path)
        image = sample.image
        if isinstance(image, Frame):
            image = videos.read(self.setting.prefix + image.path, image)
        return image, (pictures.encode_png(image), None)

    def _why(self, sample: Sample, error: Exception) -> Reject:
        if isinstance(error, FileNotFoundError):
            reason, detail = "missing file", ""
        elif isinstance(error, PermissionError) and error.errno == errno.EPERM:
            reason, detail = "outside the root", str(error.strerror)
        elif isinstance(error, OSError):
            reason, detail = "unreadable file", error.strerror or str(error)
        else:
            reason, detail = "broken image", str(error)
        named = sample.image.path if isinstance(sample.image, Frame) else str(sample.image)
        return Reject(_id(self.setting, sample.key), self.setting.prefix + named, reason, detail)

    def _rows(self, kept: list[Sample], facts: dict[str, list[Any]], stored: list[Stored]) -> pa.RecordBatch:
        if not kept:
            return self._derived(arrow_schema(*INGESTED).empty_table())
        data, paths = zip(*stored, strict=True)
        keys, _, *said = zip(*kept, strict=True)
        kind = arrow_type(BY_NAME["image"])
        columns: dict[str, Any] = {
            "sample_id": [_id(self.setting, key) for key in keys],
            "dataset": pa.repeat(self.setting.dataset, len(kept)),
            "image": pa.StructArray.from_arrays(
                [_column(data, kind[0].type), _column(paths, kind[1].type)], fields=list(kind)
            ),
            **facts,
            **dict(zip(ADAPTER_COLUMNS, said, strict=True)),
            "reviewed_label": pa.nulls(len(kept), pa.string()),
        }
        columns["action_units"] = [
            units and [{"au": au, "intensity": i} for au, i in units] for units in columns["action_units"]
        ]
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


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return `values` as an array; most columns of most datasets hold nothing, which is seen faster than converted."""
    return pa.nulls(len(values), kind) if values.count(None) == len(values) else pa.array(values, kind)


def _video(sample: Sample) -> str:
    return sample.image.path if isinstance(sample.image, Frame) else ""


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
