"""What RAF-DB annotates of an image beside its label: points, box, gender, race and age group, each in a file."""

import math
from pathlib import Path

from ferdata.errors import BrokenSource
from ferdata.running.plain_file import read_plain
from ferdata.sources import Sample, broken
from ferdata.sources.spelling import in_any_case

GENDERS = ("male", "female", "unsure")
RACES = ("Caucasian", "African-American", "Asian")
AGES = ("0-3", "4-19", "20-39", "40-69", "70+")
AUTO_POINTS = 37


class Annotations:
    """The manual attributes and boxes, where they were unpacked; their coordinates are the original image's."""

    def __init__(self, folder: Path, original: bool, auto: bool) -> None:
        self.original = original
        # A browser that saves the same archive twice names the second folder `manual (1)`.
        self.manual, self.auto, self.boxes = (
            next((p for near in (folder, folder.parent) for p in sorted(near.glob(mark)) if p.is_dir()), None)
            for mark in map(in_any_case, ("manual*", "auto*", "boundingbox*"))
        )
        self.points = self.auto if auto else None
        if auto and self.auto is None:
            raise BrokenSource(f"There is no folder auto in {folder}.", "Unpack it, or leave out --landmarks auto.")

    def of(self, stem: str, sample: Sample) -> Sample:
        """Return `sample` with what is annotated of it."""
        if self.manual and (path := self.manual / f"{stem}_manu_attri.txt").is_file():
            points, gender, race, age = _read_attributes(path)
            landmarks = points if self.original and not self.points else None
            sample = sample._replace(landmarks=landmarks, gender=gender, ethnicity=race, age=age)
        if self.points and (path := self.points / f"{stem}_auto_attri.txt").is_file():
            sample = sample._replace(landmarks=_read_points(path))
        if self.original and self.boxes and (path := self.boxes / f"{stem}_boundingbox.txt").is_file():
            left, top, right, bottom = _numbers(path, 1, read_text(path).split(), 4)
            sample = sample._replace(face_box=(left, top, right - left, bottom - top))
        return sample


def _read_attributes(path: Path) -> tuple[tuple[float, ...], str, str, str]:
    """Return five points, gender, race and age group of a `_manu_attri.txt`: eight lines, tabs or blanks."""
    lines = [(n, ls.split()) for n, ls in enumerate(read_text(path).splitlines(), 1)]
    lines = [(number, cells) for number, cells in lines if cells]
    if len(lines) != 8:
        raise broken(path, lines[-1][0] if lines else 1, f"{len(lines)} lines, expected 8")
    points = [value for number, cells in lines[:5] for value in _numbers(path, number, cells, 2)]
    words = []
    for (number, cells), meanings in zip(lines[5:], (GENDERS, RACES, AGES), strict=True):
        if len(cells) != 1 or cells[0] not in map(str, range(len(meanings))):
            raise broken(path, number, f"{' '.join(cells)!r}, expected a code from 0 to {len(meanings) - 1}")
        words.append(meanings[int(cells[0])])
    return tuple(points), words[0], words[1], words[2]


def _read_points(path: Path) -> tuple[float, ...]:
    lines = [(n, line.split()) for n, line in enumerate(read_text(path).splitlines(), 1)]
    lines = [(number, cells) for number, cells in lines if cells]
    if len(lines) != AUTO_POINTS:
        raise broken(path, lines[-1][0] if lines else 1, f"{len(lines)} lines, expected {AUTO_POINTS}")
    return tuple(value for number, cells in lines for value in _numbers(path, number, cells, 2))


def _numbers(path: Path, line: int, cells: list[str], count: int) -> tuple[float, ...]:
    try:
        values = tuple(map(float, cells))
    except ValueError:
        raise broken(path, line, f"{' '.join(cells)[:60]!r}, which are not numbers") from None
    if not all(map(math.isfinite, values)):
        raise broken(path, line, "numbers that are not finite")
    if len(values) != count:
        raise broken(path, line, f"{len(values)} numbers, expected {count}")
    return values


def read_text(path: Path) -> str:
    """Return what stands in a text file. Raises BrokenSource."""
    try:
        return read_plain(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenSource(f"Cannot read {path}: {error}.", "The file is damaged; download it again.") from None
