"""A face onto a template: which five points, which transform, which pixels. Pure functions, for datasets and cameras.

Coordinates are pixels of the picture, (0, 0) the middle of its first pixel; boxes run along the pixels' edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferdata.images import as_uint8
from ferdata.images.detectors import Box, Detector, Face, Points, chosen

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported

# Eyes, nose tip and mouth corners in 112 x 112 pixels, the viewer's left one first: the template that ArcFace's
# authors train on and publish with InsightFace (Deng et al. 2019, arXiv 1801.07698).
ARCFACE: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
ARCFACE_SIDE = 112
TEMPLATES = ("arcface", "eyes", "box")
RESAMPLING = "area to the next whole fraction, then bilinear, black outside"
NO_FACE, SEVERAL = "no_face", "several_faces"


@dataclass(frozen=True)
class Aim:
    """What a crop is to be: `size` pixels square, `margin` more on every side (a share of the crop without it).

    `template` is `arcface` (all five points, turned upright), `eyes` (the same places, but only the eyes and the nose
    tip count: with the mouth counted, the wider it is open, the smaller the face is drawn), or `box` (never turned).
    Where there are no points, every template is a box.
    """

    size: int = 112
    margin: float = 0.0
    template: str = "arcface"


@dataclass(frozen=True)
class Published:
    """What the publishers say of a face: `landmarks` float64 (n, 2), `box`; None where they say nothing."""

    landmarks: Points | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Crop:
    """One aligned face: `pixels` uint8 (size, size) or (size, size, 3), and where they come from.

    `transform`, float64 (2, 3), takes the source's coordinates to the crop's. `detector` is who told (`published`,
    `haar`, `yunet`), `faces` how many it found, `score`, `box` and `landmarks` (the source's coordinates) what it
    said of the one that was taken; `issue` is NO_FACE, SEVERAL or None.
    """

    pixels: NDArray[np.uint8]
    transform: Points
    detector: str
    faces: int
    score: float | None
    box: Box | None
    landmarks: Points | None
    issue: str | None


def align(image: NDArray[np.integer], aim: Aim, detector: Detector, published: Published, first: bool = True) -> Crop:
    """Cut the face out of an image, as `ferdata.images.decode` gives it.

    With `first`, what was published is believed: its landmarks, else its box; only where there is neither the
    detector looks. Without, the detector always looks, and a published box only says which face is meant. Where it
    finds none, the crop is the published box, or the whole picture, with NO_FACE.
    """
    height, width = image.shape[:2]
    whole: Box = (0.0, 0.0, float(width), float(height))
    known = _from_published(published, aim) if first else None
    if known is not None:
        transform, box = known
        return Crop(warp(image, transform, aim.size), transform, "published", 1, None, box, published.landmarks, None)
    faces = detector(image)
    face = chosen(faces, width, height, published.box)
    if face is None:
        transform = to_box(published.box, aim) if published.box else to_box(whole, Aim(aim.size))
        pixels = warp(image, transform, aim.size)
        return Crop(pixels, transform, detector.name, len(faces), None, published.box, None, NO_FACE)
    transform = to_face(face, aim)
    # A published box has said already which of several faces is meant.
    issue = SEVERAL if len(faces) > 1 and published.box is None else None
    pixels = warp(image, transform, aim.size)
    return Crop(pixels, transform, detector.name, len(faces), face.score, face.box, face.landmarks, issue)


def to_face(face: Face, aim: Aim) -> Points:
    """Return the transform, float64 (2, 3), that brings a found face onto the template; without points, its box."""
    five = None if face.landmarks is None or aim.template == "box" else five_points(face.landmarks)
    return to_box(face.box, aim) if five is None else to_template(five, aim)


def _from_published(published: Published, aim: Aim) -> tuple[Points, Box | None] | None:
    """Return the transform that the published annotations give, and the face's box; None where they give none."""
    points, box = published.landmarks, published.box
    five = None if points is None else five_points(points)
    if aim.template != "box" and five is not None:
        return to_template(five, aim), box
    if box is not None and box[2] >= 1 and box[3] >= 1:
        return to_box(box, aim), box
    if five is not None and points is not None and len(points) > len(five):
        low, high = points.min(0), points.max(0)
        around = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
        return to_box(around, aim), around
    return None


def five_points(landmarks: Points) -> Points | None:
    """Return eyes, nose tip and mouth corners, float64 (5, 2), of 5 or 68 points (n, 2); None for any other layout.

    68 points are those of Multi-PIE and iBUG 300-W (Sagonas et al. 2013), as CK+ and AffectNet publish them. Points
    that lie on one another, or are no numbers, give None too. Which side comes first is told from the picture.
    """
    if landmarks.shape == (68, 2):
        eyes = [landmarks[36:42].mean(0), landmarks[42:48].mean(0)]
        points = np.array([*eyes, landmarks[30], landmarks[48], landmarks[54]], np.float64)
    elif landmarks.shape == (5, 2):
        points = landmarks.astype(np.float64)
    else:
        return None
    along, down = points[1] - points[0], points[3:].mean(0) - points[:2].mean(0)
    if not np.isfinite(points).all() or np.hypot(*along) < 2 or np.hypot(*down) < 1:
        return None
    # Seen with the mouth below, the first eye is on the left; RAF-DB does not say which is which.
    if along[0] * down[1] - along[1] * down[0] < 0:
        points = points[[1, 0, 2, 4, 3]]
    return points


def template_points(aim: Aim) -> Points:
    """Return where the five points go in a crop, float64 (5, 2)."""
    scale = aim.size / ARCFACE_SIDE / (1 + 2 * aim.margin)
    return (ARCFACE - (ARCFACE_SIDE - 1) / 2) * scale + (aim.size - 1) / 2


def to_template(five: Points, aim: Aim) -> Points:
    """Return the transform, float64 (2, 3), that brings five points onto the template."""
    used = slice(3) if aim.template == "eyes" else slice(5)
    return similarity(five[used], template_points(aim)[used])


def similarity(source: Points, target: Points) -> Points:
    """Return the rotation, scale and shift, float64 (2, 3), nearest to taking `source` (n, 2) to `target`.

    Least squares over all points, without mirroring (Umeyama 1991, IEEE PAMI 13(4)); in the plane, with points as
    complex numbers, it is a division.
    """
    p, q = source @ (1, 1j), target @ (1, 1j)
    middle, onto = p.mean(), q.mean()
    turn = ((q - onto) * (p - middle).conj()).sum() / (abs(p - middle) ** 2).sum()
    shift = onto - turn * middle
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def to_box(box: Box, aim: Aim) -> Points:
    """Return the transform, float64 (2, 3), that makes the square around `box`, with the margin, the crop."""
    x, y, w, h = box
    side = max(w, h, 1.0) * (1 + 2 * aim.margin)
    scale = aim.size / side
    left, top = x + w / 2 - side / 2, y + h / 2 - side / 2
    return np.array([[scale, 0, scale * (0.5 - left) - 0.5], [0, scale, scale * (0.5 - top) - 0.5]])


def apply(transform: Points, points: Points) -> Points:
    """Return points, float64 (n, 2), in the crop's coordinates."""
    return np.asarray(points @ transform[:, :2].T + transform[:, 2])


def apply_to_box(transform: Points, box: Sequence[float]) -> Box:
    """Return the upright box, in the crop, around what was `box` in the source."""
    x, y, w, h = box
    corners = np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]]) - 0.5
    placed = apply(transform, corners) + 0.5
    (left, top), (right, bottom) = placed.min(0), placed.max(0)
    return float(left), float(top), float(right - left), float(bottom - top)


def warp(image: NDArray[np.integer], transform: Points, size: int) -> NDArray[np.uint8]:
    """Return the crop, uint8 (size, size) or (size, size, 3); what lies outside the picture is black."""
    source, step = as_uint8(image), transform
    whole = int(1 / max(np.hypot(transform[0, 0], transform[1, 0]), 1e-6))
    if whole >= 2:  # bilinear alone would skip pixels, and the crop would flicker with a shift of one
        height, width = source.shape[:2]
        less = max(round(width / whole), 1), max(round(height / whole), 1)
        source = cv2.resize(source, less, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        back = np.array([width / less[0], height / less[1]])
        step = np.column_stack([transform[:, :2] * back, apply(transform, (back / 2 - 0.5)[None])[0]])
    done = cv2.warpAffine(source, step, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return done.astype(np.uint8, copy=False)
