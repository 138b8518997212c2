"""Videos, frame by frame: every n-th frame is decoded, the others are only skipped over, and none is kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferdata.images import UnreadableImage, Video
from ferdata.manifest.safe_paths import must_be_file

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported

SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv", ".mjpeg"))


@dataclass(frozen=True)
class Frame:
    """Frame `index` (from 0) of a video, `seconds` after its begin; `pixels` uint8 (H, W, 3), RGB."""

    index: int
    seconds: float
    pixels: NDArray[np.integer]


def is_video(path: Path) -> bool:
    """Return whether a file of that name is to be read as a video; macOS leftovers (`._a.mp4`) are not."""
    return not path.name.startswith(".") and path.suffix.lower() in SUFFIXES


class Reader:
    """An open video. `frames` is how many it says it has, which a video that was cut short still says."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises OSError, and UnreadableImage if it is no video that OpenCV reads."""
        must_be_file(path)
        self.video = Video(path)
        self.frames = self.video.frames
        self.rate = float(self.video.capture.get(cv2.CAP_PROP_FPS))

    def every(self, step: int) -> Iterator[Frame]:
        """Yield frames 0, `step`, twice `step` and so on, to the end. Raises UnreadableImage if there is none at all.

        A video that ends before it says raises UnreadableImage too, after its last whole frame.
        """
        index = 0
        while True:
            try:
                pixels = self.video.read(index)
            except UnreadableImage:
                break
            yield Frame(index, self._seconds(index), pixels)
            index += step
        read = self.video.at
        # Containers without an index guess their length from size or duration: a frame in fifty may be wrong.
        if not read or read < 0.98 * self.frames - 1:
            raise UnreadableImage(f"ends at frame {read:,} of {self.frames:,}" if read else "no readable frame")

    def _seconds(self, index: int) -> float:
        """Return the time of frame `index`, which was just read, to the millisecond.

        It is what the file says of the frame; some containers say nothing, and then the rate must do.
        """
        at = float(self.video.capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        return round(at if at > 0 or not self.rate else index / self.rate, 3)
