"""Which split each row is in, and how many rows of each there are."""

from collections import Counter

import pyarrow as pa

from ferdata.schema import SPLITS

Counted = dict[str, dict[str, dict[str, int]]]  # dataset -> split -> "rows" and "labelled" -> how many


def split_column(table: pa.Table) -> str:
    """Return the column of `table` that says which split a row is in: `split`, or `official_split` where none was made.

    A manifest has been split if a row of it has a split; a row without one is then in none.
    """
    return "official_split" if table["split"].null_count == table.num_rows else "split"


class Counts:
    """Rows by dataset and split, kept in the metadata so that `show` reads no rows."""

    def __init__(self) -> None:
        self.rows = 0
        self._cells: Counter[tuple[str, str | None, str | None, bool]] = Counter()

    def update(self, batch: pa.RecordBatch) -> None:
        """Count the rows of `batch`, which has the schema's columns."""
        self.rows += batch.num_rows
        keys = ("dataset", "split", "official_split")
        table = pa.table({name: batch.column(name) for name in keys} | {"labelled": batch.column("target").is_valid()})
        grouped = table.group_by([*keys, "labelled"], use_threads=False).aggregate([([], "count_all")])
        for cell in grouped.to_pylist():
            self._cells[*(cell[name] for name in keys), cell["labelled"]] += cell["count_all"]

    def as_dict(self) -> Counted:
        """Return the rows of each dataset and split; `none` holds those in no split."""
        made = any(split is not None for _, split, _, _ in self._cells)
        counts: Counted = {}
        order = {name: i for i, name in enumerate((*SPLITS, "none"))}
        cells = [
            (dataset, (split if made else official) or "none", labelled, n)
            for (dataset, split, official, labelled), n in self._cells.items()
        ]
        for dataset, name, labelled, n in sorted(cells, key=lambda c: (c[0], order.get(c[1], len(order)))):
            cell = counts.setdefault(dataset, {}).setdefault(name, {"rows": 0, "labelled": 0})
            cell["rows"] += n
            cell["labelled"] += labelled * n
        return counts
