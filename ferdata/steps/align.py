"""Align: a manifest in, the same rows out with each image cut to its face, and how it was cut beside it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata import images
from ferdata import manifest as manifests
from ferdata.errors import BadOption, ImagesMissing, InvalidManifest, choose_one
from ferdata.images import alignment, detectors
from ferdata.images.alignment import NO_FACE, SEVERAL, TEMPLATES, Aim, Crop, Published
from ferdata.images.detectors import DETECTORS, Points
from ferdata.manifest import Manifest, checksums, opened_here, read_image
from ferdata.manifest import rejects as manifest_rejects
from ferdata.manifest.resume import Partial
from ferdata.manifest.rewrite import rewritten_metadata
from ferdata.running import progress
from ferdata.running.engine import ENGINES, Engine, choose, run
from ferdata.running.whole_file import write_whole
from ferdata.schema import arrow_schema
from ferdata.sources.measure import BROKEN, MISSING, UNSUPPORTED, Reject

FIRST = ("published", *DETECTORS)
CHANGED = "changed since ingest"
BATCH = 64  # rows, at most: what an interruption loses, and what a worker holds
BATCHES = 12  # at least so many, where there are enough rows, so that all workers have some until the end
SIZES = (16, 1024)
# What describes the image as it is here, and is measured again; `pixel_hash` stays, since decisions hang on it.
MEASURED = ("phash", "width", "height", "mode", "brightness", "contrast", "sharpness")


@dataclass(frozen=True)
class Aligned:
    """What an align did: `rows` are in `out`; `found` counts who found the face, `issues` the problems.

    `rejected` counts, by reason, the rows whose picture could not be read any more; they, and those that the manifest
    had rejects of before, are in `rejects`.
    `fallback` is the detector for rows that nothing was published of; None where that was not asked for.
    """

    out: Path
    rows: int
    size: int
    fallback: str | None
    found: Mapping[str, int]
    issues: Mapping[str, int]
    rejected: Mapping[str, int]
    rejects: Path | None
    fingerprint: str


def align(
    manifest: Path | str,
    *,
    out: Path | str,
    detector: str = "published",
    model: Path | str | None = None,
    size: int = Aim.size,
    margin: float = Aim.margin,
    template: str = Aim.template,
    workers: int | None = None,
    engine: str = ENGINES[0],
    address: str | None = None,
    resume: bool = False,
    force: bool = False,
) -> Aligned:
    """Crop every image of a manifest to its face, embedded in `out` as PNG; no row is added.

    A row is excluded only if its image can no longer be read, or has changed: it is rejected, with the reason.

    `detector` is `published` (the dataset's landmarks, else its box, else YuNet where its model file is at hand, else
    Haar), `haar` or `yunet` (always that one). `model` is YuNet's file (else FERDATA_YUNET, else the cached one).
    `template` is `arcface` (five landmarks), `eyes` (eyes and nose only, so that an open mouth does not shrink the
    face) or `box` (never rotated; also used where there are no points). `size` is the crop's side in pixels,
    `margin` is added on every side, as a share of it. Rows without a face, or with several, keep an issue. `face_box`
    and `landmarks` become the crop's; `pixel_hash` stays the source's, since decisions depend on it. `engine` is
    `local` (`workers` processes; threads where the system cannot fork) or `ray` (as many of a cluster's, at `address`
    or started here, all of which see the manifest and its images at their paths). `resume` goes on where the same align
    was interrupted. Raises NotAManifest, BadOption, MissingModel, MissingExtra, ImagesMissing, InvalidManifest,
    AlreadyExists, CannotWrite, WorkersLost.
    """
    opened, target = Manifest(Path(manifest)), Path(out)
    aim = _aim(size, margin, template)
    if detector not in FIRST:
        raise BadOption(f"--detector cannot be {detector!r}.", choose_one(detector, FIRST))
    manifests.check_output(target, force, [opened.path])
    runner = choose(engine, workers, address)
    _not_yet(opened)
    name, net = _detector(detector, model)
    roots = {n: root and root.absolute() for n, root in opened.roots_there().items()}
    cut = Cut(opened.path.absolute(), opened.fingerprint, roots, aim, detector == "published", name, net)
    options = {
        "detector": detector, "fallback": name if detector == "published" else None, **asdict(aim),
        "model": None if net is None else hashlib.sha256(net).hexdigest(), "resampling": alignment.RESAMPLING,
    }  # fmt: skip
    same = {"step": "align", "manifest": opened.fingerprint, "options": options, "measured": images.VERSION}
    partial = Partial(target, same)
    partial.begin(resume)
    # Every image is embedded now, so there is no root to look below, and measured anew.
    embedded = {name: source | {"root": None, "measured": images.VERSION} for name, source in opened.sources.items()}
    metadata = rewritten_metadata([opened], target, []) | {"sources": embedded}
    tally = _Tally(opened)
    batches = tally.through(_aligned(opened, cut, runner, partial, tally), options, metadata)
    written = manifests.write(target, batches, metadata, force, partial)
    fallback = options["fallback"]
    kept = _keep_rejects(opened, target, tally.rejects)
    return Aligned(
        target, tally.rows, size, fallback, dict(tally.found), dict(tally.issues), tally.rejected, kept,
        written["fingerprint"],
    )  # fmt: skip


def _aim(size: int, margin: float, template: str) -> Aim:
    if not SIZES[0] <= size <= SIZES[1]:
        raise BadOption(
            f"--size cannot be {size}.", f"Use {SIZES[0]} to {SIZES[1]} pixels; networks usually expect 112 or 224."
        )
    if not -0.25 <= margin <= 2:
        raise BadOption(f"--margin cannot be {margin}.", "Use a share of the crop's side from -0.25 to 2, such as 0.1.")
    if template not in TEMPLATES:
        raise BadOption(f"--template cannot be {template!r}.", choose_one(template, TEMPLATES))
    return Aim(size, margin, template)


def _not_yet(opened: Manifest) -> None:
    column = opened.table("alignment")["alignment"]
    if done := len(column) - column.null_count:
        raise BadOption(
            f"{done:,} of {opened.rows:,} rows of {opened.path} are already aligned, and are not aligned twice.",
            "Align the manifest that it was made from: `ferdata show` names it.",
        )


def _detector(detector: str, model: Path | str | None) -> tuple[str, bytes | None]:
    """Return the detector's name and YuNet's file. Raises MissingModel, and BadOption for a model of no use."""
    if detector == "haar":
        if model:
            raise BadOption("--model is for YuNet, and --detector is haar.", "Leave one of them out.")
        return "haar", None
    path = detectors.find_model(model)
    if detector == "published" and path is None:
        return "haar", None
    return "yunet", detectors.read_model(path)


@dataclass(frozen=True)
class Cut:
    """Rows to aligned rows: a pure function of these options and what is on disk, for any thread, process or machine.

    `detector` is the one that looks, `model` YuNet's file; with `first`, what was published is believed.
    """

    manifest: Path
    fingerprint: str
    roots: Mapping[str, Path | None]
    aim: Aim
    first: bool
    detector: str
    model: bytes | None

    def __call__(self, piece: tuple[int, int]) -> tuple[pa.RecordBatch, list[Reject]]:
        """Return rows of the manifest, `piece` being the first and how many, aligned, and those that cannot be.

        Raises ImagesMissing where a dataset's root is not to be seen.
        """
        batch = opened_here(self.manifest, self.fingerprint).file.slice(*piece)
        read = ("sample_id", "dataset", "image", "pixel_hash", "face_box", "landmarks", "issues")
        rows, kept, rejects = [], [], []
        for i, row in enumerate(batch.select(read).to_pylist()):
            image = self._read(row)
            if isinstance(image, Reject):
                rejects.append(image)
                continue
            rows.append(self._row(row, image))
            kept.append(i)
        whole = batch.take(pa.array(kept, pa.int64())) if rejects else batch
        columns = {f.name: whole.column(f.name) for f in whole.schema}
        for name in rows[0] if rows else ():
            columns[name] = pa.array([row[name] for row in rows], arrow_schema(name).field(0).type)
        return pa.RecordBatch.from_pydict(columns), rejects

    def _row(self, row: Mapping[str, Any], image: NDArray[np.integer]) -> dict[str, Any]:
        """Return the columns of one row that align writes."""
        points = row["landmarks"]
        published = Published(
            None if points is None else np.array(points, np.float64).reshape(-1, 2),
            None if row["face_box"] is None else tuple(row["face_box"]),
        )
        crop = alignment.align(image, self.aim, detectors.here(self.detector, self.model), published, self.first)
        facts = images.measure(crop.pixels)
        return {
            "image": {"bytes": images.encode_png(crop.pixels), "path": row["image"]["path"]},
            **{name: getattr(facts, name) for name in MEASURED},
            **_moved(crop, published),
            "issues": [*(row["issues"] or ()), crop.issue] if crop.issue else row["issues"],
            "alignment": {
                "detector": crop.detector,
                "score": crop.score,
                "faces": crop.faces,
                "box": crop.box,
                "landmarks": _flat(crop.landmarks),
                "transform": _flat(crop.transform),
                "pixel_hash": facts.pixel_hash,
            },
        }

    def _read(self, row: Mapping[str, Any]) -> NDArray[np.integer] | Reject:
        try:
            image = images.decode(read_image(row, self.roots))
        except images.UnreadableImage as error:
            reason, detail = (UNSUPPORTED if isinstance(error, images.UnsupportedImage) else BROKEN), str(error)
        except ImagesMissing:
            root = self.roots.get(row["dataset"])
            if root is None or not root.is_dir():
                raise
            reason, detail = MISSING, ""
        else:
            if images.pixel_hash(image) == row["pixel_hash"]:
                return image
            reason, detail = CHANGED, "not the picture that was ingested"
        return Reject(row["sample_id"], row["image"]["path"], reason, detail)


def _moved(crop: Crop, published: Published) -> dict[str, Any]:
    """Return `face_box` and `landmarks` in the crop's pixels: the published ones, else those that were found."""
    box = published.box or crop.box
    points = crop.landmarks if published.landmarks is None else published.landmarks
    return {
        "face_box": None if box is None else alignment.apply_to_box(crop.transform, box),
        "landmarks": None if points is None else _flat(alignment.apply(crop.transform, points)),
    }


