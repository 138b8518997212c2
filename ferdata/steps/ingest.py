"""Ingest: one dataset's folder in, one manifest out. The only step that runs adapters and reads every image.

Each image is read and decoded once; batches are measured on several threads (reading, decoding and hashing release
the interpreter's lock) and written in the adapter's order. What cannot be read goes to `<name>.rejects.parquet`.
"""

import itertools
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ferdata import images as pictures
from ferdata import labels, manifest, progress, source
from ferdata.adapters import Adapter, load, looks_like
from ferdata.errors import BadOption, BrokenSource, DatasetMissing, NotThisDataset
from ferdata.schema import ADAPTER_COLUMNS, Frame, Sample, arrow_schema
from ferdata.source import Layout, Skipped

BATCH = 512
IMAGES = ("reference", "embed")


@dataclass(frozen=True)
class Ingested:
    """What an ingest did: `rows` written to `out`, and every row that is not there, by reason."""

    out: Path
    dataset: str
    release: str
    note: str
    rows: int
    labelled: int
    unlabelled: Mapping[str, int]
    rejected: Mapping[str, int]
    rejects: Path | None
    counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    fingerprint: str


@dataclass(frozen=True)
class _Reject:
    sample_id: str
    path: str | None
    reason: str
    detail: str


def ingest(
    name: str,
    /,  # so that an adapter, too, may have an option `name`
    *,
    root: Path | str | None = None,
    out: Path | str | None = None,
    images: str = "reference",
    votes: str = "majority",
    workers: int | None = None,
    force: bool = False,
    **options: str | None,
) -> Ingested:
    """Read the dataset `name` and write its manifest.

    `root` is its folder (else FERDATA_ROOT_<NAME>, else $FERDATA_DATA/<name>, else data/<name>); `out` defaults to
    manifests/<name>.parquet. `images` is `reference` (paths relative to the root) or `embed` (the files' own bytes);
    sources that are no image files are always embedded, losslessly. `votes` is the policy that turns annotator
    votes into labels. `options` are the adapter's own. Raises DatasetMissing, NotThisDataset, BrokenSource,
    UnknownLabel, AlreadyExists, CannotWrite, BadOption.
    """
    adapter = load(name)
    chosen = _options(adapter, options)
    for value, allowed, option in ((images, IMAGES, "images"), (votes, labels.POLICIES, "votes")):
        if value not in allowed:
            raise BadOption(f"--{option} cannot be {value!r}.", f"Choose one of {', '.join(allowed)}.")
    dataset = chosen.get("name") or adapter.SOURCE.name
    target = Path(out) if out else Path("manifests") / f"{dataset}.parquet"
    folder = find_root(adapter.SOURCE, root)
    layout, base = _recognise(adapter, folder, chosen)
    manifest.check_output(target, force)
    run = _Run(dataset, layout, folder, base, images == "embed", votes)
    threads = workers or os.cpu_count() or 1
    metadata: dict[str, Any] = {
        "sources": {dataset: source.metadata(adapter.SOURCE, layout) | {"root": _relative_root(folder, target)}},
        "vote_policy": votes,
        "taxonomy": labels.TAXONOMIES["basic8"].as_dict(),
        "lineage": [],
    }
    rejects_path = target.with_name(target.name.removesuffix(".parquet") + ".rejects.parquet")

    def batches() -> Iterator[pa.RecordBatch]:
        yield from run.batches(adapter.samples(base, layout, chosen), threads)
        if not run.rows:
            raise _nothing(adapter, folder, run)
        _write_rejects(rejects_path, run.rejects)
        record = manifest.step_record(
            "ingest",
            {"name": name, "images": images, "votes": votes, **chosen},
            rows_in=run.rows + len(run.rejects),
            rows_out=run.rows,
            dropped=dict(run.reasons),
        )
        metadata["lineage"].append(record)

    written = manifest.write(target, batches(), metadata, force)
    return Ingested(
        out=target,
        dataset=dataset,
        release=layout.name,
        note=layout.note,
        rows=run.rows,
        labelled=run.rows - sum(run.unlabelled.values()),
        unlabelled=dict(run.unlabelled),
        rejected=dict(run.reasons),
        rejects=rejects_path if run.rejects else None,
        counts=written["counts"],
        fingerprint=written["fingerprint"],
    )


def find_root(declared: source.Source, root: Path | str | None) -> Path:
    """Return the dataset's folder: `root`, else FERDATA_ROOT_<NAME>, else $FERDATA_DATA/<name>, else data/<name>.

    Raises DatasetMissing, whose hint is how the dataset is obtained.
    """
    variable = f"FERDATA_ROOT_{declared.name.upper()}"
    if root or variable in os.environ:
        folder = Path(root or os.environ[variable])
        if folder.is_dir():
            return folder
        if folder.is_file():
            raise BadOption(
                f"{folder} is a file; a dataset's root is the folder that holds it.",
                f"Unpack it if it is an archive, then: ferdata ingest {declared.name} --root {folder.parent}",
            )
        raise DatasetMissing(
            f"There is no folder {folder}.",
            f"Check the path, or see `ferdata datasets show {declared.name}` for how to obtain the dataset.",
        )
    folder = Path(os.environ.get("FERDATA_DATA", "data")) / declared.name
    if not folder.is_dir():
        raise DatasetMissing(f"{declared.title} is not in {folder}.", how_to_obtain(declared))
    return folder


