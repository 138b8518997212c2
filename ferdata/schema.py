"""Every column of the manifest, once: name, type, owner, meaning. The Parquet schema, the check and the docs read it.

Also `Sample`, the row that an adapter yields: the columns that adapters own, and where the image is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

SCHEMA_VERSION = 1


_COMMON = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jp2", ".avif")
# Pictures that no decoder here reads: one that is met is rejected by what it is, where another ending would hide it.
_UNREAD = (".heic", ".heif", ".jxl", ".dng")
_SUFFIXES = (*_COMMON, ".pgm", ".ppm", ".pbm", ".pnm", *_UNREAD)
IMAGE_SUFFIXES = frozenset(_SUFFIXES)
LONGEST_SUFFIX = max(map(len, _SUFFIXES))


def is_image(name: str) -> bool:
    """Return whether a file of that name is a picture, to be read or rejected; macOS leftovers (`._a.png`) are not."""
    return not name.startswith(".") and name[-LONGEST_SUFFIX:].lower().endswith(_SUFFIXES)


NAME_RULE = 'at most 100 bytes of text without / \\ : = , * ? < > | ", and no blank, dot or hyphen at the start or end'
_NOT_IN_NAMES = frozenset('/\\:=,*?<>|"')


def is_dataset_name(name: str) -> bool:
    """Return whether a dataset may be called `name`, by NAME_RULE.

    The name begins each of its sample ids (`name:key`), is its manifest's file name, and stands in `--root NAME=DIR`.
    """
    fits = name.isprintable() and 0 < len(name.encode()) <= 100
    return fits and name == name.strip(" .-") and _NOT_IN_NAMES.isdisjoint(name)


def escapes(path: str) -> bool:
    """Return whether a path below a root would lead out of it on this or on another system, whatever is there."""
    if "\\" in path or "\0" in path or path.startswith("/"):
        return True
    parts = path.split("/")
    return ".." in parts or (":" in path and any(part[1:2] == ":" for part in parts))


def root_variable(name: str) -> str:
    """Return the environment variable that says where the dataset `name` is; what a shell cannot name is `_` in it.

    Names that differ in capitals and marks alone share one: `merge` refuses two such datasets that refer to files.
    """
    return "FERDATA_ROOT_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())


@dataclass(frozen=True)
class Column:
    """One column: `type` in Arrow's words, `owner` the only step that writes it."""

    name: str
    type: str
    owner: str
    meaning: str
    required: bool = False
    length: int | None = None  # of a list; Arrow cannot read fixed-size lists with nulls back from Parquet
    later: bool = False  # earlier manifests lack it; where it holds nothing, their fingerprints are the same


