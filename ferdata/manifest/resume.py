"""What a write that was stopped leaves behind, hidden beside its output, for `--resume` to go on from."""

import contextlib
import itertools
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from ferdata.errors import BadOption, FerdataError, FerdataWarning
from ferdata.manifest.parts import Parts
from ferdata.manifest.writer import Sink
from ferdata.running.whole_folder import remove

KEY = "ferdata.manifest.resume"
ANEW = "Leave out --resume to start again; the old rows are removed when that has succeeded."
BATCH = 512  # rows
S = TypeVar("S")


class Partial:
    """The rows that a stopped write of `out` had finished; `same` must be equal for them to be of use.

    `rejects` are those of that run, once it is read; `rejects_now` tells those of this one so far. `unused` counts the
    finished rows that `matching` found to be of no use.
    """

    def __init__(self, out: Path, same: Mapping[str, Any]) -> None:
        self.out, self.path = out, out.with_name(f".{out.name}.resume")
        self.same: dict[str, Any] = json.loads(json.dumps(dict(same)))
        self.rejects: list[dict[str, Any]] = []
        self.rejects_now: Callable[[], Sequence[Mapping[str, Any]]] = list
        self.rows = self.unused = 0
        self.after: Iterator[Any] = iter(())
        self._kept: Parts | None = None
        self._before, self._ours = 0, False  # samples that are done in what was left, and whether it is of use
        self._marks = [(0, 0)]  # rows and rejects after each batch

    def begin(self, resume: bool) -> None:
        """Look for what was left, to go on from it or, without `resume`, to warn that it is passed over.

        Raises BadOption with `resume` if it is of another dataset, root or set of options, or cannot be read.
        """
        if not self.path.exists():
            return
        kept, state = self._open()
        rows, number = _latest(state["marks"], sum(kept.whole_groups)) if kept else (0, 0)
        self._before, self._ours = rows + number, state.get("same") == self.same
        if resume and not self._ours:
            what = "is from another run, with another input or other options" if state else "cannot be read"
            raise BadOption(f"{self.path} {what}.", ANEW)
        if resume:
            self._kept, self.rows, self.rejects = kept, rows, state["rejects"][:number]
        else:
            of_use = (
                "--resume would continue from them" if self._ours else "they are from another input or other options"
            )
            left = f"An interrupted run left {rows:,} rows for {self.out}: {of_use}."
            warnings.warn(
                FerdataWarning(f"{left} This run starts again, and removes them when it has succeeded."), stacklevel=2
            )

    def _open(self) -> tuple[Parts | None, dict[str, Any]]:
        """Return what was left, and its state, which is empty where it cannot be read."""
        try:
            # Parts of an unfinished folder have numbers, but no total yet.
            kept = Parts(sorted(self.path.iterdir()) if self.path.is_dir() else [self.path])
            return kept, dict(json.loads(kept.key_values[KEY.encode()]))
        except (OSError, pa.ArrowException, KeyError, ValueError, FerdataError):
            return None, {}

    def read(self) -> tuple[Iterator[pa.RecordBatch], int]:
        """Return the finished rows, and how many samples became them or `rejects`; nothing where nothing was kept."""
        return self._finished(), self.rows + len(self.rejects)

    def _finished(self) -> Iterator[pa.RecordBatch]:
        """Yield the finished rows."""
        for first, n in self._kept.pieces(BATCH) if self._kept else ():
            if first >= self.rows:
                return
            yield self._kept.slice(first, min(n, self.rows - first))  # type: ignore[union-attr]

    def matching(
        self, samples: Iterator[S], id_of: Callable[[S], str]
    ) -> Iterator[tuple[pa.RecordBatch, list[dict[str, Any]]]]:
        """Yield the finished rows, and the rejects that stand among them, while they are what `samples` become.

        From the first sample that is another, as where files were added or taken away since, the rows are `unused`.
        `id_of` tells a sample's id; the samples that follow are in `after`.
        """
        rejects = {reject["sample_id"]: reject for reject in self.rejects}
        met: list[dict[str, Any]] = []

        def following() -> S | None:
            for sample in samples:
                reject = rejects.pop(id_of(sample), None)
                if reject is None:
                    return sample
                met.append(reject)
            return None

        sample, done, known = following(), 0, 0
        for batch in self._finished():
            ids, same = batch.column("sample_id").to_pylist(), 0
            while same < len(ids) and sample is not None and id_of(sample) == ids[same]:
                sample, same = following(), same + 1
            done, known = done + same, known + len(met)
            yield batch.slice(0, same), met.copy()
            met.clear()
            if same < len(ids):
                self.unused, self._before = self.rows - done, done + known
                break
        self.after = itertools.chain([] if sample is None else [sample], samples)

    def mark(self, rows: int) -> None:
        """Note that `rows` have been written, and which rejects belong to them."""
        self._marks.append((rows, len(self.rejects_now())))

    def keep(self, sink: Sink) -> bool:
        """Leave what `sink` has written for another run; return whether there is something to go on from.

        What was left before stays unless this is more.
        """
        state = {"same": self.same, "rejects": list(self.rejects_now()), "marks": self._marks}
        with contextlib.suppress(OSError, pa.ArrowException):  # a disk that is full to the last byte
            rows = 0 if sink.closed else sink.close_short({KEY: json.dumps(state)})
            if sum(_latest(self._marks, rows)) > self._before:
                sink.keep_as(self.path)
                return True
        return self._ours and self._before > 0

    def discard(self) -> None:
        """Remove what was kept."""
        remove(self.path)


def _latest(marks: Sequence[Sequence[int]], rows: int) -> tuple[int, int]:
    """Return the rows and rejects of the last batch that is within so many rows; without a row there is nothing."""
    written, rejects = next(mark for mark in reversed(marks) if mark[0] <= rows)
    return (written, rejects) if written else (0, 0)
