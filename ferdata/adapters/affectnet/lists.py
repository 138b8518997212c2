"""AffectNet's first release: lists of records beside whole pictures."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ferdata.adapters.affectnet.values import affect, floats, points
from ferdata.errors import BrokenSource
from ferdata.sources import Layout, Sample, Skipped, broken, is_image, known, relative
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
        for row in _records(path, layout):
            if isinstance(row, Skipped):
                yield row
            elif row.key in seen:
                yield Skipped(f"{row.key} ({name})", "listed again")
            else:
                seen.add(row.key)
                image = f"{relative(images if images.is_dir() else nested, base)}/{row.key}"
                yield row._replace(image=image, official_split=split)


def _records(path: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    """Yield what each line says. A damaged one, of which the publishers' lists have some, is left out.

    No cell is quoted, so lines are split at commas; a csv reader would fall over the damaged ones. One
    distribution's validation.csv has no header.
    """
    try:
        opened = path.open(encoding="utf-8-sig", errors="replace")
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
