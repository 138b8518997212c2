"""Ten million rows without pixels: merge (exact groups, splits) and stats on one machine, time and memory.

    python benchmarks/scale.py [--rows 10000000] [--folder FOLDER]

Two manifests are made, one with official splits and one with subjects; one picture in a hundred is a copy of another.
Then the commands run as a user runs them, each in a process of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ferdata import manifest
from ferdata.labels import EMOTIONS, TAXONOMIES
from ferdata.schema import arrow_schema

BATCH = 1 << 16


def rows(dataset: str, count: int, subjects: int, seed: int) -> Iterator[pa.RecordBatch]:
    """Yield `count` rows; every hundredth picture is a copy of an earlier one."""
    rng = np.random.default_rng(seed)
    emotions, splits = pa.array(EMOTIONS), pa.array(["train", "val", "test"])
    for start in range(0, count, BATCH):
        n = min(BATCH, count - start)
        number = np.arange(start, start + n)
        picture = np.where(rng.random(n) < 0.01, rng.integers(0, start + n, n), number)
        label = emotions.take(pa.array(rng.integers(0, 8, n)))
        columns = {
            "sample_id": pa.array([f"{dataset}:{i:08}" for i in number]),
            "dataset": pa.array([dataset] * n),
            "image": pa.array(
                [{"bytes": None, "path": f"{i:08}.png"} for i in number], arrow_schema("image").field(0).type
            ),
            "pixel_hash": pa.array([f"{seed:08x}{p:024x}" for p in picture]),
            "phash": pa.array(picture.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)),
            "width": pa.array(np.full(n, 48, np.int32)),
            "height": pa.array(np.full(n, 48, np.int32)),
            "mode": pa.array(["L"] * n),
            **{name: pa.array(rng.random(n, np.float32) / 2) for name in ("brightness", "contrast", "sharpness")},
            "native_label": label,
            "label": label,
            "target": label,
            "synthetic": pa.array(np.zeros(n, bool)),
        }
        if subjects:
            columns["subject"] = pa.array([f"S{s:07}" for s in picture % subjects])
        else:
            columns["official_split"] = splits.take(pa.array(rng.choice(3, n, p=(0.8, 0.1, 0.1))))
        yield pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def make(folder: Path, dataset: str, count: int, subjects: int, seed: int) -> Path:
    """Write a manifest of such rows."""
    out = folder / f"{dataset}.parquet"
    source = {
        "title": dataset, "homepage": "", "licence": "none", "redistribution": True, "commercial": True,
        "citation": "", "release": "made", "labels": {e: e for e in EMOTIONS}, "root": ".",
    }  # fmt: skip
    metadata = {
        "sources": {dataset: source},
        "vote_policy": "majority",
        "taxonomy": TAXONOMIES["basic8"].as_dict(),
        "lineage": [],
    }
    manifest.write(out, rows(dataset, count, subjects, seed), metadata, force=True)
    return out


def run(*arguments: str) -> None:
    """Run a command of ferdata; print its time and the most memory it held."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "ferdata.cli", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    memory = usage.ru_maxrss / (1 << 20)
    print(f"{arguments[0]:<10}{seconds:8.1f} s{memory:8.2f} GB  exit {os.waitstatus_to_exitcode(status)}", flush=True)


def main() -> None:
    """Make the manifests and run merge, stats and validate over them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where to work [default: a temporary folder]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        folder = Path(temporary)
        half = given.rows // 2
        start = time.monotonic()
        made = [make(folder, "official", half, 0, 1), make(folder, "people", half, half // 100, 2)]
        print(f"{given.rows:,} rows made in {time.monotonic() - start:.0f} s", flush=True)
        merged = str(folder / "merged.parquet")
        run("merge", *map(str, made), "--by", "pixels,subject,sequence", "-o", merged)
        run("stats", merged)
        run("show", merged)


if __name__ == "__main__":
    main()
