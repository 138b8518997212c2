"""What an interrupted write leaves behind, hidden beside its output, for `--resume` to go on from."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ferdata.errors import BadOption

KEY = "ferdata.partial"


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
        file = pq.ParquetFile(self.path)
        state = json.loads((file.metadata.metadata or {}).get(KEY.encode(), b"{}"))
        if state.get("same") != json.loads(json.dumps(self.same)):
            raise BadOption(
                f"{self.path} was left by another run: of another input, or with other options.",
                "Leave out --resume to begin anew; that removes it.",
            )
        self.rejects = state["rejects"]
        return file.iter_batches(batch_size=512), int(file.metadata.num_rows) + len(self.rejects)

    def mark(self) -> None:
        """Note the rejects that belong to the rows written so far."""
        self._marked = list(self.rejects_now())

    def state(self) -> dict[str, str]:
        """Return the file metadata that `read` needs."""
        return {KEY: json.dumps({"same": self.same, "rejects": list(self._marked)})}

    def discard(self) -> None:
        """Remove what was kept."""
        self.path.unlink(missing_ok=True)
