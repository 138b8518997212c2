"""Pascal VOC: an XML file for each picture, an `object` with `name` and `bndbox` for each face; corners in pixels.

The format is that of the VOC development kit (host.robots.ox.ac.uk/pascal/VOC). Corners are taken as the tools write
them today, from 0; the kit itself counts from 1.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from ferdata.adapters.detection.faces import OUTSIDE, Face, Pictures, in_picture
from ferdata.errors import BrokenSource, NotAFile, NotThisDataset
from ferdata.running.plain_file import read_plain
from ferdata.schema import SPLITS
from ferdata.sources import Skipped, relative
from ferdata.sources.left_out import NOTES
from ferdata.sources.recognise import below
from ferdata.sources.split_names import split_of_file
from ferdata.sources.tables import text_of

LARGEST = 4 << 20  # bytes of an XML file: a picture's boxes are some kilobytes
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def rows(base: Path) -> Iterator[Face | Skipped]:
    """Yield each object, file by file. Raises BrokenSource, NotThisDataset."""
    pictures, splits = Pictures(base), image_sets(base)
    found, used = False, set[str]()
    for path in sorted(below(base, "*.xml")):
        place = relative(path, base)
        try:
            root = _read(path)
            rows = list(_of_file(path, place, root, pictures, splits)) if root.tag == "annotation" else []
        except (BrokenSource, NotAFile) as error:  # of one picture alone
            yield Skipped(place, NOTES, error.message)
            continue
        found = found or bool(rows)
        used |= {row.image if isinstance(row, Face) else row.detail or row.key for row in rows}
        yield from rows
    yield from (Skipped(path, "no annotation file of the picture") for path in sorted(pictures.paths - used))
    if not found:
        raise NotThisDataset(f"{base} holds XML files, but no Pascal VOC annotation.", AGAIN)


def image_sets(base: Path) -> dict[str, str]:
    """Return the split of each picture that ImageSets/Main lists, by its name without ending."""
    found: dict[str, str] = {}
    for split in SPLITS:
        listing = (path for path in below(base, f"{split}.txt") if path.parts[-3:-1] == ("ImageSets", "Main"))
        for path in sorted(listing):
            with text_of(path) as file:
                found |= {line.split()[0]: split for line in file if line.strip()}
    return found


def _read(path: Path) -> ElementTree.Element:
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MB")
        return ElementTree.fromstring(read_plain(path))
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise BrokenSource(f"{path} cannot be read as XML: {error}.", AGAIN) from None


def _of_file(
    path: Path, name: str, root: ElementTree.Element, pictures: Pictures, splits: dict[str, str]
) -> Iterator[Face | Skipped]:
    named = (root.findtext("filename") or "").strip()
    stem = path.stem
    image = pictures.find(named, name.rpartition("/")[0]) if named else None
    place = image or named or f"{stem}.jpg"
    split = splits.get(stem) or split_of_file(place) or split_of_file(name)
    try:
        size = tuple(float(root.findtext(f"size/{side}") or 0) for side in ("width", "height"))
    except ValueError:
        raise BrokenSource(f"{path}: the size is not a width and a height.", AGAIN) from None
    objects = root.findall("object")
    if not objects:
        yield Skipped(place, "no box in the picture")
    for number, each in enumerate(objects, 1):
        label = (each.findtext("name") or "").strip()
        try:
            left, top, right, bottom = (float(each.findtext(f"bndbox/{corner}") or "") for corner in CORNERS)
        except ValueError:
            raise BrokenSource(f"{path}: object {number} has no box ({', '.join(CORNERS)}).", AGAIN) from None
        if not label:
            raise BrokenSource(f"{path}: object {number} has no name.", AGAIN)
        box = (left, top, right - left, bottom - top)
        found = in_picture(box, *size) if all(size) else (box, False)
        if found is None:
            yield Skipped(f"{name}:object {number}", OUTSIDE, place)
        else:
            yield Face(place, label, found[0], split, found[1])


AGAIN = "Export the dataset again."