def how_to_obtain(declared: source.Source) -> str:
    """Return, in sentences, who may have a dataset, the steps to it, and where to put it."""
    if not declared.obtain:
        return f"Say where it is: ferdata ingest {declared.name} --root DIR"
    steps = [f"  {i}. {step}" for i, step in enumerate(declared.obtain, 1)]
    return "\n".join(
        (
            f"Who may have it: {declared.access}",
            f"Licence: {declared.licence.name}. {declared.licence.terms}",
            "How to obtain it:",
            *steps,
            f"Where to put it: {declared.place}",
            f"Or say where it is: ferdata ingest {declared.name} --root DIR",
        )
    )


def _options(adapter: Adapter, given: Mapping[str, str | None]) -> dict[str, str | None]:
    declared = {option.name: option for option in adapter.SOURCE.options}
    for name, value in given.items():
        if name not in declared:
            raise BadOption(
                f"{adapter.SOURCE.name} has no option {name!r}.",
                f"It has {', '.join(declared) or 'none of its own'}: `ferdata ingest {adapter.SOURCE.name} --help`.",
            )
        if value is not None and declared[name].choices and value not in declared[name].choices:
            raise BadOption(
                f"--{name.replace('_', '-')} cannot be {value!r}.",
                f"Choose one of {', '.join(declared[name].choices)}.",
            )
    return {name: given.get(name) or option.default for name, option in declared.items()}


def _recognise(adapter: Adapter, root: Path, options: Mapping[str, str | None]) -> tuple[Layout, Path]:
    found = source.recognise(adapter.SOURCE, root)
    if found is None:
        others = looks_like(root)
        holds = ", ".join(sorted(p.name for p in root.iterdir())[:6]) or "nothing"
        looked_for = "; ".join(" and ".join(layout.marks) for layout in adapter.SOURCE.layouts if layout.marks)
        raise NotThisDataset(
            f"{root} holds no layout of {adapter.SOURCE.name} that is known. It holds: {holds}.",
            f"This looks like {' or '.join(others)}: ferdata ingest {others[0]} --root {root}"
            if others
            else f"Looked for: {looked_for}. For other layouts there are `ferdata ingest folder` and `csv`.",
        )
    layout, base = found
    prepare = getattr(adapter, "prepare", None)
    return (prepare(base, layout, options) if prepare else layout), base


def _relative_root(root: Path, out: Path) -> str:
    return Path(os.path.relpath(root.resolve(), out.parent.resolve())).as_posix()


def _nothing(adapter: Adapter, root: Path, run: "_Run") -> BrokenSource:
    reasons = ", ".join(f"{n} x {reason}" for reason, n in run.reasons.items()) or "it is empty"
    return BrokenSource(
        f"No image of {adapter.SOURCE.name} in {root} could be read ({reasons}).",
        f"Check the folder against `ferdata datasets show {adapter.SOURCE.name}`.",
    )


