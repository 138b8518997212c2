"""The annotation files of Aff-Wild2: where they are, and what they say of each frame."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ferdata.errors import BrokenSource
from ferdata.running.plain_file import read_plain
from ferdata.sources import Frame, Sample, broken
from ferdata.sources.spelling import in_any_case

# The header of the expression files is the order of the codes; the releases of 2020 and 2021 have no Other.
NAMES = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
CODES = {str(code): name for code, name in enumerate(NAMES)} | {"-1": "unlabelled"}
MTL_UNITS = tuple(f"AU{n}" for n in (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26))
IGNORED = -5.0  # of valence and arousal: seen in the lists for all tasks; taken alike elsewhere
LISTS = {"training_set_annotations.txt": "train", "validation_set_annotations.txt": "val"}
TASKS = {"expr": "expr", "va": "va_", "au": "au_"}  # task -> how its folder's name begins, in lower case


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """The file that holds one task's labels of one video, and the split that its folder means."""

    path: Path
    split: str


Annotations = Mapping[str, Mapping[str, AnnotationFile]]  # task -> video -> file


def annotation_files(base: Path) -> dict[str, dict[str, AnnotationFile]]:
    """Return, for each task, the annotation file of every video; releases nest their folders differently."""
    found: dict[str, dict[str, AnnotationFile]] = {task: {} for task in TASKS}
    roots = [p for p in sorted(base.glob(in_any_case("*nnotation*"))) if p.is_dir()]
    for root in roots:
        inner = sorted(p for pattern in ("*", "*/*") for p in root.glob(pattern) if p.is_dir())
        for folder in inner:
            task = next((t for t, start in TASKS.items() if folder.name.lower().startswith(start)), None)
            for part in sorted(folder.iterdir()) if task else ():
                split = {"tr": "train", "va": "val"}.get(part.name.lower()[:2])
                if task and split and part.is_dir():
                    _add(found[task], part, split)
    return found


def _add(files: dict[str, AnnotationFile], folder: Path, split: str) -> None:
    for path in sorted(folder.glob("[!.]*.txt")):
        earlier = files.setdefault(path.stem, AnnotationFile(path, split))
        if earlier.path != path:
            raise BrokenSource(
                f"{path.stem} is annotated twice: {earlier.path} and {path}.",
                "A video is in one set only, and one release is read at a time; remove one of them.",
            )


def list_files(base: Path) -> list[Path]:
    """Return the lists for all tasks that are there, train before validation."""
    folder = in_any_case("*nnotation*/")
    places = ("", folder, f"{folder}*/", f"{folder}*/*/")
    return [path for name in LISTS for path in [p for place in places for p in sorted(base.glob(place + name))][:1]]


def source_video(video: str) -> str:
    """Return the video that the annotated person is seen in: `_left` and `_right` are two people of one video."""
    return video.removesuffix("_left").removesuffix("_right")


@dataclass(frozen=True, slots=True)
class FrameLabels:
    """What is known of one frame."""

    code: str | None = None
    valence: float | None = None
    arousal: float | None = None
    units: tuple[tuple[str, float | None], ...] | None = None

    @property
    def any(self) -> bool:
        """Whether any task labelled the frame."""
        return self.code not in (None, "-1") or self.valence is not None or self.units is not None

    def sample(self, video: str, number: int, image: str | Frame, split: str) -> Sample:
        """Return the row; who is left or right of one video shares its sequence, so that both stay together."""
        return Sample(
            f"{video}/{number:05d}",
            image,
            native_label=self.code,
            valence=self.valence,
            arousal=self.arousal,
            action_units=self.units,
            subject=video,
            sequence=source_video(video),
            frame=number,
            official_split=split,
        )


def frame_labels(files: Annotations, video: str) -> list[FrameLabels]:
    """Return the labels of each line of the first task's file; shorter files of other tasks add what they have."""
    merged: list[FrameLabels] = []
    for position, (task, found) in enumerate(files.items()):
        if video not in found:
            continue
        rows = _read(found[video].path, task)
        if not position:
            merged = [FrameLabels()] * len(rows)
        for i, row in enumerate(rows[: len(merged)]):
            merged[i] = _with(merged[i], task, row)
    return merged