def _flat(points: Points | None) -> list[float] | None:
    return None if points is None else [float(v) for v in points.ravel()]


def _aligned(opened: Manifest, cut: Cut, engine: Engine, partial: Partial, tally: "_Tally") -> Iterator[pa.RecordBatch]:
    """Yield the rows of an earlier, interrupted run, then those after them, in order; rejects go to `tally`."""
    earlier, skip = partial.read()
    tally.rejects += [Reject(**reject) for reject in partial.rejects]
    partial.rejects_now = lambda: [asdict(reject) for reject in tally.rejects]
    rows = max(1, min(BATCH, opened.rows // BATCHES))
    with progress.bar("align", opened.rows, "images") as advance:
        for batch in earlier:
            advance(batch.num_rows)
            yield batch
        for batch, rejects in run(engine, cut, opened.file.pieces(rows, skip)):
            tally.rejects += rejects
            advance(batch.num_rows + len(rejects))
            yield batch


def _keep_rejects(opened: Manifest, target: Path, new: Sequence[Reject]) -> Path | None:
    """Write the rejects beside the manifest, those of the manifest that it was made of first; return where, if any."""
    beside = manifest_rejects.beside(target)
    now = pa.Table.from_pylist([asdict(reject) for reject in new], manifest_rejects.COLUMNS)
    whole = pa.concat_tables([manifest_rejects.read(opened.path), now])
    if not whole.num_rows:
        beside.unlink(missing_ok=True)  # of a manifest that was replaced
        return None
    write_whole(beside, checksums.as_bytes(whole))
    return beside


class _Tally:
    """Counts aligned rows on their way into the file, and keeps the rejects."""

    def __init__(self, opened: Manifest) -> None:
        self.opened = opened
        self.rows = 0
        self.rejects: list[Reject] = []
        self.found: Counter[str] = Counter()
        self.issues: Counter[str] = Counter()

    @property
    def rejected(self) -> dict[str, int]:
        """How many rows were rejected, by reason."""
        return dict(Counter(reject.reason for reject in self.rejects))

    def through(
        self, batches: Iterable[pa.RecordBatch], options: Mapping[str, Any], metadata: dict[str, Any]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the batches, count them, and at the end write the lineage into `metadata`. Raises InvalidManifest."""
        for batch in batches:
            self._count(batch.column("alignment").to_pylist(), batch.column("issues").to_pylist())
            yield batch
        if self.rejects and not self.rows:
            reasons = ", ".join(f"{n} x {reason}" for reason, n in self.rejected.items())
            raise InvalidManifest(
                f"No image of {self.opened.path} can be aligned ({reasons}), such as {self.rejects[0].sample_id}.",
                "Ingest the dataset again; `ferdata validate --images` lists every such row.",
            )
        counted = {"found": dict(self.found), "issues": dict(self.issues), "dropped": self.rejected}
        record = manifests.step_record(
            "align", options, [self.opened], rows_in=self.opened.rows, rows_out=self.rows, **counted
        )
        metadata["lineage"].append(record)

    def _count(self, records: Sequence[Mapping[str, Any]], issues: Sequence[Sequence[str] | None]) -> None:
        self.rows += len(records)
        for record, named in zip(records, issues, strict=True):
            ours = [issue for issue in named or () if issue in (NO_FACE, SEVERAL)]
            self.issues.update(ours)
            if NO_FACE not in ours:
                self.found[record["detector"]] += 1
