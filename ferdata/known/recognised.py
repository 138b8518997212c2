"""Rows on their way into a manifest: looked up, and what is known of them taken over where that was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ferdata import labels
from ferdata.known.lookup import NONE, Found, Lookup
from ferdata.schema import SPLITS, arrow_schema

VOTED = "fer2013"  # whose rows the votes are of
Votes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Recognised:
    """Batches with what is known of their rows; `votes` by the key of FER2013's row. `use` takes splits and votes over.

    Where a row is known, its official split is that of the known row, and none where the copies are more than those
    that the dataset has, and stand in several of its splits.
    """

    lookup: Lookup
    use: bool
    votes: Votes

    @property
    def words(self) -> str:
        """What a stopped ingest must have in common with the one that goes on."""
        return (
            f"{'use' if self.use else 'tell'} {','.join(index.name for index in self.lookup.indexes)} {len(self.votes)}"
        )

    def __call__(self, batch: pa.RecordBatch, maps: Mapping[str, Mapping[str, str]], policy: str) -> pa.RecordBatch:
        """Return the batch; labels are derived again, under the policy, where votes came to its rows."""
        found = self.lookup(batch["pixel_hash"], batch["phash"])
        known = found.index != NONE
        if not self.use or not known.any():
            return batch
        table = _with(pa.table(batch), "official_split", _splits(batch, found))
        if self.votes:
            table = _with(table, "votes", self._votes(batch, found))
            for name, column in labels.derive(table, maps, policy, labels.TAXONOMIES["basic8"]).items():
                table = _with(table, name, column)
        return table.combine_chunks().to_batches()[0]

    def _votes(self, batch: pa.RecordBatch, found: Found) -> list[Any]:
        votes: list[Any] = batch["votes"].to_pylist()
        for at, index in enumerate(self.lookup.indexes):
            if index.name == VOTED:
                for place in np.flatnonzero((found.index == at) & (found.row != NONE)).tolist():
                    votes[place] = self.votes.get(index.keys[int(found.row[place])].as_py(), votes[place])
        return votes


def _splits(batch: pa.RecordBatch, found: Found) -> list[str | None]:
    own = batch["official_split"].to_pylist()
    words = (*SPLITS, None)
    pairs = zip(found.index.tolist(), found.split.tolist(), own, strict=True)
    return [own_split if index == NONE else words[split] for index, split, own_split in pairs]


def _with(table: pa.Table, name: str, values: Any) -> pa.Table:
    kind = arrow_schema(name).field(name)
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, kind.type)
    return table.set_column(table.column_names.index(name), kind, array)
