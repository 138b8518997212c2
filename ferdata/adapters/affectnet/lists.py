"""AffectNet's first release: lists of records beside whole pictures."""

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ferdata.adapters.affectnet.values import affect, floats, points
from ferdata.errors import BrokenSource
from ferdata.running.plain_file import open_plain
from ferdata.sources import Layout, Sample, Skipped, broken, is_image, known, relative
from ferdata.sources.left_out import UNLISTED
from ferdata.sources.recognise import image_names
from ferdata.sources.spelling import spelled

COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
MANUAL, AUTOMATIC = "Manually_Annotated", "Automatically_Annotated"
LISTS = f"{MANUAL}_file_lists"


def samples(base: Path, layout: Layout, automatic: bool) -> Iterator[Sample | Skipped]:
    """Read the lists of the first release; a picture that is listed again is left out, since labels may differ."""
    lists: list[tuple[str, str, str | None]] = [(MANUAL, "training.csv", "train"), (MANUAL, "validation.csv", "val")]
    if automatic:
        lists.append((AUTOMATIC, "automatically_annotated.csv", None))
    seen: set[str] = set()
    for whose, name, split in lists:
        path = spelled(base, f"{whose}_file_lists/{name}")
        if not path.is_file():
            if whose == AUTOMATIC:
                raise BrokenSource(
                    f"There is no {path}.", "Unpack the automatically annotated part, or do not ask for it."
                )
            continue
        nested = spelled(base, f"{whose}/{whose}_Images")
        images = nested if nested.is_dir() else spelled(base, f"{whose}_Images")
        place = relative(images if images.is_dir() else nested, base)
        empty = True
        for row in _records(path, layout):
            empty = False
            if isinstance(row, Skipped):
                yield row
            elif row.key in seen:
                yield Skipped(f"{row.key} ({name})", "listed again")
            else:
                seen.add(row.key)
                yield row._replace(image=f"{place}/{row.key}", official_split=split)
        if empty:
            yield Skipped(relative(path, base), "a list without a line")
    yield from _unlisted(base, seen, (MANUAL, AUTOMATIC) if automatic else (MANUAL,))


def _unlisted(base: Path, listed: set[str], parts: tuple[str, ...]) -> Iterator[Skipped]:
    """Yield the pictures that no list names."""
    for whose in parts:
        place = spelled(base, f"{whose}_Images")
        folder = place if place.is_dir() else spelled(base, f"{whose}/{whose}_Images")
        for name in image_names(folder):
            if name not in listed:
                yield Skipped(f"{relative(folder, base)}/{name}", UNLISTED)


def _records(path: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    """Yield what each line says. A damaged one, of which the publishers' lists have some, is left out.

    No cell is quoted, so lines are split at commas; a csv reader would fall over the damaged ones. One
    distribution's validation.csv has no header.
    """
    try:
        opened = io.TextIOWrapper(open_plain(path), "utf-8-sig", "replace")
    except OSError as error:
        raise BrokenSource(f"Cannot read {path}: {error.strerror}.", "Check the file's rights.") from None
    with opened as file:
        columns: tuple[str, ...] = COLUMNS
        for line, text in enumerate(file, 1):
            cells = tuple(cell.strip().strip('"') for cell in text.split(","))
            if line == 1 and COLUMNS[0] in cells:
                if missing := [column for column in COLUMNS if column not in cells]:
                    raise broken(path, 1, f"no column {', '.join(missing)}")
                columns = cells
            elif cells != ("",):
                yield _record(cells, columns, path, line, layout)


def _record(
    cells: tuple[str, ...], columns: tuple[str, ...], path: Path, line: int, layout: Layout
) -> Sample | Skipped:
    where = f"{path.name}:{line}"
    if len(cells) != len(columns):
        return Skipped(where, "a damaged record: not as many cells as columns")
    row = dict(zip(columns, cells, strict=True))
    name = row["subDirectory_filePath"]
    if not _inside(name):
        return Skipped(where, "a damaged record: no picture's name")
    try:
        box = floats(row[c] for c in COLUMNS[1:5])
        valence, arousal = affect(float(row["valence"])), affect(float(row["arousal"]))
        label = str(int(row["expression"]))
    except ValueError:
        return Skipped(where, "a damaged record: a value that is not a number")
    found = box[2] > 0 and box[3] > 0  # a negative width is how the publishers say that there is none
    return Sample(
        name,
        name,
        native_label=known(label, layout, path, line),
        valence=valence,
        arousal=arousal,
        face_box=box if found else None,
        landmarks=points(row["facial_landmarks"]) if found else None,
    )


def _inside(name: str) -> bool:
    """Return whether a cell is a picture's name, and one that leads nowhere else."""
    path = PurePosixPath(name)
    return is_image(path.name) and name.isprintable() and "\\" not in name and not {"..", "/"} & set(path.parts)
