"""Pairs that are found once and gone through several times: in memory, or, where they are very many, in a file."""

import tempfile
from collections.abc import Iterator
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ferdata.duplicates.compare import no_room

Pairs = NDArray[np.int64]
HELD = 1 << 26  # bytes in memory: of eight million pairs


class PairStore:
    """Pairs of numbers below 2 ** 32, in the pieces in which they were added; a file of theirs has no name."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(HELD, prefix="ferdata-")  # noqa: SIM115  # closed by __exit__
        self._sizes: list[int] = []

    def __enter__(self) -> "PairStore":
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the pairs."""
        self._file.close()

    def add(self, pairs: Pairs) -> None:
        """Put down a piece, int64 (n, 2). Raises CannotWrite."""
        try:
            self._file.write(pairs.astype(np.uint32).tobytes())
        except OSError as error:
            raise no_room(8 * (sum(self._sizes) + len(pairs)), error) from None
        self._sizes.append(len(pairs))

    def __iter__(self) -> Iterator[Pairs]:
        """Yield the pieces, int64 (n, 2), in the order in which they were added."""
        self._file.seek(0)
        for n in self._sizes:
            yield np.frombuffer(self._file.read(8 * n), np.uint32).reshape(n, 2).astype(np.int64)
