"""Samples in, measured rows out: cut into batches, measured by an engine, and every row that is not there counted.

Each batch is one call of `Measure`; they come out in the order of the samples.
"""

import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ferdata.errors import BrokenSource, UnknownLabel
from ferdata.manifest.resume import Partial
from ferdata.running import progress
from ferdata.running.engine import Engine, run
from ferdata.schema import Frame, Sample
from ferdata.sources.declaration import Skipped
from ferdata.sources.left_out import as_text, readable, why_no_row
from ferdata.sources.measure import Measure, Reject, Setting
from ferdata.sources.published_counts import strangers
from ferdata.sources.recognise import other_files
from ferdata.sources.tables import is_code

BATCH = 1024  # images measured by one call, at most
FRAMES = 64  # the same of videos, whose frames come back as PNGs
EMBEDDED = 8 << 20  # bytes of files that come back from one call, about
BATCHES = 16  # at least so many, where there are enough images, so that all workers have some
CLOSED = "a folder that may not be read"
NAMED = 5  # rows reported by name
BEGUN = 8 * BATCH  # samples known before the first is read
AHEAD = 250_000  # looked at while the first are read, about 100 MB
MOST_FRAMES = 4096  # of one clip in a batch, so that memory stays bounded


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
        self.files: set[str] = set()  # that a row was made of, or that were left out by name; relative to the base
        self.others: list[str] = []  # the files there that are none of these

    @property
    def named(self) -> dict[str, list[str]]:
        """The first few rows of each reason for which a row was rejected, and why; or came without a label at all."""
        first: dict[str, list[str]] = {"unlabelled": self.first_unlabelled} if self.first_unlabelled else {}
        for reject in self.rejects:
            names = first.setdefault(reject.reason, [])
            if len(names) < NAMED:
                names.append(f"{reject.sample_id} ({reject.detail})" if reject.detail else reject.sample_id)
        return first

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were rejected, by reason."""
        return dict(Counter(r.reason for r in self.rejects))

    def batches(
        self, samples: Iterable[Sample | Skipped], engine: Engine, partial: Partial
    ) -> Iterator[pa.RecordBatch]:
        """Yield measured rows: first those of `partial`, as far as they are what the samples become now."""
        kept = self._kept(samples)
        with progress.bar(f"ingest {self.setting.dataset}", None, "images") as advance:
            for batch, rejects in partial.matching(kept, lambda sample: self.setting.sample_id(sample.key)):
                yield self._count((batch, [Reject(**reject) for reject in rejects]), advance)
            for measured in run(engine, Measure(self.setting), self._chunks(partial.after, advance)):
                yield self._count(measured, advance)

    def _chunks(self, samples: Iterator[Sample], advance: progress.Advance) -> Iterator[list[Sample]]:
        """Cut the samples into batches, small ones where there are few, so that every worker has some.

        A clip's frames stay together, since reading one means reading all before it.
        """
        begun, more = _ahead(samples, BEGUN)
        most = BATCH if more else max(1, len(begun) // BATCHES)
        if (self.setting.embed or self.setting.unpacked) and (size := self._typical_size(begun)):
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
                    sizes.append((self.setting.roots[-1] / (self.setting.prefix + sample.image)).stat().st_size)
        return sum(sizes) // len(sizes) if sizes else 0

    def _rest(self, samples: Iterator[Sample], advance: progress.Advance, begun: int) -> Iterator[Sample]:
        """Yield what comes after the first samples; it is read ahead while those are being measured.

        This gives the progress bar its total early, and an unknown label stops the ingest early. Samples that carry
        pixels, and more than AHEAD others, would not fit into memory: then the total is the published number, if any.
        """
        ahead, more = _ahead(samples, AHEAD)
        published = sum(each.get("all") or sum(each.values()) for each in self.setting.layout.counts.values())
        if published or not more:
            advance(0, total=max(begun + len(ahead), published if more else 0))
        yield from ahead
        yield from samples

    def _kept(self, samples: Iterable[Sample | Skipped]) -> Iterator[Sample]:
        remaining = readable(samples)
        for sample in remaining:
            if isinstance(sample, Skipped):
                self._leave_out(sample.key, sample.reason, sample.detail)
                continue
            if (why := why_no_row(sample)) is not None:
                self._leave_out(sample.key, why, "")
                continue
            if sample.key in self.seen:
                raise BrokenSource(
                    f"{self.setting.dataset} has the image name {sample.key!r} twice.",
                    "Every image needs a unique name. Is a folder there twice, or is a line of a table repeated?",
                )
            self.seen.add(sample.key)
            self.files.add(_file(sample))
            if self._is_unknown(sample):
                if not self.setting.keep_unknown or self._is_strange_code(str(sample.native_label)):
                    raise self._unknown_label(itertools.chain([sample], remaining))
                self.unknown[str(sample.native_label)] += 1
                self.setting.labels.setdefault(str(sample.native_label), "other")
            yield sample

    def look_around(self, base: Path) -> None:
        """Find the files in `base` that no row was made of, and folders that may not be read, which are rejects."""
        closed: list[OSError] = []
        self.others = other_files(base, self.files | set(self.setting.layout.holds), closed)
        for error in closed:
            folder = as_text(Path(os.fsdecode(error.filename)).relative_to(base).as_posix())
            self.rejects.append(Reject(self.setting.sample_id(folder), folder, CLOSED, error.strerror or ""))

    def _leave_out(self, key: str, reason: str, detail: str) -> None:
        """Count a row that is left out, under a name that text can hold and that no other has."""
        self.files.add(key)
        name, n = as_text(key), 1
        while name in self.seen:
            n += 1
            name = f"{as_text(key)} ({n})"
        self.seen.add(name)
        self.rejects.append(Reject(self.setting.sample_id(name), None, reason, as_text(detail)))

    def _is_unknown(self, sample: Sample) -> bool:
        label = sample.native_label
        if label is None or sample.votes is not None:
            return False
        return label not in self.setting.labels or str(label) in self.unknown

    def _is_strange_code(self, label: str) -> bool:
        return bool(self.setting.codes) and is_code(label)

    def _unknown_label(self, remaining: Iterable[Sample | Skipped]) -> UnknownLabel:
        """Count the unknown labels of what is left, so that the error lists all of them."""
        first: dict[str, str] = {}
        count: Counter[str] = Counter()
        for sample in remaining:
            if isinstance(sample, Sample) and self._is_unknown(sample):
                label = str(sample.native_label)
                count[label] += 1
                first.setdefault(label, sample.key)
        listed = "; ".join(f"{label!r}: {n:,} rows, first {first[label]}" for label, n in count.most_common(8))
        more = f" and {len(count) - 8} more" if len(count) > 8 else ""
        name = f"{self.setting.dataset} (layout {self.setting.layout.name!r})"
        known = f"Known labels: {', '.join(self.setting.layout.labels) or 'none'}."
        if any(map(self._is_strange_code, count)):
            return UnknownLabel(
                f"{name} has codes that are not the publisher's: {listed}{more}.",
                f"{known} Somebody has renumbered the classes, so the other codes cannot be trusted either. Read it "
                f"with `ferdata ingest folder --name {self.setting.dataset} --labels FILE` (of a table: ingest "
                "csv), where FILE says what each code means.",
            )
        return UnknownLabel(
            f"{name} has unknown labels: {listed}{more}.",
            f"{known} Is this another release? --unknown-labels keep reads these rows without a label: train and "
            f"test do not use them.",
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


class AnyLabel(dict[str, str]):
    """A map that adapters find every label in: those that it lacks are counted on their way in."""

    def __contains__(self, label: object) -> bool:
        return True


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


def _file(row: Sample) -> str:
    """Return the file that a row is made of; none of a table's own pixels."""
    image = row.image
    return image if isinstance(image, str) else image.path if isinstance(image, Frame) else ""


def _video(sample: Sample) -> str:
    return sample.image.path if isinstance(sample.image, Frame) else ""
