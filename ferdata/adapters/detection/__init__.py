"""Exports of annotation tools, in which a face is a box in a picture: YOLO, COCO and Pascal VOC. A row for each box.

Faces of one picture have its pixels in common, so that merge keeps them on one side.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from ferdata.adapters.detection import coco, voc, yolo
from ferdata.adapters.detection.faces import Face
from ferdata.errors import NotThisDataset
from ferdata.sources import NOT_STATED, Layout, Option, Sample, Skipped, Source
from ferdata.sources.words import mapped_labels, read_labels, told_spellings

FORMS: Mapping[str, ModuleType] = {"yolo": yolo, "coco": coco, "voc": voc}

SOURCE = Source(
    name="detection",
    title="Faces in boxes, as annotation tools export them",
    homepage="",
    licence=NOT_STATED,
    citation="",
    access="Whoever has the images.",
    obtain=(
        "Export the pictures with their boxes from the tool (Roboflow, CVAT, Label Studio, LabelImg) as YOLO, COCO or "
        "Pascal VOC, and unpack them.",
        "Give the folder: ferdata ingest detection --root DIR --name NAME",
    ),
    place="anywhere",
    content="pictures with a box and a class for each face",
    layouts=(
        Layout(
            "yolo",
            ("**/labels",),
            {},
            note="images/ and labels/ in one folder; the classes are from data.yaml or classes.txt.",
        ),
        Layout("voc", ("**/*.xml",), {}, note="An XML file for each picture; splits by ImageSets/Main or by folder."),
        Layout("coco", ("**/*.json",), {}, note="A JSON file for each split; its pictures are found by their names."),
    ),
    options=(
        Option("name", "The dataset's name, the first half of its sample ids."),
        Option("labels", 'A TOML file with a table [labels] of lines like "Happy" = "happiness".'),
    ),
    generic=True,
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with its boxes read, and their labels mapped.

    Raises UnknownLabel, BrokenSource, NotThisDataset.
    """
    own = read_labels(SOURCE.option(options, "labels"))
    rows = tuple(FORMS[layout.name].rows(base))
    faces = [row for row in rows if isinstance(row, Face)]
    if not faces:
        raise NotThisDataset(
            f"{base} has the layout {layout.name}, but no box with a class in it.",
            "Is the export complete? It holds the pictures and a box for each face.",
        )
    labels = mapped_labels(Counter(face.label for face in faces), own, options, f"{base} has classes", "boxes")
    cut = sum(face.cut for face in faces)
    told = f"{len(faces):,} faces in {len({face.image for face in faces}):,} pictures."
    edge = f"{cut:,} boxes reached over the edge of their picture, and were clipped." if cut else ""
    return replace(
        layout, labels=labels, note="\n".join(filter(None, (layout.note, told, edge, told_spellings(labels, own)))),
        found=rows,
    )  # fmt: skip


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield a row for each box; its key is the picture's path, and the box's number where there are several."""
    del base, options  # all was read already
    seen: Counter[str] = Counter()
    for row in layout.found:
        if isinstance(row, Skipped):
            yield row
            continue
        seen[row.image] += 1
        again = f"#{seen[row.image]}" if seen[row.image] > 1 else ""
        yield Sample(row.image + again, row.image, native_label=row.label, face_box=row.box, official_split=row.split)
