"""Problems of images: from what ingest measured, and from a second look at the pixels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import images
from ferdata.errors import ImagesMissing
from ferdata.images import detectors
from ferdata.manifest import Manifest, read_image, stored_hash
from ferdata.running import progress
from ferdata.running.engine import local, run

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported

PICTURE_COLUMNS = (
    "dataset", "width", "height", "mode", "brightness", "contrast", "sharpness", "face_box", "alignment"
)  # fmt: skip
BATCH = 256  # rows: what a worker holds
_Row = tuple[str | None, bool, bool, float, float, float, float]  # as the fields of Look
Scores = NDArray[np.float32]  # one per row; NaN where a finding says nothing of the row
# Detail is compared at one size: a photograph of 350 px that looks soft may be sharp for a net that sees it at 48.
SIDE, NEAR_ENOUGH = 48, 64  # pixels: what larger pictures are shrunk to, and up to where they are not


@dataclass(frozen=True)
class Look:
    """What a second look saw of each row, in the manifest's order.

    `unreadable` says why, None where it could be read; `changed` whether the pixels are others than those ingested;
    `colour` whether three channels differ. `detail`, float32, is the fine detail of pictures that had to be shrunk,
    NaN for others. `first` and `second` are the two highest face-detection scores, float32, 0 for none, NaN where
    nobody looked; `face` is the short side of the face with the highest in pixels, NaN without one.
    """

    unreadable: list[str | None]
    changed: NDArray[np.bool_]
    colour: NDArray[np.bool_]
    detail: Scores
    first: Scores
    second: Scores
    face: Scores


def measured(table: pa.Table) -> dict[str, Scores]:
    """Return the scores that ingest's own columns give; `table` has PICTURE_COLUMNS."""
    width, height, bright, contrast, sharp = (
        np.asarray(table[n].to_numpy(), np.float32) for n in ("width", "height", "brightness", "contrast", "sharpness")
    )
    short, long = np.minimum(width, height), np.maximum(width, height)
    detail = _detail(sharp, contrast)
    detail[long > NEAR_ENOUGH] = np.nan
    face = _face_side(table)
    return {
        "blank": contrast,
        "dark": bright,
        "bright": bright,
        "blurred": detail,
        "small": short,
        "odd_shape": long / np.maximum(short, 1),
        **({} if np.isnan(face).all() else {"small_face": face}),
    }


def _detail(sharpness: Scores, contrast: Scores) -> Scores:
    """Return how much of a picture's contrast is its finest detail; NaN for one shade: blank is not out of focus."""
    return np.where(contrast > 0.003, sharpness / np.maximum(contrast, 1e-3) ** 2, np.nan).astype(np.float32)


def _face_side(table: pa.Table) -> Scores:
    """Return the short side of each row's face in pixels, before any align enlarged it; NaN where no box is known."""
    boxes = pc.coalesce(pc.struct_field(table["alignment"], "box"), table["face_box"]).combine_chunks()
    side = np.full(table.num_rows, np.nan, np.float32)
    known = boxes.is_valid().to_numpy(zero_copy_only=False)
    if known.any():
        x_y_w_h = boxes.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
        side[known] = x_y_w_h[:, 2:].min(axis=1)
    return side


def seen(table: pa.Table, looked: Look | None) -> dict[str, Scores]:
    """Return the scores that a look at the pixels gives; without one, those that columns alone can tell."""
    n = table.num_rows
    if looked is None:
        return {"grey": _grey(table, pc.starts_with(table["mode"], "RGB").to_numpy().astype(bool))}
    known, boxed = measured(table)["blurred"], _face_side(table)
    lost = np.array([why is not None for why in looked.unreadable], np.bool_)
    return {
        "unreadable": lost.astype(np.float32),
        "changed": np.where(lost, np.nan, looked.changed).astype(np.float32),
        "blurred": np.where(np.isnan(looked.detail), known, looked.detail),
        "grey": np.where(lost, np.nan, _grey(table, looked.colour)).astype(np.float32),
        **({} if n and np.isnan(looked.first).all() else _faces(looked, boxed)),
    }


def _faces(looked: Look, boxed: Scores) -> dict[str, Scores]:
    """Return the scores of what a detector saw; a face that was boxed before is as large as that box."""
    side = np.where(np.isnan(boxed), looked.face, boxed)
    return {"no_face": looked.first, "several_faces": looked.second, "small_face": side}


