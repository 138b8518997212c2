"""Where the faces are: OpenCV's Haar cascade, always there, and YuNet, whose model file is checked by its hash."""

import contextlib
import hashlib
import http.client
import os
import threading
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BadOption, CannotWrite, MissingModel, choose_one
from ferdata.images import as_uint8
from ferdata.running import cache, progress
from ferdata.running.plain_file import read_plain
from ferdata.running.whole_file import write_whole

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]

DETECTORS = ("haar", "yunet")
MODEL_VARIABLE = "FERDATA_YUNET"
MODEL_NAME = "face_detection_yunet.onnx"
MODEL_HASH = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
MODEL_SIZE = 229_738  # bytes
# OpenCV Zoo, MIT licence: the release of May 2026, at the commit that its LFS pointer with this hash is of.
MODEL_URL = (
    "https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98"
    "/models/face_detection_yunet/face_detection_yunet_2026may.onnx"
)
OVERLAP = 0.3  # of a found face with a published box, as intersection over union, for both to be one face


@dataclass(frozen=True, slots=True)
class Face:
    """One face: `box` is x, y, width, height in pixels, `landmarks` float64 (5, 2) in pixels, or None.

    The points are the two eyes, the nose tip and the two mouth corners, the viewer's left one first.
    """

    box: Box
    score: float
    landmarks: Points | None


class Detector(Protocol):
    """Finds faces; one object serves one thread."""

    name: str

    def __call__(self, image: NDArray[np.integer]) -> list[Face]:
        """Return the faces in an image as `ferdata.images.decode` gives it; none is an empty list."""


class Haar:
    """The frontal-face cascade that every OpenCV carries (Viola and Jones 2001): boxes, no landmarks.

    The score is the weight of the last stage, on no fixed scale.
    """

    name = "haar"
    # Longest sides of the copies that are searched: of 160 and 320 px the smaller finds as many of 400 portraits, in
    # half the time and with fewer false faces; small faces in large photographs need the larger.
    sides = (160, 480)

    def __init__(self) -> None:
        folder = Path(cv2.__file__).parent / "data"
        self.cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))

    def __call__(self, image: NDArray[np.integer]) -> list[Face]:
        """Return the faces, largest weight first."""
        eight = as_uint8(image)
        grey = eight if eight.ndim == 2 else cv2.cvtColor(eight, cv2.COLOR_RGB2GRAY)
        for side in _sides(self.sides, grey):
            scale = side / max(grey.shape)
            least = max(24, int(0.15 * min(grey.shape) * scale)) if side == self.sides[0] else 24
            found, _, weights = self.cascade.detectMultiScale3(
                _resized(grey, scale), 1.1, 3, minSize=(least, least), outputRejectLevels=True
            )
            faces = [
                Face(_box(box, 1 / scale), float(w), None)
                for box, w in zip(found, np.ravel(weights), strict=True)
            ]  # fmt: skip
            if faces:
                return sorted(faces, key=lambda f: (-f.score, f.box))
        return []


class YuNet:
    """YuNet (Wu, Peng, Yu 2023, Machine Intelligence Research 20): boxes, five landmarks, a score in 0..1."""

    name = "yunet"
    # It is made for faces of 10 to 300 px: a face that fills a larger copy is missed, one in a crowd needs it.
    sides = (320, 640)
    border = 0.25  # of the longest side, on every side: faces that fill their picture are found more surely
    least = 0.6

    def __init__(self, model: bytes) -> None:
        """Make a detector of the model file's bytes, as `read_model` gives them."""
        data, nothing = np.frombuffer(model, np.uint8), np.zeros(0, np.uint8)
        self.net: Any = cv2.FaceDetectorYN.create("onnx", data, nothing, (320, 320), self.least, 0.3, 5000)

    def __call__(self, image: NDArray[np.integer]) -> list[Face]:
        """Return the faces, highest score first."""
        eight = as_uint8(image)
        colour = cv2.cvtColor(eight, cv2.COLOR_GRAY2BGR if eight.ndim == 2 else cv2.COLOR_RGB2BGR)
        for side in _sides(self.sides, colour):
            scale = side / (max(colour.shape[:2]) * (1 + 2 * self.border))
            small = _resized(colour, scale)
            pad = round(max(small.shape[:2]) * self.border)
            framed = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
            self.net.setInputSize((framed.shape[1], framed.shape[0]))
            found = self.net.detect(framed)[1]
            if found is not None:
                return [self._face(row.astype(np.float64), pad, 1 / scale) for row in found]
        return []

    def _face(self, row: Points, pad: int, back: float) -> Face:
        points = (row[4:14].reshape(5, 2) - pad + 0.5) * back - 0.5
        box = row[:4] - (pad, pad, 0, 0)
        return Face(_box(box, back), float(row[14]), points)


