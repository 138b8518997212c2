"""YOLO: `images/**/1.jpg` beside `labels/**/1.txt`, a line `class x y width height` for each box, in shares of 1.

x and y are the box's centre (docs.ultralytics.com/datasets/detect). Classes are named by data.yaml (`names`, a list or
a map), or a line each in classes.txt, as LabelImg writes them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ferdata.adapters.detection.faces import OUTSIDE, Face, in_shares
from ferdata.errors import BrokenSource, NotAFile, NotThisDataset, UnknownLabel
from ferdata.running.plain_file import read_plain
from ferdata.sources import Skipped, broken
from ferdata.sources.left_out import NOTES
from ferdata.sources.recognise import below, image_names, other_files
from ferdata.sources.split_names import split_of_file
from ferdata.sources.tables import text_of


def rows(base: Path) -> Iterator[Face | Skipped]:
    """Yield each box, picture by picture, then what is left over by name. Raises BrokenSource, NotThisDataset."""
    names = classes(base)
    used = set()
    for image in image_names(base):
        beside = labels_of(image)
        if beside is None:
            continue
        used.add(beside)
        try:
            found = list(_boxes(base / beside, image, names)) if (base / beside).is_file() else []
        except (BrokenSource, NotAFile) as error:  # of one picture alone
            yield Skipped(image, NOTES, error.message)
            continue
        yield from found or [Skipped(image, "no box in the picture")]
    for path in other_files(base, used):
        where = PurePosixPath(path)
        if where.suffix == ".txt" and "labels" in where.parts[:-1] and where.name != "classes.txt":
            yield Skipped(path, "boxes of a picture that is not there")


def labels_of(image: str) -> str | None:
    """Return where the boxes of a picture are: `labels` in place of the last `images`; None for a stray picture."""
    where = PurePosixPath(image)
    parts = list(where.parts[:-1])
    at = max((i for i, part in enumerate(parts) if part == "images"), default=None)
    if at is None:
        return None
    return PurePosixPath(*parts[:at], "labels", *parts[at + 1 :], f"{where.stem}.txt").as_posix()


def classes(base: Path) -> Mapping[int, str]:
    """Return the names of the classes, by their number. Raises NotThisDataset where no file has them, BrokenSource."""
    for path in sorted([*base.glob("*.yaml"), *base.glob("*.yml"), *base.glob("*/*.yaml")]):
        if (names := _names(path)) is not None:
            return names
    for path in sorted(below(base, "classes.txt")):
        with text_of(path) as file:
            return dict(enumerate(line.strip() for line in file if line.strip()))
    raise NotThisDataset(
        f"{base} has boxes in labels/, but no file with the names of their classes.",
        "Put data.yaml beside images/ and labels/, with a line such as  names: [anger, happiness]",
    )


def _names(path: Path) -> dict[int, str] | None:
    """Return the classes that a YAML file names, None where it has none. Raises BrokenSource."""
    import yaml

    try:
        found = yaml.safe_load(read_plain(path))
        names = found.get("names") if isinstance(found, dict) else None
        pairs = names.items() if isinstance(names, dict) else enumerate(names) if isinstance(names, list) else None
        return None if pairs is None else {int(number): _plain(name) for number, name in pairs}
    except (yaml.YAMLError, OSError, ValueError, TypeError, RecursionError) as error:
        raise BrokenSource(
            f"{path} cannot be read: {' '.join(str(error).split())}.", "Correct the file, or export the dataset again."
        ) from None


def _plain(name: object) -> str:
    """Return a class's name. Raises ValueError for a list or a map: one of aliases may unfold to gigabytes of text."""
    if not isinstance(name, str | int | float):
        raise ValueError("the name of a class is not text")
    return str(name)


def _boxes(path: Path, image: str, names: Mapping[int, str]) -> Iterator[Face | Skipped]:
    split = split_of_file(image)
    with text_of(path) as file:
        for line, text in enumerate(file, 1):
            if not (cells := text.split()):
                continue
            if len(cells) not in (5, 6):  # a sixth is a detector's confidence
                raise broken(path, line, f"{len(cells)} numbers, expected five (class and box)")
            try:
                number = int(cells[0])
                x, y, wide, high = map(float, cells[1:5])
            except ValueError:
                raise broken(path, line, f"{text.strip()!r} is not a class and a box") from None
            if number not in names:
                raise UnknownLabel(
                    f"{path}:{line}: class {number}, but {len(names)} classes have names: 0 to {max(names)}.",
                    "Name all classes in data.yaml, or export the dataset again.",
                )
            found = in_shares((x - wide / 2, y - high / 2, wide, high))
            if found is None:
                yield Skipped(f"{path.name}:{line} of {image}", OUTSIDE)
            else:
                yield Face(image, names[number], found[0], split, found[1])
