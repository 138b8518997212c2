"""A folder of images to a table of facts: ours, FiftyOne's, Hugging Face's, and a bare loop over the same work."""

import time
from pathlib import Path
from typing import Any

from speed.inputs import Inputs, warm
from speed.report import Section
from speed.settings import Settings, median

NAMES = {
    "by_ferdata": "ferdata ingest",
    "by_loop": "bare loop, two threads",
    "by_fiftyone": "FiftyOne, import and compute_metadata",
    "by_hf": "Hugging Face, imagefolder to Parquet",
}
PEERS = ("by_fiftyone", "by_hf")


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure all of them in turn, `settings.repeats` times."""
    root = inputs.ferplus()
    images, total = warm(root)
    made = Section(
        f"Ingest: {images:,} FER+ PNGs, {total / 1e6:.0f} MB",
        ["by"],
        ["seconds", "images/s", "ferdata is", "whole process, s", "MB"],
    )
    seconds: dict[str, list[float]] = {case: [] for case in NAMES}
    whole: dict[str, list[float]] = {case: [] for case in NAMES}
    memory: dict[str, list[float]] = {case: [] for case in NAMES}
    for turn in range(settings.repeats):
        for case in NAMES:
            work = inputs.work / f"ingest-{case}-{turn}"
            work.mkdir()
            measured = settings.measure(
                f"ingest:{case}", peer=case in PEERS, root=root, out=work / "out.parquet", workers=settings.cores
            )
            if measured.found["images"] != images:
                made.notes.append(f"{NAMES[case]} found {measured.found['images']:,} images, not {images:,}.")
            seconds[case].append(measured.found["seconds"])
            whole[case].append(measured.seconds)
            memory[case].append(measured.mb)
    ours = median(seconds["by_ferdata"])
    for case, name in NAMES.items():
        taken = median(seconds[case])
        ratio = "" if case == "by_ferdata" else f"{taken / ours:.2f} x as fast"
        made.rows.append(
            [
                name,
                f"{taken:.2f}",
                f"{images / taken:,.0f}",
                ratio,
                f"{median(whole[case]):.2f}",
                f"{max(memory[case]):.0f}",
            ]
        )
    made.at_least("ingest against FiftyOne", median(seconds["by_fiftyone"]) / ours, 8)
    made.at_least("ingest against Hugging Face", median(seconds["by_hf"]) / ours, 6)
    made.at_most("ingest, of a bare loop's time", ours / median(seconds["by_loop"]), 1.5, " times")
    made.at_most("ingest, memory", max(memory["by_ferdata"]), 500, " MB")
    made.notes += [
        "ferdata walks, reads, decodes, hashes pixels, hashes perceptually, measures brightness, contrast and "
        "sharpness, reads labels and votes, joins them, takes a fingerprint of all rows, and writes Parquet. The bare "
        "loop walks, reads, decodes, makes the same two hashes and the same measures, and writes them to Parquet: no "
        "labels, no votes, no checks. FiftyOne makes samples and reads each image's header for its size, kind and file "
        "size; Hugging Face copies the files' bytes into Parquet and decodes nothing.",
        "Imports and the start of FiftyOne's database (a real mongod, whose memory is not counted) are in the time of "
        "the whole process alone, which is in no ratio. "
        "Files are in the page cache. Memory is the most that the largest process held.",
    ]
    return made


def by_ferdata(root: str, out: str, workers: int | None) -> dict[str, Any]:
    """Ingest FER+ with its labels and votes."""
    import pandas  # noqa: F401  # pyarrow would import it on the way

    from ferdata.adapters import load
    from ferdata.steps.ingest import ingest

    load("ferplus")
    begin = time.perf_counter()
    done = ingest("ferplus", root=root, out=out, workers=workers)
    return {"seconds": time.perf_counter() - begin, "images": done.rows}


def by_loop(root: str, out: str, workers: int) -> dict[str, Any]:
    """Walk, read, decode, hash, hash perceptually, measure, write Parquet: what ingest does to an image, and no more.

    The hashes and measures are equal to ingest's, to the bit.
    """
    import hashlib
    import os
    from concurrent.futures import ThreadPoolExecutor

    import cv2
    import numpy as np
    import pandas  # noqa: F401  # pyarrow would import it on the way
    import pyarrow as pa
    import pyarrow.parquet as pq

    cv2.setNumThreads(1)

    def facts(paths: list[str]) -> list[tuple[Any, ...]]:
        found = []
        for path in paths:
            with open(path, "rb") as file:  # noqa: PTH123  # as bare as it gets
                data = file.read()
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
            exact = hashlib.blake2b(repr((picture.shape, "uint8")).encode(), digest_size=16)
            exact.update(picture.data)
            grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
            wave = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))
            low = wave[:8, :8].copy()
            low[0, 0] = wave[8, 0]
            mean, deviation = cv2.meanStdDev(grey)
            edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1][0, 0] / 255
            height, width = grey.shape
            found.append(
                (path, exact.hexdigest(), int.from_bytes(np.packbits(low > 0).tobytes(), "big"), width, height,
                 mean[0, 0] / 255, deviation[0, 0] / 255, edges**2)
            )  # fmt: skip
        return found

    names = ("path", "pixel_hash", "phash", "width", "height", "brightness", "contrast", "sharpness")
    whole = (pa.string(), pa.string(), pa.uint64(), pa.int32(), pa.int32())
    kinds = pa.schema(list(zip(names, (*whole, *[pa.float32()] * 3), strict=True)))
    begin = time.perf_counter()
    paths = sorted(os.path.join(at, n) for at, _, names in os.walk(root) for n in names if n.endswith(".png"))  # noqa: PTH118
    with ThreadPoolExecutor(workers) as pool:
        found = [f for some in pool.map(facts, (paths[i : i + 512] for i in range(0, len(paths), 512))) for f in some]
    columns = [pa.array(column, kind) for column, kind in zip(zip(*found, strict=True), kinds.types, strict=True)]
    pq.write_table(pa.table(columns, schema=kinds), out, compression="zstd")
    return {"seconds": time.perf_counter() - begin, "images": len(found)}


def by_fiftyone(root: str, out: str, workers: int) -> dict[str, Any]:
    """Import the folder as a dataset in MongoDB, and compute each image's metadata."""
    del out
    import fiftyone as fo

    fo.list_datasets()  # starts the database
    begin = time.perf_counter()
    dataset = fo.Dataset.from_dir(dataset_dir=str(Path(root, "data")), dataset_type=fo.types.ImageDirectory)
    dataset.compute_metadata(num_workers=workers)
    seconds = time.perf_counter() - begin
    known = dataset.exists("metadata.width").count()
    dataset.delete()
    return {"seconds": seconds, "images": known}


def by_hf(root: str, out: str, workers: int) -> dict[str, Any]:
    """Load the folder with load_dataset("imagefolder"), and write it as Parquet."""
    import datasets

    datasets.disable_progress_bars()
    cache = str(Path(out).parent / "hf")
    begin = time.perf_counter()
    files = {"train": str(Path(root, "data", "**", "*.png"))}
    loaded = datasets.load_dataset(
        "imagefolder", data_files=files, split="train", cache_dir=cache, num_proc=workers, drop_labels=False
    )
    loaded.to_parquet(out)
    return {"seconds": time.perf_counter() - begin, "images": loaded.num_rows}
