"""Faces of a video or a camera, followed from frame to frame by where they are: a number each, while it is seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ferdata.images.detectors import Box, overlap

OVERLAP = 0.3  # of a box with that of the last frame, for both to be one face: SORT's (Bewley et al. 2016, ICIP)
LOST = 1.0  # seconds that a face may be missed: ByteTrack's 30 frames of 30 a second (Zhang et al. 2022, ECCV)
MISSED = 2  # frames in which a face is found again in any case, so that a detector may miss it once at any rate


@dataclass
class Track:
    """One face: its number, its last box, and in which frame (of those looked at) and when that was."""

    number: int
    box: Box
    frame: int
    seconds: float


class Tracker:
    """Numbers the faces of one video or camera, from 1. Two that hide each other may exchange their numbers."""

    def __init__(self) -> None:
        """Prepare for the first frame."""
        self.frame, self.count = -1, 0
        self.open: list[Track] = []

    def __call__(self, boxes: Sequence[Box], seconds: float) -> list[int]:
        """Return the numbers of the faces in the next frame, in order; it was taken at `seconds` of any clock.

        Faces and boxes are matched so that they overlap most in sum (Kuhn 1955), by OVERLAP each. A face that was
        missed is waited for LOST seconds, and for MISSED frames at least.
        """
        self.frame += 1
        self.open = [track for track in self.open if self._may_return(track, seconds)]
        shared = np.array([[overlap(track.box, box) for box in boxes] for track in self.open])
        shared = np.where(shared >= OVERLAP, shared, 0).reshape(len(self.open), len(boxes))
        pairs = zip(*linear_sum_assignment(shared, maximize=True), strict=True)
        known = {int(at): self.open[i] for i, at in pairs if shared[i, at]}
        tracks = [known.get(at) or self._begin(box) for at, box in enumerate(boxes)]
        for track, box in zip(tracks, boxes, strict=True):
            track.box, track.frame, track.seconds = box, self.frame, seconds
        return [track.number for track in tracks]

    def _may_return(self, track: Track, seconds: float) -> bool:
        # A thousandth more: times of frames are rounded.
        return self.frame - track.frame <= MISSED or seconds - track.seconds <= LOST + 0.001

    def _begin(self, box: Box) -> Track:
        self.count += 1
        self.open.append(Track(self.count, box, self.frame, 0.0))
        return self.open[-1]
