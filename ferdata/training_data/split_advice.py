"""What to say where a split lacks rows: the command that mends it, and what it costs where a published test is lost."""

import pyarrow as pa
import pyarrow.compute as pc

from ferdata.manifest import Manifest
from ferdata.manifest.counts import split_column


def how_to_split(manifest: Manifest, table: pa.Table) -> str:
    """Return how `manifest` gets the splits that it lacks; `table` has its split and official_split columns.

    `merge` and `split` keep official tests by default and draw val from train. Shares are advised only where no test
    was published, or where that is lost: with a word on what it costs.
    """
    path = manifest.path
    if split_column(table) == "official_split":
        return f"Merge it, which keeps official tests and takes val from train: ferdata merge {path} -o merged.parquet"
    if _tests(table) and pc.any(pc.equal(table["split"], "test")).as_py():
        return (
            f"Split it again, which keeps official tests and samples val from train: ferdata split {path} -o "
            f"split.parquet"
        )
    return redraw(manifest, table)


def redraw(manifest: Manifest, table: pa.Table) -> str:
    """Return how to draw all splits of `manifest` anew, and what that costs where a test was published."""
    command = f"Make new random splits: ferdata split {manifest.path} --split 0.8,0.1,0.1 -o random.parquet"
    if not (tests := _tests(table)):
        return command
    lost = f"This gives up the official test of {', '.join(tests)}: results do not compare with published ones."
    return f"{command}\n({lost})"


def _tests(table: pa.Table) -> list[str]:
    """Return the datasets that have a published test."""
    rows = table.filter(pc.equal(table["official_split"], "test"))
    return sorted(map(str, pc.unique(rows["dataset"]).to_pylist()))
