"""Films: frames by number, decoded once each, and parts of them."""

from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ferdata.images.codec import UnreadableImage


class Video:
    """A video file, read frame by frame; frames asked for in rising order are decoded once each."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises UnreadableImage if it is no video that OpenCV can read."""
        self.capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self.at = 0
        if not self.capture.isOpened():
            raise UnreadableImage("not a readable video")

    @property
    def frames(self) -> int:
        """How many frames the file says it has; a cut file may hold fewer."""
        return max(int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)

    def read(self, index: int) -> NDArray[np.integer]:
        """Return frame `index` (from 0) as uint8 (H, W, 3) RGB. Raises UnreadableImage if it is not there."""
        if index < self.at:
            self.capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            self.at = 0
        while self.at < index and self.capture.grab():
            self.at += 1
        done, image = self.capture.read() if self.at == index else (False, None)
        if not done or image is None:
            raise UnreadableImage(f"no frame {index} in the video")
        self.at += 1
        return cast(NDArray[np.integer], cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def part(image: NDArray[np.integer], box: tuple[float, float, float, float], turn: int = 0) -> NDArray[np.integer]:
    """Cut `box` (x, y, width, height, as shares of the image) out and turn it by clockwise quarter turns."""
    height, width = image.shape[:2]
    x, y, w, h = box
    cut = image[round(y * height) : round((y + h) * height), round(x * width) : round((x + w) * width)]
    return np.ascontiguousarray(np.rot90(cut, -turn)) if turn else np.ascontiguousarray(cut)
