"""COCO: a JSON file of images, categories and annotations, whose `bbox` is left, top, width and height in pixels.

The format is that of cocodataset.org, "Object Detection". What is marked `iscrowd` is no face.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferdata.adapters.detection.faces import OUTSIDE, Face, Pictures, in_picture
from ferdata.errors import BrokenSource, NotThisDataset, listed
from ferdata.running.plain_file import read_plain
from ferdata.sources import Skipped, relative
from ferdata.sources.left_out import UNLISTED
from ferdata.sources.recognise import below
from ferdata.sources.split_names import split_of_file

KEYS = ("images", "annotations", "categories")


def rows(base: Path) -> Iterator[Face | Skipped]:
    """Yield each annotation, file by file, then the pictures without one. Raises BrokenSource, NotThisDataset."""
    found = [(path, content) for path in sorted(below(base, "*.json")) if (content := _read(path)) is not None]
    if not found:
        raise NotThisDataset(
            f"{base} holds JSON files, but none with {listed(KEYS)}, as in COCO.",
            "For a table of images there is `ferdata ingest csv`.",
        )
    pictures = Pictures(base)
    left = set(pictures.paths)
    for path, content in found:
        for row in _of_file(path, relative(path, base), content, pictures):
            left.discard(row.image if isinstance(row, Face) else row.detail or row.key)
            yield row
    yield from (Skipped(path, UNLISTED) for path in sorted(left))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(read_plain(path))
    except (OSError, ValueError, RecursionError) as error:
        raise BrokenSource(f"{path} cannot be read as JSON: {error}.", "Export the dataset again.") from None
    return content if isinstance(content, dict) and all(isinstance(content.get(key), list) for key in KEYS) else None


def _of_file(path: Path, name: str, content: dict[str, Any], pictures: Pictures) -> Iterator[Face | Skipped]:
    try:
        classes = {one["id"]: str(one["name"]) for one in content["categories"]}
        images = {one["id"]: one for one in content["images"]}
        folder, used = name.rpartition("/")[0], set()
        for each in content["annotations"]:
            key = f"{name}:annotation {each['id']}"
            image = images.get(each["image_id"])
            if image is None:
                raise BrokenSource(
                    f"{path}: annotation {each['id']} is of image {each['image_id']}, which is not listed.", AGAIN
                )
            if each["category_id"] not in classes:
                raise BrokenSource(
                    f"{path}: annotation {each['id']} is of category {each['category_id']}, which has no name "
                    f"({listed(classes.values())} have).",
                    AGAIN,
                )
            used.add(each["image_id"])
            place = pictures.find(str(image["file_name"]), folder) or str(image["file_name"])
            if each.get("iscrowd"):
                yield Skipped(key, "a crowd", place)
                continue
            box = tuple(map(float, each["bbox"]))
            found = in_picture(box, float(image["width"]), float(image["height"])) if len(box) == 4 else None
            if found is None:
                yield Skipped(key, OUTSIDE, place)
                continue
            yield Face(
                place, classes[each["category_id"]], found[0], split_of_file(name) or split_of_file(place), found[1]
            )
        for number, image in images.items():
            if number not in used:
                yield Skipped(pictures.find(str(image["file_name"]), folder) or str(image["file_name"]), NO_BOX)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenSource(f"{path} does not follow the COCO format: {error!r}.", AGAIN) from None


NO_BOX = "no box in the picture"
AGAIN = "Export the dataset again."
