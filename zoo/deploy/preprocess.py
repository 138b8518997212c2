"""From a picture to what the net reads: which faces, which pixels, which floats. Every use of a run comes through here.

Training packs its images with the same two steps, `ferdata.training_data.arrays.prepare` and
`zoo.augment.apply.normalise`, and `ferdata align` cuts faces with the same transforms and resampling; so what a run is
shown later is what it has learnt from.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ferdata.errors import BadOption, choose_one
from ferdata.images import alignment, detectors
from ferdata.images.alignment import Aim
from ferdata.images.detectors import Box, Face
from ferdata.training_data import arrays
from zoo.augment.apply import as_float, normalise
from zoo.run.model_file import Meta

DETECT = ("none", *detectors.DETECTORS)
# About a found box, for runs trained on crops as published. A net of FER+'s crops was shown 400 photographs: with YuNet
# it told 79 % at 0, 75 % at 0.1 and 64 % at 0.2; with Haar, whose boxes are wider, 77, 78 and 70 %.
MARGIN = 0.0
MARGINS = (-0.25, 2.0)
FACES = 64  # in one picture at most, the largest: a crowd is no reason to run out of memory


@dataclass(frozen=True)
class Preprocess:
    """What a checkpoint says of its input: `size` square, `channels` 1 or 3, `mean` and `std` per channel in 0..1."""

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: str = arrays.CROP
    interpolation: str = arrays.INTERPOLATION

    @classmethod
    def of(cls, meta: Meta) -> "Preprocess":
        """Return that of a checkpoint; one cut or resized otherwise does not get past `checkpoint.read_meta`."""
        return cls(meta.size, meta.channels, meta.mean, meta.std, meta.crop, meta.interpolation)

    def pixels(self, image: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return uint8 (size, size, channels) of a decoded image, grey (H, W) or RGB (H, W, 3): what a pack holds."""
        return arrays.prepare(image, self.size, self.channels)

    def batch(self, pixels: Tensor) -> Tensor:
        """Return what the net reads, float32 (n, channels, size, size), of uint8 (n, size, size, channels)."""
        return self.normalised(as_float(pixels))

    def normalised(self, x: Tensor) -> Tensor:
        """Return float32 (n, channels, H, W) in 0..1 as the net reads it."""
        return normalise(x, x.new_tensor(self.mean), x.new_tensor(self.std))


@dataclass(frozen=True)
class Cut:
    """One face: `pixels` uint8 (size, size, channels); `box` x, y, width, height in the picture's pixels.

    `box` and `score`, the detector's, are None where the whole picture was taken for a face; `track` is its number in a
    video (`zoo.deploy.tracks`), None where it was not followed.
    """

    pixels: NDArray[np.uint8]
    box: Box | None = None
    score: float | None = None
    track: int | None = None


class Cutter:
    """Finds the faces of a picture and cuts them as the run's training set was cut. Serves any number of threads.

    `detector` is the name of the one that looks, None where pictures are taken for faces.
    """

    def __init__(
        self, meta: Meta, find: str | None = None, model: Path | str | None = None, margin: float | None = None
    ) -> None:
        """Prepare for a run. `find` is one of DETECT, or None for what it was trained with (`looks_with`).

        `model` is YuNet's file, `margin` the share about a face on every side, else as in training. Raises BadOption,
        MissingModel.
        """
        self.preprocess = Preprocess.of(meta)
        self.detector, self.aim = looks_with(meta, find), _aim(meta, margin)
        if self.detector is None and (model or margin is not None):
            raise BadOption(
                f"{'--model' if model else '--margin'} is an option of the face detector, and there is none here.",
                "Add --detect yunet or --detect haar, or leave it out.",
            )
        if self.detector == "haar" and model:
            raise BadOption(
                "--model is the file of yunet, and the detector is haar.", "Leave it out, or add --detect yunet."
            )
        self._model = detectors.read_model(detectors.find_model(model)) if self.detector == "yunet" else None

    def __call__(self, image: NDArray[np.integer]) -> list[Cut]:
        """Return the faces in a decoded image, the largest first; an empty list where a detector found none."""
        if self.detector is None:
            return [Cut(self.preprocess.pixels(image))]
        looking = detectors.here(self.detector, self._model)
        faces = sorted(looking(image), key=lambda face: -face.box[2] * face.box[3])[:FACES]
        return [Cut(self._pixels(image, face), face.box, face.score) for face in faces]

    def _pixels(self, image: NDArray[np.integer], face: Face) -> NDArray[np.uint8]:
        return self.preprocess.pixels(alignment.warp(image, alignment.to_face(face, self.aim), self.aim.size))


def looks_with(meta: Meta, find: str | None) -> str | None:
    """Return the detector that looks for faces, None for none.

    Unless `find` says: none for a run trained on pictures as published, else the one that its training set was cut
    with. Raises BadOption.
    """
    if find is not None and find not in DETECT:
        raise BadOption(f"--detect cannot be {find!r}.", choose_one(find, DETECT))
    if find is not None:
        return None if find == "none" else find
    if meta.alignment is None:
        return None
    if meta.alignment.get("mixed"):
        raise BadOption(
            "This run was trained on faces that were cut in several ways, so that there is no way to cut a new one.",
            "Add --detect yunet or --detect haar to detect faces, or --detect none for pictures that are face crops.",
        )
    return str(meta.alignment["detector"])


def or_any(meta: Meta, find: str | None) -> str | None:
    """Return `find`, or, for whole scenes (a camera, a video), a detector even if the run was trained without one."""
    if find is None and (meta.alignment is None or meta.alignment.get("mixed")):
        return "haar" if detectors.find_model() is None else "yunet"
    return find


def looks_in_videos(meta: Meta, find: str | None) -> str | None:
    """Return the detector that looks at the frames of videos and of a camera, None for none. Raises BadOption."""
    return looks_with(meta, or_any(meta, find))


def _aim(meta: Meta, margin: float | None) -> Aim:
    """Return how a found face is cut: as recorded, else upright boxes with a margin, at the net's size."""
    if margin is not None and not MARGINS[0] <= margin <= MARGINS[1]:
        raise BadOption(f"--margin cannot be {margin}.", "Use a share of the face's side, -0.25 to 2: 0.1.")
    known = meta.alignment
    if known is None or known.get("mixed"):
        return Aim(meta.size, MARGIN if margin is None else margin, "box")
    aim = Aim(known["size"], known["margin"], known["template"])
    return aim if margin is None else replace(aim, margin=margin)
