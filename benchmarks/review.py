"""How fast a manifest becomes a FiftyOne dataset, beside FiftyOne's own two ways, and how fast decisions come back.

    python benchmarks/review.py manifests/ferplus.parquet
    python benchmarks/review.py manifests/ferplus.parquet --only pull

All three ways run in one process on the same files, after FiftyOne and its database have started, each on a dataset
of its own. `add_samples` gets the same fields (schema declared first, as fast as its users have it);
`from_images_patt` gives samples without any, which then get the same fields by `set_values`. A second process
times `ferdata review --no-app` from a cold start, mongod included, on an empty database.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("FIFTYONE_DATABASE_DIR", tempfile.mkdtemp(prefix="ferdata-bench-db-"))

from ferdata import labels
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from ferdata.reviewing.fiftyone import dataset as sets
from ferdata.reviewing.fiftyone import decide, fields, findings, media, start
from ferdata.steps.pull import pull


def timed(what: Callable[[], int]) -> tuple[float, int]:
    begin = time.perf_counter()
    rows = what()
    return time.perf_counter() - begin, rows


def ours(fo: Any, opened: Manifest) -> int:
    """Everything that `ferdata review` does: findings, views, colours and the Annotate tab too."""
    _, pushed = sets.push(fo, opened, "bench", {}, [])
    return pushed.shown


def prepared(opened: Manifest) -> list[dict[str, Any]]:
    """The same documents, for the others to bring in; making them is not on their clock."""
    table = opened.table(*dict.fromkeys((*fields.FIELD_COLUMNS, *findings.FINDING_COLUMNS)))
    words = fields.truth(table, opened.taxonomy.mapping)
    return list(fields.documents(table, media.files(opened)[0], words, findings.findings(table, {}), {}))


def sample(fo: Any, document: dict[str, Any]) -> Any:
    """A FiftyOne sample with the fields of a document."""
    values = {}
    for name, value in document.items():
        if value is None or name == "filepath":
            continue
        if name == "metadata":
            value = fo.ImageMetadata(**{k: v for k, v in value.items() if k != "_cls"})
        elif isinstance(value, dict) and value["_cls"] == "Classification":
            value = fo.Classification(label=value["label"])
        elif isinstance(value, dict) and value["_cls"] == "Detection":
            value = fo.Detection(label=value["label"], bounding_box=value["bounding_box"])
        elif isinstance(value, dict):
            value = fo.DynamicEmbeddedDocument(**{k: v for k, v in value.items() if k != "_cls"})
        values[name] = value
    return fo.Sample(filepath=document["filepath"], **values)


def add_samples(fo: Any, opened: Manifest, documents: list[dict[str, Any]]) -> int:
    made = fo.Dataset("bench-add-samples", overwrite=True)
    fields.declare(fo, made, opened.table(*dict.fromkeys((*fields.FIELD_COLUMNS, *findings.FINDING_COLUMNS))), False)
    made.add_samples((sample(fo, d) for d in documents), num_samples=len(documents), expand_schema=False)
    return len(made)


def from_images_patt(fo: Any, documents: list[dict[str, Any]], folder: Path) -> int:
    """Links in one folder stand for the pattern; the fields follow by `set_values`, a field at a time."""
    links = {}
    for i, document in enumerate(documents):
        link = folder / f"{i:08}{Path(document['filepath']).suffix}"
        link.symlink_to(document["filepath"])
        links[str(link)] = document
    begin = time.perf_counter()
    made = fo.Dataset.from_images_patt(str(folder / "*"), name="bench-from-images-patt", overwrite=True)
    order = [links[path] for path in made.values("filepath")]
    built = [sample(fo, d) for d in order]
    for name in sorted({name for d in order for name, value in d.items() if value is not None and name != "filepath"}):
        made.set_values(name, [s[name] if s.has_field(name) else None for s in built])
    return int(1e6 * (time.perf_counter() - begin))


def pulled(fo: Any, opened: Manifest) -> dict[str, float]:
    """Decide on every row, then pull them all, then again with nothing new."""
    dataset = sets.of(fo, opened.path)
    keys = dataset.values("_id")
    random.Random(0).shuffle(keys)
    emotions = labels.EMOTIONS
    deciding, _ = timed(
        lambda: sum(decide.decide(dataset, keys[i::8], emotions[i])[0] for i in range(8))
    )  # fmt: skip
    first, new = timed(lambda: pull(opened.path).new)
    again, none = timed(lambda: pull(opened.path).new)
    assert none == 0
    return {"decided": new, "deciding_s": deciding, "pull_s": first, "pull_again_s": again}


def cold(manifest: Path) -> float:
    """Seconds of `ferdata review --no-app` on an empty database, Python and mongod starting included."""
    place = tempfile.mkdtemp(prefix="ferdata-bench-cold-")
    environment = {k: v for k, v in os.environ.items() if k != "FIFTYONE_PRIVATE_DATABASE_PORT"}
    environment |= {"FIFTYONE_DATABASE_DIR": f"{place}/db", "FERDATA_CACHE": f"{place}/cache"}
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "ferdata.cli", "review", "--no-app", str(manifest)],
        env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    shutil.rmtree(place, ignore_errors=True)
    return seconds


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--only", choices=("cold", "push", "pull"))
    given = parser.parse_args()
    told: dict[str, Any] = {"manifest": given.manifest.name, "rows": Manifest(given.manifest).rows}
    if given.only in (None, "cold"):
        told["cold_start_s"] = cold(given.manifest)
    with tempfile.TemporaryDirectory(prefix="ferdata-bench-") as folder:
        copy = Path(folder) / given.manifest.name
        _with_roots(given.manifest, copy)
        opened = Manifest(copy)
        fo = start.start()
        if given.only in (None, "push", "pull"):
            seconds, rows = timed(lambda: ours(fo, opened))
            told["ferdata_rows_per_s"] = rows / seconds
        if given.only in (None, "push"):
            documents = prepared(opened)
            seconds, rows = timed(lambda: add_samples(fo, opened, documents))
            told["add_samples_rows_per_s"] = rows / seconds
            links = Path(folder) / "links"
            links.mkdir()
            told["from_images_patt_rows_per_s"] = len(documents) * 1e6 / from_images_patt(fo, documents, links)
            for peer in ("add_samples", "from_images_patt"):
                told[f"times_{peer}"] = told["ferdata_rows_per_s"] / told[f"{peer}_rows_per_s"]
        if given.only in (None, "pull"):
            told |= pulled(fo, opened)
            told["ledger_bytes"] = ledger.beside(copy).stat().st_size
    print(json.dumps(told, indent=1))


def _with_roots(manifest: Path, copy: Path) -> None:
    """Copy a manifest, and say by the environment where its pictures are."""
    shutil.copy(manifest, copy)
    for name, root in Manifest(manifest).roots().items():
        if root is not None:
            os.environ[f"FERDATA_ROOT_{name.upper()}"] = str(root)


if __name__ == "__main__":
    main()