def _with(labels: FrameLabels, task: str, row: FrameLabels) -> FrameLabels:
    if task == "expr":
        return replace(labels, code=row.code)
    if task == "va":
        return replace(labels, valence=row.valence, arousal=row.arousal)
    return replace(labels, units=row.units)


def _read(path: Path, task: str) -> list[FrameLabels]:
    """Return the labels of every line after the header, which says what the columns or the codes are."""
    lines = _lines(path)
    header = [cell.strip() for cell in lines[0].split(",")] if lines else []
    expected = {"expr": (NAMES, NAMES[:-1]), "va": (("valence", "arousal"),)}.get(task)
    words = tuple(cell.casefold() for cell in header)
    if (words not in expected) if expected else not all(w.startswith("au") and w[2:].isdecimal() for w in words):
        raise broken(path, 1, f"the header {','.join(header)[:80]!r}, which no release has")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        cells = [cell.strip() for cell in line.split(",")]
        if task == "expr":
            rows.append(FrameLabels(code=_code(cells, len(header), path, number)))
        elif task == "va":
            valence, arousal = _affect(cells, path, number)
            rows.append(FrameLabels(valence=valence, arousal=arousal))
        else:
            rows.append(FrameLabels(units=_units(cells, header, path, number)))
    return rows


def _lines(path: Path) -> list[str]:
    try:
        text = read_plain(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenSource(f"Cannot read {path}: {error}.", "Download the annotations again.") from None
    return text.rstrip().splitlines()


def _code(cells: list[str], known: int, path: Path, line: int) -> str:
    if len(cells) != 1 or cells[0] not in ("-1", *map(str, range(known))):
        raise broken(path, line, f"{','.join(cells)[:40]!r}, expected -1 or a code from 0 to {known - 1}")
    return cells[0]


def _affect(cells: list[str], path: Path, line: int) -> tuple[float | None, float | None]:
    try:
        valence, arousal = map(float, cells)
    except ValueError:
        raise broken(path, line, f"{','.join(cells)[:40]!r}, expected two numbers") from None
    if IGNORED in (valence, arousal):
        return None, None
    if not (-1 <= valence <= 1 and -1 <= arousal <= 1):
        raise broken(path, line, f"valence and arousal of {valence} and {arousal}, which go from -1 to 1")
    return valence, arousal


def _units(cells: list[str], names: list[str], path: Path, line: int) -> tuple[tuple[str, float | None], ...] | None:
    """Return the units that are there, None where not one of them was annotated (-1)."""
    if len(cells) != len(names) or not set(cells) <= {"0", "1", "-1"}:
        raise broken(path, line, f"{','.join(cells)[:60]!r}, expected {len(names)} values, each 0, 1 or -1")
    if set(cells) == {"-1"}:
        return None
    return tuple((name.upper(), None) for name, cell in zip(names, cells, strict=True) if cell == "1")


def read_list(path: Path) -> Iterator[tuple[str, int, str, FrameLabels]]:
    """Yield video, frame number, file name and labels of every frame in a list for all tasks.

    The columns are image, valence, arousal, expression and the action units. Raises BrokenSource with file and line.
    """
    lines = _lines(path)
    header = [cell.strip() for cell in lines[0].split(",")] if lines else []
    if [cell.casefold() for cell in header[:4]] != ["image", "valence", "arousal", "expression"]:
        raise broken(path, 1, f"the header {','.join(header)[:80]!r}, expected image,valence,arousal,...")
    units = header[4:] if len(header) > 5 else list(MTL_UNITS)
    for number, line in enumerate(lines[1:], 2):
        name, *cells = (cell.strip() for cell in line.split(","))
        video, slash, file = name.partition("/")
        frame = frame_number(file)
        if not slash or "/" in file or frame is None or len(cells) < 3 or video in ("", ".", ".."):
            raise broken(path, number, f"{line[:60]!r}, expected a frame and its labels")
        valence, arousal = _affect(cells[:2], path, number)
        code = _code(cells[2:3], len(NAMES), path, number)
        yield video, frame, file, FrameLabels(code, valence, arousal, _units(cells[3:], units, path, number))


def frame_number(file: str) -> int | None:
    """Return the number that an image's file name (`00001.jpg`) begins with, None where it is none."""
    stem = file.partition(".")[0]
    return int(stem) if stem.isdecimal() and 0 < int(stem[:10]) < 1_000_000_000 else None