def _sides(sides: Sequence[int], image: NDArray[Any]) -> list[int]:
    """Return the sizes to search one after the other, until one shows a face: only the first may enlarge a picture."""
    return [side for side in sides if side == sides[0] or side <= max(image.shape[:2])]


def _resized(image: NDArray[Any], scale: float) -> NDArray[Any]:
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _box(box: Sequence[float] | NDArray[Any], scale: float) -> Box:
    x, y, w, h = (float(v) * scale for v in box)
    return x, y, w, h


def chosen(faces: Sequence[Face], width: int, height: int, near: Box | None = None) -> Face | None:
    """Return the face that a picture of `width` x `height` pixels is of: the largest, weighed by how central it is.

    With `near`, a published box, the face that overlaps it most, if any does by OVERLAP. None where there is none.
    """
    if near is not None:
        best = max(faces, key=lambda f: overlap(f.box, near), default=None)
        return best if best and overlap(best.box, near) >= OVERLAP else None

    def weight(face: Face) -> float:
        x, y, w, h = face.box
        off = np.hypot(x + w / 2 - width / 2, y + h / 2 - height / 2) / np.hypot(width / 2, height / 2)
        return float(w * h * max(1 - off, 0.0))

    return max(faces, key=weight, default=None)


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over the union of two boxes, 0..1."""
    w = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    h = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    inner = max(w, 0.0) * max(h, 0.0)
    return inner / max(one[2] * one[3] + other[2] * other[3] - inner, 1e-9)


def cached_model() -> Path:
    """Return where the model file lies when neither an option nor the environment names one."""
    return cache.folder() / MODEL_NAME


def find_model(given: Path | str | None = None) -> Path | None:
    """Return YuNet's file: `given`, else FERDATA_YUNET, else the cached one; None where none of them is named or there.

    A file that is named is not looked for elsewhere: `read_model` says if it is not there.
    """
    named = given or os.environ.get(MODEL_VARIABLE)
    if named:
        return Path(named)
    cached = cached_model()
    return cached if cached.is_file() else None


def read_model(path: Path | None) -> bytes:
    """Return the bytes of YuNet's model file; None has it downloaded into the cache.

    Raises MissingModel if it is not there, cannot be had, or is not the known file.
    """
    if path is None:
        return _download()
    try:
        return _checked(read_plain(path), str(path))
    except OSError as error:
        raise MissingModel(f"YuNet's model file {path} cannot be read: {error.strerror}.", _remedy()) from None


def _download() -> bytes:
    try:
        with progress.bar("Downloading YuNet's model", MODEL_SIZE, "bytes") as advance:
            with urllib.request.urlopen(MODEL_URL, timeout=30) as answer:
                data: bytes = answer.read(MODEL_SIZE + 1)  # no more than that is wanted of anybody
            advance(len(data))
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise MissingModel(f"YuNet's model file was not found, and its download failed: {why}.", _remedy()) from None
    data = _checked(data, MODEL_URL)
    place = cached_model()
    with contextlib.suppress(OSError, CannotWrite):  # a cache that cannot be written: then it is downloaded each time
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, data)
    return data


def _checked(data: bytes, whence: str) -> bytes:
    found = hashlib.sha256(data).hexdigest()
    if found != MODEL_HASH:
        raise MissingModel(
            f"{whence} is not the known YuNet model: {len(data):,} bytes with sha256 {found}. It is incomplete, "
            f"damaged, a Git LFS pointer, or another release.",
            _remedy(),
        )
    return data


def _remedy() -> str:
    return (
        f"Download the file with sha256 {MODEL_HASH} from {MODEL_URL} to {cached_model()}, "
        f"or give its path with --model or {MODEL_VARIABLE}. `--detector haar` needs no file."
    )


def make(name: str, model: bytes | None = None) -> Detector:
    """Return a new detector of that name; `model` is YuNet's file. Raises BadOption, MissingModel."""
    if name == "haar":
        return Haar()
    if name == "yunet":
        return YuNet(read_model(find_model()) if model is None else model)
    raise BadOption(f"There is no detector {name!r}.", choose_one(name, DETECTORS))


_own = threading.local()


def here(name: str, model: bytes | None = None) -> Detector:
    """Return this thread's detector, made once: one cannot look at two pictures at once. Raises as `make` does."""
    if getattr(_own, "made", None) != (name, model):
        _own.detector, _own.made = make(name, model), (name, model)
    detector: Detector = _own.detector
    return detector
