"""Which columns of a manifest are published, under which types, and their rows as they stream by."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ferdata import images
from ferdata.errors import BrokenSource
from ferdata.manifest import Manifest, stored_hash
from ferdata.publishing.facts import HUB_SPLITS, split_names
from ferdata.publishing.terms import Terms
from ferdata.schema import BY_NAME, arrow_type, huggingface_features

# Who a row is, and what was decided about it: as in a shared file, without the reviewers' names.
OURS = ("sample_id", "dataset", "pixel_hash", "synthetic", "group", "picture", "fold", "split_reason", "reviewed_label")
# What the publishers say of an image: passed on where their terms allow it.
THEIRS = (
    *("native_label", "votes", "label_dist", "ratings", "valence", "arousal", "action_units", "compound_label"),
    *("subject", "sequence", "frame", "age", "gender", "ethnicity", "face_box", "landmarks", "official_split"),
)
IMAGE, LABEL = "image", "label"
FILE_NAME, CHECKSUM = "file_name", "sha256"  # where images are files
MEANING: Mapping[str, str] = {
    "dataset": "the source",
    IMAGE: "the image file's bytes, as they were ingested or aligned",
    LABEL: "the class, from the labels or votes of the dataset's publishers",
}
SUFFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", ".png"),
    (b"\xff\xd8", ".jpg"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"GIF8", ".gif"),
    (b"RIFF", ".webp"),
    (b"\0\0\0\x0cjP", ".jp2"),
    *((f"P{n}".encode(), ending) for n, ending in ((2, ".pgm"), (3, ".ppm"), (5, ".pgm"), (6, ".ppm"))),
)
AT_ONCE = 256  # rows whose images are held at once


def meaning(name: str) -> str:
    """Return what a published column holds."""
    return MEANING.get(name) or BY_NAME[name].meaning


def open_datasets(terms: Sequence[Terms]) -> set[str]:
    """Return the datasets whose publishers' votes, ratings and other annotations may be passed on."""
    return {t.dataset for t in terms if t.annotations}


def present(opened: Manifest, terms: Sequence[Terms]) -> tuple[str, ...]:
    """Return the columns that are published beside image and label: those that hold something that may be passed on."""
    allowed = pa.array(sorted(open_datasets(terms)), pa.string())
    kept = [name for name in OURS if BY_NAME[name].required or _holds(opened.table(name)[name])]
    mine = pc.is_in(opened.table("dataset")["dataset"], allowed) if len(allowed) else None
    theirs = THEIRS if mine is not None else ()
    return tuple(kept + [name for name in theirs if _holds(opened.table(name)[name].filter(mine))])


def _holds(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count < len(column))


def features(names: Sequence[str], classes: Sequence[str], pixels: bool) -> dict[str, Any]:
    """Return what Hugging Face `datasets` must know to open the rows: images decoded, labels as ClassLabels."""
    known = huggingface_features()
    first = {IMAGE: {"_type": "Image"}} if pixels else {}
    return {**first, LABEL: {"names": list(classes), "_type": "ClassLabel"}, **{name: known[name] for name in names}}


def flat(features: Mapping[str, Any], pixels: bool) -> dict[str, Any]:
    """Return the features of a table of text: lists as JSON, and in place of an image its path and checksum."""
    text = {"dtype": "string", "_type": "Value"}
    plain = {n: f if f.get("_type") in ("Value", "ClassLabel") else text for n, f in features.items() if n != IMAGE}
    return {FILE_NAME: text, **plain, CHECKSUM: text} if pixels else plain


def schema(names: Sequence[str], pixels: bool) -> pa.Schema:
    """Return the Arrow schema of the published rows."""
    first = [pa.field(IMAGE, arrow_type(BY_NAME[IMAGE]))] if pixels else []
    return pa.schema([*first, pa.field(LABEL, pa.int64()), *(pa.field(n, arrow_type(BY_NAME[n])) for n in names)])


@dataclass(frozen=True)
class Rows:
    """Some rows of one split: `split` is the Hub's name, `first` the row numbers in the manifest, `table` the rows."""

    split: str
    numbers: Sequence[int]
    table: pa.Table


def stream(
    opened: Manifest,
    names: Sequence[str],
    allowed: Collection[str],
    places: Mapping[str, Path | None] | None,
) -> Iterator[Rows]:
    """Yield every row, in the manifest's order within each split; images too, where `places` say where they are.

    What publishers say is left out for rows of datasets that are not `allowed`. Raises ImagesMissing, and BrokenSource
    for an image that is not as ingested.
    """
    side, classes = split_names(opened.table("split", "official_split")), pa.array(opened.taxonomy.classes, pa.string())
    pixels = () if places is None else (IMAGE, "alignment")
    wanted = list(dict.fromkeys(("target", "sample_id", "dataset", "pixel_hash", *names, *pixels)))
    whole, first = schema(names, places is not None), 0
    for batch in opened.batches(wanted, AT_ONCE if pixels else 1 << 14):
        table = pa.table({name: batch.column(name) for name in names})
        open_rows = pc.is_in(batch.column("dataset"), pa.array(sorted(allowed), pa.string()))
        for i, name in enumerate(names):
            if name in THEIRS:
                table = table.set_column(i, name, pc.if_else(open_rows, table[name], pa.scalar(None, table[name].type)))
        table = table.add_column(0, LABEL, pc.index_in(batch.column("target"), classes).cast(pa.int64()))
        if places is not None:
            table = table.add_column(0, IMAGE, _images(opened, batch, places, first))
        here = side[first : first + batch.num_rows]
        for split in dict.fromkeys(here.tolist()):
            where = np.flatnonzero(here == split)
            yield Rows(HUB_SPLITS[split], (where + first).tolist(), table.take(pa.array(where)).cast(whole))
        first += batch.num_rows


def _images(opened: Manifest, batch: pa.RecordBatch, places: Mapping[str, Path | None], first: int) -> pa.Array:
    """Return the images of a batch, each named by its row's number in the manifest."""
    found = []
    rows = batch.select(["sample_id", "dataset", "image", "pixel_hash", "alignment"]).to_pylist()
    for number, row in enumerate(rows, first):
        data = opened.read_image(row, places)
        _check(row, data)
        found.append({"bytes": data, "path": f"{number:07}{suffix(data)}"})
    return pa.array(found, arrow_type(BY_NAME[IMAGE]))


def _check(row: Mapping[str, Any], data: bytes) -> None:
    try:
        same = images.pixel_hash(images.decode(data)) == stored_hash(row)
    except images.UnreadableImage:
        same = False
    if not same:
        raise BrokenSource(
            f"The image of {row['sample_id']} is not the one that was ingested.",
            "Restore the dataset's files, or ingest and merge them again.",
        )


def suffix(data: bytes) -> str:
    """Return the ending for an image file, by its first bytes."""
    return next((ending for start, ending in SUFFIXES if data.startswith(start)), ".img")
