"""The faces that are learnt from: FER+'s labelled rows as one manifest, pixels embedded, split as `merge` does.

    python -m gpu.faces OUT [FERPLUS]

FERPLUS is FER+ as published, with its PNGs. Without it, drawn faces take their place, which is enough to rehearse.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from ferdata.manifest import Manifest, step_record
from ferdata.manifest.rewrite import rewritten_metadata, with_columns, write_rewritten
from ferdata.steps.draw import draw
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge

DRAWN = 700  # faces, of which FER+'s tree takes a good half


def write(out: Path, ferplus: Path | None = None) -> int:
    """Write the manifest `out`, in place of an earlier one; return how many rows it has."""
    with tempfile.TemporaryDirectory(prefix="ferdata-gpu-") as temporary:
        work = Path(temporary)
        root = ferplus or draw(work / "drawn", faces=DRAWN)["ferplus"]
        ingest("ferplus", root=root, out=work / "all.parquet", images="embed")
        merge(work / "all.parquet", out=work / "merged.parquet")
        return keep_labelled(work / "merged.parquet", out)


def keep_labelled(whole: Path, out: Path) -> int:
    """Write the rows that have a class and a split: what nothing is learnt or judged from need not travel."""
    source = Manifest(whole)
    table = source.table("target", "split")
    kept = np.flatnonzero(pc.and_(table["target"].is_valid(), table["split"].is_valid()).to_numpy())
    step = step_record("keep", {"rows": "with a class, in a split"}, [source], rows_in=source.rows, rows_out=len(kept))
    batches = with_columns([source], {}, "keeping labelled faces", kept)
    write_rewritten([source], out, batches, rewritten_metadata([source], out, [step]), force=True)
    return len(kept)


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    print(f"{given[0]}: {write(*given):,} faces{'' if given[1:] else ', drawn'}")
