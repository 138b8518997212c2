"""How long it takes to look up 100,000 rows among known faces: half of them FER2013's, half nobody's.

    python benchmarks/known.py

Processor time of one process, median of five, without reading the rows; the index is that of the package.
"""

import statistics
import time

import numpy as np
import pyarrow as pa

from ferdata.known import Lookup, indexes

ROWS, BATCH, RUNS = 100_000, 1024, 5


def main() -> None:
    """Print the seconds."""
    rng = np.random.default_rng(0)
    (index,) = (one for one in indexes() if one.name == "fer2013")
    picked = rng.integers(0, len(index), ROWS // 2)
    near = index.phash[picked] ^ (np.uint64(1) << rng.integers(0, 64, ROWS // 2).astype(np.uint64))
    phash = np.concatenate([near, rng.integers(0, 2**63, ROWS // 2).astype(np.uint64)])
    pixels = pa.array([f"{number:032x}" for number in range(ROWS)])
    hashes, taken, found = pa.array(phash, pa.uint64()), [], 0
    for _ in range(RUNS):
        begun = time.process_time()
        lookup = Lookup([index])
        for at in range(0, ROWS, BATCH):
            lookup(pixels[at : at + BATCH], hashes[at : at + BATCH])
        taken.append(time.process_time() - begun)
        found = lookup.known[0].rows
    print(f"{ROWS:,} rows in batches of {BATCH:,}: {statistics.median(taken):.2f} s ({found:,} known)")


if __name__ == "__main__":
    main()
