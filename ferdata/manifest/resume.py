"""What an interrupted write leaves behind, hidden beside its output, for `--resume` to go on from."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ferdata.errors import BadOption
from ferdata.manifest.parts import Parts
from ferdata.manifest.writer import remove

KEY = "ferdata.manifest.resume"


class Partial:
    """The rows that an interrupted write of `out` had finished; `same` must be equal for them to be of use."""

    def __init__(self, out: Path, same: Mapping[str, Any]) -> None:
        self.path = out.with_name(f".{out.name}.resume")
        self.same = dict(same)
        self.rejects: list[dict[str, Any]] = []
        self.rejects_now: Callable[[], Sequence[Mapping[str, Any]]] = list
        self._marked: Sequence[Mapping[str, Any]] = ()

    def read(self) -> tuple[Iterator[pa.RecordBatch], int]:
        """Return the finished rows, and how many samples became them or `rejects`; nothing where nothing was kept.

        Raises BadOption if what was kept is of another dataset, root or set of options.
        """
        if not self.path.exists():
            return iter(()), 0
        # Parts of an unfinished folder have numbers, but no total yet.
        kept = Parts(sorted(self.path.iterdir()) if self.path.is_dir() else [self.path])
        state = json.loads(kept.key_values.get(KEY.encode(), b"{}"))
        if state.get("same") != json.loads(json.dumps(self.same)):
            raise BadOption(
                f"{self.path} was left by another run: of another input, or with other options.",
                "Leave out --resume to begin anew; that removes it.",
            )
        self.rejects = state["rejects"]
        return kept.iter_batches(batch_size=512), kept.rows + len(self.rejects)

    def mark(self) -> None:
        """Note the rejects that belong to the rows written so far."""
        self._marked = list(self.rejects_now())

    def state(self) -> dict[str, str]:
        """Return the file metadata that `read` needs."""
        return {KEY: json.dumps({"same": self.same, "rejects": list(self._marked)})}

    def discard(self) -> None:
        """Remove what was kept."""
        remove(self.path)