COLUMNS = (
    Column("sample_id", "string", "ingest", "`<dataset>:<key in the publisher's own terms>`, unique", True),
    Column("dataset", "string", "ingest", "the adapter's name", True),
    Column("image", "image", "ingest", "embedded bytes, or a POSIX path relative to the source's root", True),
    Column(
        "pixel_hash",
        "string",
        "ingest",
        "128-bit hash of decoded pixels and shape, as ingested: identifies an image, before and after align",
        True,
    ),
    Column("phash", "uint64", "ingest", "perceptual hash: signs of 64 low DCT frequencies", True),
    Column("width", "int32", "ingest", "pixels, as decoded, EXIF orientation applied", True),
    Column("height", "int32", "ingest", "pixels, as decoded, EXIF orientation applied", True),
    Column("mode", "string", "ingest", "L, RGB, or L16 and RGB16 for 16-bit images", True),
    Column("brightness", "float32", "ingest", "mean grey value, 0..1", True),
    Column("contrast", "float32", "ingest", "standard deviation of the grey values, 0..0.5", True),
    Column("sharpness", "float32", "ingest", "variance of the Laplacian of the grey values in 0..1", True),
    Column("native_label", "string", "adapter", "the publisher's own label, verbatim; null where there is none"),
    Column("votes", "list<int16>", "adapter", "annotator votes: the 8 emotions, then unknown, not_a_face", length=10),
    Column(
        "ratings",
        "list<float32>",
        "adapter",
        "mean ratings of the 8 emotions on a scale that begins at 1 (none at all); null where one was not rated",
        length=8,
    ),
    Column("valence", "float32", "adapter", "-1..1"),
    Column("arousal", "float32", "adapter", "-1..1"),
    Column("action_units", "list<au>", "adapter", "FACS: name and intensity (1..5 = a..e; null where not given)"),
    Column("compound_label", "string", "adapter", "compound emotion, where published"),
    Column("subject", "string", "adapter", "the person, as named by the publisher"),
    Column("sequence", "string", "adapter", "the clip, by a unique name within the dataset"),
    Column("frame", "int32", "adapter", "the frame of the clip, as numbered by the publisher"),
    Column("age", "string", "adapter", "where published"),
    Column("gender", "string", "adapter", "where published"),
    Column("ethnicity", "string", "adapter", "where published"),
    Column("face_box", "list<float32>", "adapter, align", "x, y, width, height in pixels of the image as it is here"),
    Column("landmarks", "list<float32>", "adapter, align", "x1, y1, x2, y2, ... in pixels of the image as it is here"),
    Column("alignment", "alignment", "align", "null: not aligned; else how the image was cropped, see ALIGNMENT"),
    Column("official_split", "string", "adapter", "train, val or test, as published"),
    Column("synthetic", "bool", "adapter", "generated, not photographed", True),
    Column("label", "string", "derived", "canonical emotion, from native_label or votes"),
    Column(
        "label_dist",
        "list<float32>",
        "derived",
        "soft label over the 8 emotions in canonical order, from votes, else from ratings",
        length=8,
    ),
    Column("label_reason", "string", "derived", "why label is null"),
    Column("picture", "int64", "group", "same picture: equal pixels, or a near duplicate, whose labels can conflict"),
    Column("group", "int64", "group", "same pixels, subject or clip: never in two splits"),
    Column("split", "string", "split", "train, val or test"),
    Column("fold", "int16", "split", "0..K-1, if folds were requested"),
    Column("split_reason", "string", "split", "why split is null, or is not the official one"),
    Column("issues", "list<string>", "align, audit", "names of findings"),
    Column("label_quality", "float32", "audit", "0..1, low = suspect"),
    Column("reviewed_label", "string", "review", "a person's decision"),
    Column("review", "review", "review", "by whom, when, note, status"),
    Column(
        "proposed_label",
        "string",
        "merge",
        "an emotion that a net is sure of, in train, in place of the publishers' (--relabel-by)",
        later=True,
    ),
    Column("target", "string", "derived", "the class under the taxonomy: what training uses"),
)
# The fields of `alignment`, in the coordinates of the picture as ingested, and what they mean.
ALIGNMENT: Mapping[str, tuple[str, str]] = {
    "detector": ("string", "source of the face position: published, haar, yunet"),
    "score": ("float32", "the detector's score, on its own scale"),
    "faces": ("int32", "number of faces that it found"),
    "box": ("list<float32>", "x, y, width, height of the face that was used"),
    "landmarks": ("list<float32>", "x1, y1, ... of that face; null if only a box was known"),
    "transform": ("list<float32>", "six numbers, two rows of three: from pixels of the source to pixels of the crop"),
    "pixel_hash": ("string", "as the column pixel_hash, but of the crop"),
}
# Columns whose values hardly ever repeat, so that a dictionary of them would be as long as the column, and in vain.
OF_ITS_OWN = frozenset(("sample_id", "image", "pixel_hash", "phash", "brightness", "contrast", "sharpness"))
BY_NAME: Mapping[str, Column] = {c.name: c for c in COLUMNS}
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a video file: `path` is POSIX, relative to the root; `index` counts from 0.

    `part` is cut from it (x, y, width, height as shares of the frame, 0..1), `turn` are clockwise quarter turns.
    """

    path: str
    index: int
    part: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    turn: int = 0


class Shares(tuple[float, ...]):
    """A box, x, y, width and height, in shares of a picture whose size is not known yet; ingest makes pixels of it."""

    __slots__ = ()


class Sample(NamedTuple):
    """What an adapter says of one image; every field but the first two is a column that adapters own.

    `image` is a POSIX path relative to the root, a video's frame, an image file's bytes where it lies inside another
    file, or the pixels themselves, uint8 (H, W) grey or (H, W, 3) RGB, where the source is no image file. `key` is
    unique within the dataset.
    """

    key: str
    image: "str | Frame | bytes | NDArray[np.uint8]"
    native_label: str | None = None
    votes: tuple[int, ...] | None = None
    ratings: tuple[float | None, ...] | None = None
    valence: float | None = None
    arousal: float | None = None
    action_units: tuple[tuple[str, float | None], ...] | None = None
    compound_label: str | None = None
    subject: str | None = None
    sequence: str | None = None
    frame: int | None = None
    age: str | None = None
    gender: str | None = None
    ethnicity: str | None = None
    face_box: tuple[float, ...] | None = None
    landmarks: tuple[float, ...] | None = None
    official_split: str | None = None
    synthetic: bool = False


ADAPTER_COLUMNS = Sample._fields[2:]


def arrow_type(column: Column) -> "pa.DataType":
    """Return the Arrow type of `column`."""
    return _arrow_type(column.type)


def _arrow_type(kind: str) -> "pa.DataType":
    import pyarrow as pa

    if kind == "alignment":
        return pa.struct([(name, _arrow_type(inner)) for name, (inner, _) in ALIGNMENT.items()])
    types: dict[str, Any] = {
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),  # HF `Image` storage
        "list<int16>": pa.list_(pa.int16()),
        "list<float32>": pa.list_(pa.float32()),
        "list<string>": pa.list_(pa.string()),
        "list<au>": pa.list_(pa.struct([("au", pa.string()), ("intensity", pa.float32())])),
        "review": pa.struct([(name, pa.string()) for name in ("by", "at", "note", "status")]),
    }
    return types.get(kind) or pa.type_for_alias(kind)


@lru_cache(maxsize=64)
def arrow_schema(*names: str) -> "pa.Schema":
    """Return the Arrow schema of the named columns, or of the whole manifest."""
    import pyarrow as pa

    chosen = [BY_NAME[n] for n in names] or COLUMNS
    return pa.schema([pa.field(c.name, arrow_type(c)) for c in chosen])


def huggingface_features() -> dict[str, Any]:
    """Return the `features` block under which Hugging Face `datasets` opens the manifest, images decoded."""
    value = {"string", "uint64", "int64", "int32", "int16", "float32", "bool"}

    def feature(kind: str) -> Any:
        if kind in value:
            return {"dtype": kind, "_type": "Value"}
        if kind == "alignment":
            return {name: feature(inner) for name, (inner, _) in ALIGNMENT.items()}
        text = {"dtype": "string", "_type": "Value"}
        return {
            "image": {"_type": "Image"},
            "list<int16>": {"feature": feature("int16"), "_type": "List"},
            "list<float32>": {"feature": feature("float32"), "_type": "List"},
            "list<string>": {"feature": text, "_type": "List"},
            "list<au>": {"feature": {"au": text, "intensity": feature("float32")}, "_type": "List"},
            "review": {"by": text, "at": text, "note": text, "status": text},
        }[kind]

    return {c.name: feature(c.type) for c in COLUMNS}