def _grey(table: pa.Table, colour: NDArray[np.bool_]) -> Scores:
    """Return, for each grey row, the share of colour in its dataset; 0 for a row in colour."""
    code = table["dataset"].combine_chunks().dictionary_encode().indices.to_numpy()
    share = np.bincount(code, colour) / np.maximum(np.bincount(code), 1) if len(code) else np.zeros(0)
    return np.where(colour, 0, share[code]).astype(np.float32)


def look(opened: Manifest, detector: str | None = None, model: bytes | None = None, workers: int | None = None) -> Look:
    """Read every image again, in streams; with `detector` also look for faces.

    Nothing is raised for an image that is lost; ImagesMissing where all of a dataset's have moved.
    """
    viewer = _Viewer(opened.roots_there(), detector, model)
    rows: list[_Row] = []
    columns = [n for n in ("dataset", "image", "pixel_hash", "alignment") if n in opened.file.schema_arrow.names]
    with progress.bar("look", opened.rows, "images") as advance:
        for part in run(local(workers), viewer, opened.batches(columns, rows=BATCH)):
            rows += part
            advance(len(part))
    reasons, changed, colour, *scores = zip(*rows, strict=True) if rows else ((),) * 7
    return Look(
        list(reasons),
        np.array(changed, np.bool_),
        np.array(colour, np.bool_),
        *(np.array(score, np.float32) for score in scores),
    )


@dataclass(frozen=True)
class _Viewer:
    """Looks at batches of rows, in any thread or process, each of which has its own detector."""

    roots: Mapping[str, Path | None]
    detector: str | None
    model: bytes | None

    def __call__(self, batch: pa.RecordBatch) -> list[_Row]:
        """Return for each row: why it is unreadable, whether changed, whether in colour, and its four scores."""
        return [self._row(row) for row in batch.to_pylist()]

    def _row(self, row: Mapping[str, Any]) -> _Row:
        nothing = (False, False, np.nan, np.nan, np.nan, np.nan)
        try:
            image = images.decode(read_image(row, self.roots))
        except ImagesMissing:
            return "the file is gone", *nothing
        except images.UnreadableImage as error:
            return str(error), *nothing
        colour = image.ndim == 3 and not ((image == image[..., :1]).all())
        faces = self._faces(self.detector, image) if self.detector else (np.nan, np.nan, np.nan)
        return None, images.pixel_hash(image) != stored_hash(row), bool(colour), shrunk(image), *faces

    def _faces(self, detector: str, image: NDArray[np.integer]) -> tuple[float, float, float]:
        """Return the two highest scores, 0 for none, and the short side of the first face.

        The cascade's scores have no scale: a face that it finds counts as 1.
        """
        found = sorted(detectors.here(detector, self.model)(image), key=lambda face: -face.score)
        first, second = [*(f.score if detector == "yunet" else 1.0 for f in found), 0.0, 0.0][:2]
        return first, second, min(found[0].box[2:]) if found else np.nan


def shrunk(image: NDArray[np.integer]) -> float:
    """Return the fine detail of a picture shrunk to SIDE pixels; NaN for one that is about as small already."""
    height, width = image.shape[:2]
    if max(height, width) <= NEAR_ENOUGH:
        return float("nan")
    scale = SIDE / float(np.sqrt(height * width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return _measured_detail(
        np.asarray(cv2.resize(images.as_uint8(image), size, interpolation=cv2.INTER_AREA), np.uint8)
    )


def detail_of(image: NDArray[np.integer]) -> float:
    """Return the fine detail of a picture of any size, a large one shrunk; NaN for one shade."""
    return shrunk(image) if max(image.shape[:2]) > NEAR_ENOUGH else _measured_detail(image)


def _measured_detail(image: NDArray[np.integer]) -> float:
    facts = images.measure(image)
    return float(_detail(np.array([facts.sharpness], np.float32), np.array([facts.contrast], np.float32))[0])


def pick(opened: Manifest, wanted: NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
    """Yield position and encoded image of the wanted rows, in file order; those that are gone are passed over.

    Row groups without any are not read.
    """
    roots = opened.roots()
    mask = np.zeros(opened.rows, np.bool_)
    mask[wanted] = True
    for first, n in opened.file.pieces(BATCH):
        chosen = np.flatnonzero(mask[first : first + n])
        if not len(chosen):
            continue
        batch = opened.file.slice(first, n, ("dataset", "image")).take(pa.array(chosen))
        for i, row in zip(chosen, batch.to_pylist(), strict=True):
            try:
                yield first + int(i), opened.read_image(row, roots)
            except ImagesMissing:
                continue
