"""ExpW: 91,793 faces in pictures found on the web, several to a picture."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.errors import BrokenSource, NotThisDataset
from ferdata.running.plain_file import read_plain
from ferdata.sources import Layout, Licence, Sample, Skipped, Source, broken, is_image, known, relative
from ferdata.sources.spelling import spelled

CODES = dict(zip("0123456", ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"), strict=True))
FOLDERS = ("image/origin", "origin", "image", "images")
COLUMNS = ("name", "face", "top", "left", "right", "bottom", "confidence", "label")
_COUNTS = {"all": {"all": 91_793}}
_NOTE = (
    "No official split; labels are noisy. A row is one face, and its image the whole picture: align crops the faces."
)

SOURCE = Source(
    name="expw",
    title="ExpW (Expression in-the-Wild)",
    homepage="http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html",
    licence=Licence("ExpW terms", "For research only; the pictures are from the web and belong to others."),
    citation="""@article{Zhang2018From,
  author  = {Zhang, Zhanpeng and Luo, Ping and Loy, Chen Change and Tang, Xiaoou},
  title   = {From Facial Expression Recognition to Interpersonal Relation Prediction},
  journal = {International Journal of Computer Vision},
  volume  = {126},
  number  = {5},
  pages   = {550--569},
  year    = {2018}
}""",
    access="Researchers; the homepage links to the files.",
    obtain=(
        "Follow the link to ExpW on the homepage and read the terms of use.",
        "Download the archive of pictures, all of its parts, and the file label.lst.",
        "Unpack the pictures into image/ and put label.lst into label/, or beside image/.",
    ),
    place="data/expw/{image/,label/label.lst}",
    content="91,793 faces in seven classes: anger, disgust, fear, happiness, sadness, surprise, neutral",
    layouts=(
        Layout("official", ("label/label.lst",), CODES, _COUNTS, _NOTE),
        Layout("flat", ("label.lst",), CODES, _COUNTS, _NOTE),
    ),
)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield one sample for each face that the list names; a picture that it does not name holds no labelled face.

    The list's boxes are top, left, right, bottom. A face that is listed again, by its picture and number, is left
    out, and so is one whose box has no area, since its label would pass for that of the whole picture.
    """
    del options  # there are none
    path = spelled(base, layout.marks[0])
    folder, names = _pictures(base)
    seen: set[str] = set()
    pictures: set[str] = set()
    for line, cells in _read(path):
        name = cells["name"]
        key = f"{name}/{cells['face']}"
        label = known(cells["label"], layout, path, line)
        top, left, right, bottom = _box(cells, path, line)
        pictures.add(name)
        if key in seen:
            yield Skipped(f"{key} (line {line})", "listed again")
            continue
        seen.add(key)
        if right <= left or bottom <= top:
            yield Skipped(key, "a face box without area")
            continue
        box = (left, top, right - left, bottom - top)
        yield Sample(key, f"{relative(folder, base)}/{name}", native_label=label, face_box=box)
    for name in sorted(names - pictures):
        yield Skipped(name, "no labelled face")


def _pictures(base: Path) -> tuple[Path, set[str]]:
    """Return the folder of the pictures, and their names. Raises BrokenSource, NotThisDataset."""
    for folder in (spelled(base, name) for name in FOLDERS):
        if folder.is_dir() and (names := {p.name for p in folder.iterdir() if is_image(p.name)}):
            return folder, names
    if any(spelled(base, name).is_dir() for name in ("aligned_image", "image/aligned_image")):
        raise NotThisDataset(
            f"{base} holds aligned faces, but the face boxes in ExpW's list are for the original pictures.",
            "Unpack the original pictures into image/.",
        )
    raise BrokenSource(
        f"There is ExpW's list in {base}, but no pictures in {', '.join(f'{name}/' for name in FOLDERS)}.",
        "Unpack the archive of pictures into image/.",
    )


def _read(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        lines = read_plain(path).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenSource(f"Cannot read {path}: {error}.", "Download the label list again.") from None
    for number, line in enumerate(lines, 1):
        # The name may hold blanks; what follows it does not.
        cells = line.rsplit(maxsplit=len(COLUMNS) - 1)
        if not cells:
            continue
        row = dict(zip(COLUMNS, (cell.strip() for cell in cells), strict=False))
        if len(cells) != len(COLUMNS) or not is_image(row["name"]) or "/" in row["name"] or "\\" in row["name"]:
            raise broken(path, number, f"{line[:60]!r}, expected {' '.join(COLUMNS)}")
        yield number, row


def _box(cells: Mapping[str, str], path: Path, line: int) -> tuple[int, int, int, int]:
    try:
        return int(cells["top"]), int(cells["left"]), int(cells["right"]), int(cells["bottom"])
    except ValueError:
        words = " ".join(cells[c] for c in COLUMNS[2:6])
        raise broken(path, line, f"a face box of {words!r}") from None
