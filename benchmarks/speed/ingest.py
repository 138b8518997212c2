"""A folder of images to a table of facts: ours, FiftyOne's, Hugging Face's, and a bare loop over the same work."""

import time
from pathlib import Path
from typing import Any

from speed.inputs import Inputs, warm
from speed.report import Section
from speed.settings import Settings, median

NAMES = {
    "by_ferdata": "ferdata ingest",
    "by_ferdata_embedded": "ferdata ingest --images embed",
    "by_loop": "bare loop, a process a core",
    "by_fiftyone": "FiftyOne, files alone, and compute_metadata",
    "by_fiftyone_labelled": "FiftyOne, with labels and votes, and compute_metadata",
    "by_hf": "Hugging Face, imagefolder to Parquet: paths alone",
    "by_hf_embedded": "Hugging Face, imagefolder to Parquet: with the images",
}
OURS = ("by_ferdata", "by_ferdata_embedded", "by_loop")


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
                f"ingest:{case}", peer=case not in OURS, root=root, out=work / "out.parquet", workers=settings.cores
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
    for case, what in (
        ("by_fiftyone", "FiftyOne, files alone"),
        ("by_fiftyone_labelled", "FiftyOne, the same labels and votes"),
    ):
        made.at_least(f"ingest against {what}", median(seconds[case]) / ours, 8)
    for case, what in (("by_hf", "paths alone"), ("by_hf_embedded", "with the images")):
        made.at_least(f"ingest against Hugging Face, {what}", median(seconds[case]) / ours, 6)
    made.at_most("ingest, of a bare loop's time", ours / median(seconds["by_loop"]), 1.5, " times")
    made.at_most("ingest, memory", max(memory["by_ferdata"]), 500, " MB")
    made.notes += [
        "ferdata walks, reads, decodes, hashes pixels, hashes perceptually, measures brightness, contrast and "
        "sharpness, reads labels and votes, joins them, takes a fingerprint of all rows, and writes Parquet. The bare "
        "loop walks, reads, decodes, makes such hashes and measures, and writes them to Parquet: no labels, no votes, "
        "no checks. FiftyOne makes samples, and reads each image's header for its size, kind and file size; with "
        "labels and votes it knows what ferdata does, but for what is in the pixels. Hugging Face reads no file "
        "unless the images are to be in the Parquet, and decodes none.",
        "Imports and the start of FiftyOne's database (a real mongod) are in the time of the whole process alone, "
        "which is in no ratio. Files are in the page cache. Memory is that of all processes together.",
    ]
    return made


def by_ferdata(root: str, out: str, workers: int | None, images: str = "reference") -> dict[str, Any]:
    """Ingest FER+ with its labels and votes."""
    import pandas  # noqa: F401  # pyarrow would import it on the way

    from ferdata.adapters import load
    from ferdata.steps.ingest import ingest

    load("ferplus")
    begin = time.perf_counter()
    done = ingest("ferplus", root=root, out=out, workers=workers, images=images)
    return {"seconds": time.perf_counter() - begin, "images": done.rows}


def by_ferdata_embedded(root: str, out: str, workers: int | None) -> dict[str, Any]:
    """Ingest FER+ with its labels and votes, the files' bytes in the manifest."""
    return by_ferdata(root, out, workers, images="embed")


def by_loop(root: str, out: str, workers: int) -> dict[str, Any]:
    """Walk, read, decode, make both hashes, measure, write Parquet: what ingest does to an image, and no more."""
    import os
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    import cv2
    import pandas  # noqa: F401  # pyarrow would import it on the way
    import pyarrow as pa
    import pyarrow.parquet as pq

    cv2.setNumThreads(1)
    names = ("path", "pixel_hash", "phash", "width", "height", "brightness", "contrast", "sharpness")
    whole = (pa.string(), pa.string(), pa.uint64(), pa.int32(), pa.int32())
    kinds = pa.schema(list(zip(names, (*whole, *[pa.float32()] * 3), strict=True)))
    begin = time.perf_counter()
    paths = sorted(os.path.join(at, n) for at, _, names in os.walk(root) for n in names if n.endswith((".png", ".jpg")))  # noqa: PTH118
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        found = [f for some in pool.map(_facts, (paths[i : i + 512] for i in range(0, len(paths), 512))) for f in some]
    columns = [pa.array(column, kind) for column, kind in zip(zip(*found, strict=True), kinds.types, strict=True)]
    pq.write_table(pa.table(columns, schema=kinds), out, compression="zstd")
    return {"seconds": time.perf_counter() - begin, "images": len(found)}


def _facts(paths: list[str]) -> list[tuple[Any, ...]]:
    """Return what a bare loop finds of each file."""
    import hashlib

    import cv2
    import numpy as np

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


def by_fiftyone(root: str, out: str, workers: int) -> dict[str, Any]:
    """Import the folder as a dataset in MongoDB, and compute each image's metadata."""
    del out, workers
    import fiftyone as fo

    fo.list_datasets()  # starts the database
    begin = time.perf_counter()
    dataset = fo.Dataset.from_dir(dataset_dir=str(Path(root, "data")), dataset_type=fo.types.ImageDirectory)
    return _computed(dataset, begin)


def by_fiftyone_labelled(root: str, out: str, workers: int) -> dict[str, Any]:
    """Import each image with its split, the label that most annotators gave, and the ten votes."""
    del out, workers
    import csv
    from collections.abc import Iterator

    import fiftyone as fo

    from ferdata.labels import VOTE_COLUMNS

    fo.list_datasets()  # starts the database

    def samples() -> Iterator[fo.Sample]:
        for folder in ("FER2013Train", "FER2013Valid", "FER2013Test"):
            here = Path(root, "data", folder)
            with (here / "label.csv").open(newline="", encoding="utf-8") as file:
                for name, _, *cells in csv.reader(file):
                    votes = [int(cell) for cell in cells]
                    label = fo.Classification(label=VOTE_COLUMNS[votes.index(max(votes))])
                    yield fo.Sample(filepath=f"{here}/{name}", tags=[folder], ground_truth=label, votes=votes)

    begin = time.perf_counter()
    dataset = fo.Dataset()
    dataset.add_samples(samples())
    return _computed(dataset, begin)


def _computed(dataset: Any, begin: float) -> dict[str, Any]:
    dataset.compute_metadata()  # by as many threads as it takes by itself, which is no slower than one per core
    seconds = time.perf_counter() - begin
    known = dataset.exists("metadata.width").count()
    dataset.delete()
    return {"seconds": seconds, "images": known}


def by_hf(root: str, out: str, workers: int, embed: bool = False) -> dict[str, Any]:
    """Load the folder with load_dataset("imagefolder"), and write it as Parquet, which then has no more than paths."""
    import datasets
    from datasets.table import embed_table_storage

    datasets.disable_progress_bars()
    cache = str(Path(out).parent / "hf")
    begin = time.perf_counter()
    files = {"train": str(Path(root, "data", "**", "*.png"))}
    # One split of one folder is one piece of work to it: more processes than one are refused.
    loaded = datasets.load_dataset("imagefolder", data_files=files, split="train", cache_dir=cache, drop_labels=False)
    if embed:
        loaded = loaded.with_format("arrow").map(embed_table_storage, batched=True, num_proc=workers)
    loaded.to_parquet(out)
    return {"seconds": time.perf_counter() - begin, "images": loaded.num_rows}


def by_hf_embedded(root: str, out: str, workers: int) -> dict[str, Any]:
    """The same with the files' bytes in the Parquet, as the library's own upload makes it."""
    return by_hf(root, out, workers, embed=True)