class _Run:
    """One ingest under way: measures batches of samples and counts what becomes of each."""

    def __init__(self, dataset: str, layout: Layout, root: Path, base: Path, embed: bool, policy: str) -> None:
        self.dataset, self.layout, self.embed, self.policy = dataset, layout, embed, policy
        self.root = root
        self.prefix = "" if base == root else base.relative_to(root).as_posix() + "/"
        self.rows = 0
        self.rejects: list[_Reject] = []
        self.reasons: Counter[str] = Counter()
        self.unlabelled: Counter[str] = Counter()
        self.seen: set[str] = set()

    def batches(self, samples: Iterable[Sample | Skipped], threads: int) -> Iterator[pa.RecordBatch]:
        """Measure the samples on `threads` threads; yield batches in the samples' order, a few ahead at most."""
        waiting: deque[Future[tuple[pa.RecordBatch, list[_Reject]]]] = deque()
        with (
            ThreadPoolExecutor(threads) as pool,
            progress.bar(f"ingest {self.dataset}", unit="images") as advance,
        ):
            try:
                for chunk in _chunks(self._kept(samples), BATCH):
                    waiting.append(pool.submit(self.measure, chunk))
                    if len(waiting) > 2 * threads:
                        yield self._count(waiting.popleft().result(), advance)
                while waiting:
                    yield self._count(waiting.popleft().result(), advance)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _kept(self, samples: Iterable[Sample | Skipped]) -> Iterator[Sample]:
        for sample in samples:
            if sample.key in self.seen:
                raise BrokenSource(
                    f"{self.dataset} names {sample.key!r} twice.",
                    "Every image needs a name of its own; is a folder there twice, or a table's line repeated?",
                )
            self.seen.add(sample.key)
            if isinstance(sample, Sample):
                yield sample
            else:
                self._reject(_Reject(self._id(sample.key), None, sample.reason, ""))

    def _count(self, measured: tuple[pa.RecordBatch, list[_Reject]], advance: progress.Advance) -> pa.RecordBatch:
        batch, rejects = measured
        for reject in rejects:
            self._reject(reject)
        self.rows += batch.num_rows
        self.unlabelled.update(r for r in batch.column("label_reason").to_pylist() if r)
        advance(batch.num_rows + len(rejects))
        return batch

    def _reject(self, reject: _Reject) -> None:
        self.rejects.append(reject)
        self.reasons[reject.reason] += 1

    def _id(self, key: str) -> str:
        return f"{self.dataset}:{key}"

    def measure(self, samples: list[Sample]) -> tuple[pa.RecordBatch, list[_Reject]]:
        """Read, decode and measure the images of `samples`; return the finished rows, and what could not be read."""
        videos = _Videos(self.root)
        kept: list[Sample] = []
        facts: list[pictures.Facts] = []
        stored: list[dict[str, bytes | str | None]] = []
        rejects: list[_Reject] = []
        for sample in samples:
            try:
                image, storage = self._read(sample, videos)
                facts.append(pictures.measure(image))
            except (OSError, pictures.UnreadableImage) as error:
                rejects.append(self._why(sample, error))
                continue
            kept.append(sample)
            stored.append(storage)
        return self._rows(kept, facts, stored), rejects

    def _read(self, sample: Sample, videos: "_Videos") -> tuple[Any, dict[str, bytes | str | None]]:
        if isinstance(sample.image, Frame):
            image = videos.read(self.prefix + sample.image.path, sample.image)
            return image, {"bytes": pictures.encode_png(image), "path": None}
        if not isinstance(sample.image, str):
            return sample.image, {"bytes": pictures.encode_png(sample.image), "path": None}
        path = self.prefix + sample.image
        data = manifest.inside(self.root, path).read_bytes()
        return pictures.decode(data), {"bytes": data if self.embed else None, "path": path}

    def _why(self, sample: Sample, error: Exception) -> _Reject:
        if isinstance(error, FileNotFoundError):
            reason, detail = "missing file", ""
        elif isinstance(error, OSError):
            reason, detail = "unreadable file", error.strerror or str(error)
        else:
            reason, detail = "broken image", str(error)
        named = sample.image.path if isinstance(sample.image, Frame) else str(sample.image)
        return _Reject(self._id(sample.key), self.prefix + named, reason, detail)

    def _rows(
        self, kept: list[Sample], facts: list[pictures.Facts], stored: list[dict[str, bytes | str | None]]
    ) -> pa.RecordBatch:
        columns: dict[str, list[Any]] = {
            "sample_id": [self._id(s.key) for s in kept],
            "dataset": [self.dataset] * len(kept),
            "image": stored,
        }
        for fact_name in pictures.Facts.__slots__:
            columns[fact_name] = [getattr(f, fact_name) for f in facts]
        for column in ADAPTER_COLUMNS:
            columns[column] = [getattr(s, column) for s in kept]
        columns["action_units"] = [
            units and [{"au": au, "intensity": i} for au, i in units] for units in columns["action_units"]
        ]
        columns["reviewed_label"] = [None] * len(kept)
        table = pa.table(columns, schema=arrow_schema(*columns))
        maps = {self.dataset: self.layout.labels}
        derived = labels.derive(table, maps, self.policy, labels.TAXONOMIES["basic8"])
        for derived_name, values in derived.items():
            table = table.append_column(derived_name, values)
        return table.combine_chunks().to_batches()[0] if kept else pa.RecordBatch.from_pylist([], table.schema)


class _Videos:
    """The video that a batch is reading from, kept open, since a clip's frames come one after another."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = ""
        self.video: pictures.Video | None = None

    def read(self, path: str, frame: Frame) -> Any:
        """Return the part of the frame that is asked for, turned. Raises OSError, UnreadableImage."""
        if path != self.path or self.video is None:
            found = manifest.inside(self.root, path)
            if not found.is_file():
                raise FileNotFoundError(path)
            self.path, self.video = path, None
            self.video = pictures.Video(found)
        return pictures.part(self.video.read(frame.index), frame.part, frame.turn)


def _chunks(samples: Iterator[Sample], size: int) -> Iterator[list[Sample]]:
    while chunk := list(itertools.islice(samples, size)):
        yield chunk


def _write_rejects(path: Path, rejects: list[_Reject]) -> None:
    """Write the rejects beside the manifest, or take away those of an earlier run if there are none now."""
    if not rejects:
        path.unlink(missing_ok=True)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    pq.write_table(pa.Table.from_pylist([asdict(r) for r in rejects]), temporary)
    temporary.replace(path)
