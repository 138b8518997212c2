"""FER+'s votes: as its two kinds of table have them, and by the row of FER2013 that they are of."""

import re
from pathlib import Path

from ferdata.errors import BadOption
from ferdata.sources.spelling import spelled
from ferdata.sources.tables import broken, read_rows, read_table, read_votes

# The columns of fer2013new.csv that hold votes, in its own order, which is that of `ferdata.labels.VOTE_COLUMNS`.
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
FOLDERS = {"FER2013Train": "train", "FER2013Valid": "val", "FER2013Test": "test"}


def votes_by_row(place: Path) -> dict[str, tuple[int, ...]]:
    """Return the ten votes of each row of FER2013, by the row's number as its keys have it, five digits.

    `place` is fer2013new.csv, or a folder that holds it. Of a folder that holds FER+'s label.csv files too, their votes
    are taken, as the reference script takes them: they give each copy of a picture its own, where fer2013new.csv
    repeats those of the first. Raises BadOption, BrokenSource.
    """
    table = place / "fer2013new.csv" if place.is_dir() else place
    if not table.is_file():
        raise BadOption(
            f"--known-votes {place} is not FER+'s fer2013new.csv, and holds none.",
            "It is at https://github.com/microsoft/FERPlus; give its path, or that of the folder.",
        )
    own: dict[str, tuple[int, ...]] = {}
    for base in (place, place / "data") if place.is_dir() else ():
        for folder in FOLDERS:
            if (path := spelled(base, folder) / "label.csv").is_file():
                own |= {name: votes for name, (_, votes) in read_label_csv(path).items()}
    found = {}
    for row, (line, cells) in enumerate(read_table(table, "Image name", *VOTES)):
        listed = read_votes([cells[name] for name in VOTES], table, line)
        found[f"{row:05d}"] = own.get(cells["Image name"].strip(), listed)
    return found


_BOX = re.compile(r"\(\s*(\d+),\s*(\d+),\s*(\d+),\s*(\d+)\s*\)", re.ASCII)


def read_label_csv(path: Path) -> dict[str, tuple[tuple[float, ...], tuple[int, ...]]]:
    """Return box (x, y, width, height) and votes by image name. Raises BrokenSource with file and line."""
    found: dict[str, tuple[tuple[float, ...], tuple[int, ...]]] = {}
    known: dict[
        tuple[str, ...], tuple[tuple[float, ...], tuple[int, ...]]
    ] = {}  # most rows say what another has cells_after_name
    for line, cells in read_rows(path, columns=12):
        name = plain_name(cells[0].strip(), path, line)
        if not name or name in found:
            raise broken(path, line, f"{name} for the second time" if name else "no image name")
        cells_after_name = tuple(cells[1:])
        if cells_after_name not in known:
            known[cells_after_name] = _read_box(cells[1], path, line), read_votes(cells[2:], path, line)
        found[name] = known[cells_after_name]
    return found


def _read_box(cell: str, path: Path, line: int) -> tuple[float, ...]:
    corners = _BOX.fullmatch(cell.strip())
    if corners is None:
        raise broken(path, line, f"the box {cell!r}, expected (left, top, right, bottom)")
    left, top, right, bottom = map(float, corners.groups())
    return left, top, right - left, bottom - top


def plain_name(name: str, path: Path, line: int) -> str:
    """Return an image's name. Raises BrokenSource for one that is a path."""
    if "/" in name or "\\" in name or "\0" in name or name == "..":
        raise broken(path, line, f"the image name {name!r}, which is a path")
    return name
