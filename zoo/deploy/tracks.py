"""Faces of a film, followed from frame to frame by where they are: a number each, as long as it is seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ferdata.images.detectors import Box, overlap

OVERLAP = 0.3  # of a box with that of the last frame, for both to be one face: SORT's (Bewley et al. 2016, ICIP)
LOST = 1.0  # seconds that a face may be missed: ByteTrack's 30 frames of 30 a second (Zhang et al. 2022, ECCV)
RATE = 25.0  # frames a second of a film that does not say


def patience(rate: float, every: int) -> int:
    """Return for how many frames looked at, every `every`-th of `rate` a second, a face is waited for: LOST seconds.

    At least 2, so that a detector may miss a face once, however far apart the frames are.
    """
    return max(2, math.ceil(LOST * (rate if rate > 0 else RATE) / every))


@dataclass
class Track:
    """One face: its number, its last box, and in which frame (of those looked at) that was."""

    number: int
    box: Box
    frame: int


class Tracker:
    """Numbers the faces of one film, from 1. Two that hide each other may come out with exchanged numbers."""

    def __init__(self, patience: int) -> None:
        """Prepare to wait for a face up to its `patience`-th frame after the last that showed it."""
        self.patience, self.frame, self.count = patience, -1, 0
        self.open: list[Track] = []

    def __call__(self, boxes: Sequence[Box]) -> list[int]:
        """Return the numbers of the faces in the next frame, in order.

        Faces and boxes are matched so that they overlap most in sum (Kuhn 1955), by OVERLAP each.
        """
        self.frame += 1
        self.open = [track for track in self.open if self.frame - track.frame <= self.patience]
        shared = np.array([[overlap(track.box, box) for box in boxes] for track in self.open])
        shared = np.where(shared >= OVERLAP, shared, 0).reshape(len(self.open), len(boxes))
        pairs = zip(*linear_sum_assignment(shared, maximize=True), strict=True)
        known = {int(at): self.open[i] for i, at in pairs if shared[i, at]}
        tracks = [known.get(at) or self._begin(box) for at, box in enumerate(boxes)]
        for track, box in zip(tracks, boxes, strict=True):
            track.box, track.frame = box, self.frame
        return [track.number for track in tracks]

    def _begin(self, box: Box) -> Track:
        self.count += 1
        self.open.append(Track(self.count, box, self.frame))
        return self.open[-1]
