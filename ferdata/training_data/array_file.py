"""The file of a pack: an array in NumPy's own format, written piece by piece, opened as a mapping."""

import itertools
import mmap
import os
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferdata.running import cache

Shape = tuple[int, int, int, int]


def header(shape: Shape) -> bytes:
    """Return the beginning of a .npy file of uint8, so that `numpy.load` opens a pack too."""
    text = BytesIO()
    np.lib.format.write_array_header_1_0(text, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return text.getvalue()


def length(shape: Shape) -> int:
    """Return how many bytes the file of an array of that shape has."""
    return len(header(shape)) + int(np.prod(shape))


def mapped(path: Path, shape: Shape) -> tuple[mmap.mmap, NDArray[np.uint8]] | None:
    """Map a file, and return the mapping and its array, read-only; None where it is cut short or of another shape.

    Nothing is read before it is used, and what memory has no place for is read again. Raises OSError.
    """
    start = header(shape)
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size != length(shape) or file.read(len(start)) != start:
            return None
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return mapping, np.frombuffer(mapping, np.uint8, offset=len(start)).reshape(shape)


class Writer:
    """A pack's file while it is made; several threads may write.

    It is not written through a mapping, since a disk that fills would then kill the process. Raises NoRoom.
    """

    def __init__(self, path: Path, shape: Shape) -> None:
        self.shape, self.row = shape, int(np.prod(shape[1:]))
        self.start = header(shape)
        self._lock = threading.Lock()
        with cache.writing():
            self.file = path.open("xb", buffering=0)
            try:
                if hasattr(os, "posix_fallocate"):  # a full disk shows before the work
                    os.posix_fallocate(self.file.fileno(), 0, length(shape))
                self._put(self.start, 0)
            except BaseException:
                self.file.close()
                raise

    def write(self, places: NDArray[np.intp], pixels: NDArray[np.uint8]) -> None:
        """Put `pixels` (m, size, size, channels) at the rows `places`, int (m,)."""
        cuts = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
        with cache.writing(), self._lock:
            for begin, end in itertools.pairwise(cuts):
                self._put(pixels[begin:end].data, len(self.start) + int(places[begin]) * self.row)

    def _put(self, data: bytes | memoryview, at: int) -> None:
        left = memoryview(data).cast("B")
        self.file.seek(at)
        while left:
            left = left[self.file.write(left) :]

    def finish(self) -> None:
        """Bring it to the disk, so that no crash leaves a file that is long enough but empty."""
        with cache.writing():
            os.fsync(self.file.fileno())

    def close(self) -> None:
        """Close the file, finished or not."""
        self.file.close()
