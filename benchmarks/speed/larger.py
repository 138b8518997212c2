"""Larger pictures to a table of facts: JPEGs of 224 px and photographs, beside a bare loop and FiftyOne."""

import time
import zipfile
from pathlib import Path
from typing import Any

from speed.inputs import Inputs, faces, warm
from speed.report import Section
from speed.settings import Settings, median

NAMES = {
    "larger:by_ferdata": "ferdata ingest folder",
    "ingest:by_loop": "bare loop, a process a core",
    "larger:by_fiftyone": "FiftyOne, with labels, and compute_metadata",
}
SIDE, MANY, COPIES = 224, 3000, 4  # pixels; faces; of each photograph, since 400 are over in a second
WANTED = 0.8  # of a bare loop's speed


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure all of them in turn on both sets, `settings.repeats` times."""
    made = Section("Ingest of larger pictures", ["pictures", "by"], ["seconds", "images/s", "ferdata is", "MB"])
    for what, root in (("JPEGs of 224 px", jpegs(inputs, settings)), ("photographs", photographs(inputs))):
        images, total = warm(root, ".jpg")
        seconds: dict[str, list[float]] = {case: [] for case in NAMES}
        memory = dict.fromkeys(NAMES, 0.0)
        for turn in range(settings.repeats):
            for case in NAMES:
                out = inputs.work / f"{root.name}-{case.replace(':', '-')}-{turn}.parquet"
                done = settings.measure(
                    case, peer=case.endswith("fiftyone"), root=root, out=out, workers=settings.cores
                )
                if done.found["images"] != images:
                    made.notes.append(f"{NAMES[case]} found {done.found['images']:,} images, not {images:,}.")
                seconds[case].append(done.found["seconds"])
                memory[case] = max(memory[case], done.mb)
        ours = median(seconds["larger:by_ferdata"])
        for case, name in NAMES.items():
            taken = median(seconds[case])
            ratio = "" if case == "larger:by_ferdata" else f"{taken / ours:.2f} x as fast"
            row = [f"{images:,} {what}, {total / 1e6:.0f} MB", name]
            made.rows.append([*row, f"{taken:.2f}", f"{images / taken:,.0f}", ratio, f"{memory[case]:.0f}"])
        made.at_least(f"ingest of {what}, of a bare loop's speed", median(seconds["ingest:by_loop"]) / ours, WANTED)
    made.notes.append(
        "Pictures lie in class folders, and are referred to. The bare loop walks the folders, and then, a process a "
        "core, decodes each file as ferdata does, with the same library, makes an exact and a perceptual hash, and "
        "measures brightness, contrast and sharpness: the columns that ferdata measures, but the mode. It stops at a "
        "file that it cannot read, takes one that is cut short for whole, follows any link, and knows no labels, "
        "splits or counts: ferdata rejects such files by name, says which others lie there, and fingerprints all rows. "
        "FiftyOne decodes nothing: it reads each file's header."
    )
    return made


def jpegs(inputs: Inputs, settings: Settings) -> Path:
    """Return a folder of faces as JPEGs of 224 px, by class."""
    out = inputs.work / f"jpegs-{inputs.limit}"
    if not out.exists():
        limit = min(MANY, inputs.limit or MANY)
        settings.measure("larger:lay_out", sheets=inputs.data / "fer2013", out=out, limit=limit)
    return out


def lay_out(sheets: str, out: str, limit: int) -> dict[str, int]:
    """Write every k-th face, 224 px wide, into the folder of its class."""
    import cv2

    count = 0
    for row, face in faces(Path(sheets), limit):
        folder = Path(out, ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")[int(row["emotion"])])
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{count:05}.jpg"), cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
        count += 1
    return {"faces": count}


def photographs(inputs: Inputs) -> Path:
    """Return a folder of the photographs, several times each."""
    out = inputs.work / "photographs"
    if not out.exists():
        with zipfile.ZipFile(inputs.photos()) as archive:
            for name in archive.namelist():
                if name.endswith(".jpg"):
                    data = archive.read(name)
                    for copy in range(1 if inputs.limit else COPIES):
                        path = out / ("happy", "sad")[copy % 2] / f"{copy}-{Path(name).name}"
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(data)
    return out


def by_ferdata(root: str, out: str, workers: int | None) -> dict[str, Any]:
    """Ingest class folders."""
    import pandas  # noqa: F401  # pyarrow would import it on the way

    from ferdata.adapters import load
    from ferdata.steps.ingest import ingest

    load("folder")
    begin = time.perf_counter()
    done = ingest("folder", root=root, name="larger", out=out, workers=workers)
    return {"seconds": time.perf_counter() - begin, "images": done.rows}


def by_fiftyone(root: str, out: str, workers: int) -> dict[str, Any]:
    """Import the class folders as a dataset in MongoDB, and compute each image's metadata."""
    del out, workers
    import fiftyone as fo

    from speed.ingest import _computed

    fo.list_datasets()  # starts the database
    begin = time.perf_counter()
    kind = fo.types.ImageClassificationDirectoryTree
    return _computed(fo.Dataset.from_dir(dataset_dir=root, dataset_type=kind), begin)
