"""Plant copies of pictures, of every kind that is found in the wild, to learn which of them are found again."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from ferdata.duplicates.compare import grey

Picture = NDArray[np.uint8]  # (H, W) grey or (H, W, 3) RGB
Kind = Callable[[Picture, np.random.Generator], Picture]


def _jpeg(quality: int) -> Kind:
    def copy(picture: Picture, _: np.random.Generator) -> Picture:
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return _bytes(np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)))

    return copy


def _resize(side: int, back: bool) -> Kind:
    def copy(picture: Picture, _: np.random.Generator) -> Picture:
        height, width = picture.shape[:2]
        large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
        return _bytes(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA) if back else large)

    return copy


def _colour(picture: Picture, rng: np.random.Generator) -> Picture:
    """Make grey of colour, and of grey a colour JPEG, so that its pixels are not the same either."""
    if picture.ndim == 3:
        return grey(picture)
    return _jpeg(90)(_bytes(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)), rng)


def _mirror(picture: Picture, rng: np.random.Generator) -> Picture:
    return _jpeg(90)(np.ascontiguousarray(picture[:, ::-1]), rng)


def _crop(share: float, anywhere: bool = False) -> Kind:
    def copy(picture: Picture, rng: np.random.Generator) -> Picture:
        height, width = picture.shape[:2]
        h, w = round(height * (1 - share)), round(width * (1 - share))
        y, x = rng.integers([height - h + 1, width - w + 1]) if anywhere else ((height - h) // 2, (width - w) // 2)
        return _bytes(cv2.resize(picture[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_CUBIC))

    return copy


def _turn(degrees: float) -> Kind:
    def copy(picture: Picture, rng: np.random.Generator) -> Picture:
        height, width = picture.shape[:2]
        angle = degrees * rng.choice((-1, 1))
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
        return _bytes(cv2.warpAffine(picture, matrix, (width, height)))

    return copy


def _light(factor: float) -> Kind:
    return lambda picture, _: np.clip(picture * factor, 0, 255).astype(np.uint8)


def _blur(share: float) -> Kind:
    return lambda picture, _: _bytes(cv2.GaussianBlur(picture, (0, 0), share * max(picture.shape[:2])))


def _all_of(*kinds: Kind) -> Kind:
    def copy(picture: Picture, rng: np.random.Generator) -> Picture:
        for kind in kinds:
            picture = kind(picture, rng)
        return picture

    return copy


def _bytes(picture: NDArray[np.generic]) -> Picture:
    return picture.astype(np.uint8, copy=False)


# name -> how the copy is made. Shares are of the picture's width and height.
KINDS: Mapping[str, Kind] = {
    "JPEG, quality 75": _jpeg(75),
    "JPEG, quality 40": _jpeg(40),
    "enlarged to 224": _resize(224, back=False),
    "to 224 and back": _resize(224, back=True),
    "grey or colour": _colour,
    "mirrored": _mirror,
    "brighter by 30 %": _light(1.3),
    "darker by 40 %": _light(0.6),
    "blurred by 2 %": _blur(0.02),
    "blurred by 4 %": _blur(0.04),
    "cropped by 4 %": _crop(0.04),
    "cropped by 8 %": _crop(0.08),
    "cropped by 12 %": _crop(0.12),
    "cropped by 20 %": _crop(0.20),
    "cropped by 8 %, off centre": _crop(0.08, anywhere=True),
    "rotated by 2 degrees": _turn(2),
    "rotated by 5 degrees": _turn(5),
    "rotated by 10 degrees": _turn(10),
    "rotated by 15 degrees": _turn(15),
    "mirrored, rotated 5, cropped 8 %": _all_of(_mirror, _turn(5), _crop(0.08, anywhere=True)),
}
