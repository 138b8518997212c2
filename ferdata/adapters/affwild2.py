"""Aff-Wild2 (ABAW): frames of videos from the web, labelled one by one with expression, valence and arousal, AUs.

Line i of an annotation file, counted after its header, is frame i of the video, which is the file `%05d.jpg` among
its crops. What several tasks say of one frame is joined. Where no crops are there, the videos themselves are read.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ferdata.errors import BrokenSource, DatasetMissing, NotThisDataset
from ferdata.schema import Frame, Sample
from ferdata.sources.declaration import Layout, Licence, Option, Skipped, Source, broken, is_image, relative

# The header of the expression files is the order of the codes; the releases of 2020 and 2021 have no Other.
NAMES = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
CODES = {str(code): name for code, name in enumerate(NAMES)} | {"-1": "unlabelled"}
MTL_UNITS = tuple(f"AU{n}" for n in (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26))
IGNORED = -5.0  # of valence and arousal: seen in the lists for all tasks; taken alike elsewhere
LISTS = {"training_set_annotations.txt": "train", "validation_set_annotations.txt": "val"}
TASKS = {"expr": "expr", "va": "va_", "au": "au_"}  # task -> how its folder's name begins, in lower case
FACES = "crop*_aligned*"
VIDEOS = "[bv][ai][td][ce][ho]*"  # batch1, batch2, ..., video, videos
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv")
SPLITS = "Official train and validation; the test set has no labels. "
UNSEEN = "labelled, but no face was cropped from the frame"

SOURCE = Source(
    name="affwild2",
    title="Aff-Wild2 (ABAW challenges)",
    homepage="https://sites.google.com/view/dimitrioskollias/databases/aff-wild2",
    licence=Licence(
        "Aff-Wild2 end user licence agreement",
        "For academic, non-commercial research under a signed agreement; it also lists what is to be cited.",
    ),
    citation="""@article{Kollias2018AffWild2,
  author  = {Kollias, Dimitrios and Zafeiriou, Stefanos},
  title   = {Aff-Wild2: Extending the Aff-Wild Database for Affect Recognition},
  journal = {arXiv preprint arXiv:1811.07770},
  year    = {2018}
}""",
    access="Academics with a permanent post; students and post-docs through their supervisor.",
    obtain=(
        "Print the agreement on the homepage; somebody with a permanent academic post has to sign it.",
        "Send it to Dimitrios Kollias (address on the homepage) from the institution's own e-mail address.",
        "Download the annotations and the cropped_aligned images; without the latter, the videos.",
        "Unpack them side by side; the names of the releases' folders may stay as they are.",
    ),
    place="data/affwild2/{annotations,cropped_aligned}/",
    content="some 3 million frames of 594 videos; seven expressions and other, valence and arousal, action units",
    layouts=(
        Layout("frames", ("*nnotation*", FACES), CODES, {}, SPLITS + "The rows are the frames that --task labels."),
        Layout(
            "lists",
            ("*nnotation*", FACES),
            CODES,
            {},
            SPLITS + "The lists for learning all tasks at once, which name every frame with all of its labels.",
        ),
        Layout(
            "videos",
            ("*nnotation*", VIDEOS),
            CODES,
            {},
            SPLITS + "Whole frames of the videos. Where two people are annotated side by side (_left, _right), "
            "nothing tells which part of the picture is whose, so those are left out: get the crops for them.",
        ),
    ),
    options=(
        Option(
            "task",
            "Whose annotation files say which frames are rows, and in which split: expr, va or au; what the other "
            "two say of the same frames is added. mtl: the lists for all tasks at once.",
            "expr",
            (*TASKS, "mtl"),
        ),
        Option(
            "every",
            "Take every n-th frame of each video, from its first: neighbours differ little, and all are millions.",
            "1",
            ("1", "5", "10", "30"),
        ),
    ),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout that fits the annotations there are. Raises NotThisDataset, DatasetMissing."""
    task = SOURCE.option(options, "task") or "expr"
    files, lists = _annotations(base), _lists(base)
    if layout.name == "frames" and lists and (task == "mtl" or not any(files.values())):
        return next(other for other in SOURCE.layouts if other.name == "lists")
    if not lists and not any(files.values()):
        raise NotThisDataset(
            f"{base} holds no annotations of Aff-Wild2.",
            "Looked for folders Train_Set and Validation_Set below EXPR..., VA_... or AU_..., "
            f"and for {', '.join(LISTS)}.",
        )
    if not files.get(task):
        there = [
            t for t, found in (*files.items(), ("mtl", lists)) if found and (t != "mtl" or layout.name == "frames")
        ]
        raise DatasetMissing(
            f"{base} holds no annotation files of the task {task}.",
            f"Unpack them, or choose what is there: --task {' or '.join(there) or 'none'}.",
        )
    return layout


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    every = int(SOURCE.option(options, "every") or 1)
    task = SOURCE.option(options, "task") or "expr"
    if layout.name == "lists":
        yield from _listed(base, every)
        return
    files = _annotations(base)
    read = _from_crops if layout.name == "frames" else _from_videos
    yield from read(base, {t: files[t] for t in (task, *(t for t in files if t != task))}, every)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    split: str


def _annotations(base: Path) -> dict[str, dict[str, _File]]:
    """Return, for each task, the annotation file of every video; releases nest their folders differently."""
    found: dict[str, dict[str, _File]] = {task: {} for task in TASKS}
    roots = [p for p in sorted(base.glob("*nnotation*")) if p.is_dir()]
    for root in roots:
        inner = sorted(p for pattern in ("*", "*/*") for p in root.glob(pattern) if p.is_dir())
        for folder in inner:
            task = next((t for t, start in TASKS.items() if folder.name.lower().startswith(start)), None)
            for part in sorted(folder.iterdir()) if task else ():
                split = {"tr": "train", "va": "val"}.get(part.name.lower()[:2])
                if task and split and part.is_dir():
                    _add(found[task], part, split)
    return found


def _add(files: dict[str, _File], folder: Path, split: str) -> None:
    for path in sorted(folder.glob("[!.]*.txt")):
        earlier = files.setdefault(path.stem, _File(path, split))
        if earlier.path != path:
            raise BrokenSource(
                f"{path.stem} is annotated twice: {earlier.path} and {path}.",
                "A video is in one set only, and one release is read at a time; take one of them away.",
            )


def _lists(base: Path) -> list[Path]:
    places = ("", "*nnotation*/", "*nnotation*/*/", "*nnotation*/*/*/")
    return [path for name in LISTS for path in [p for place in places for p in sorted(base.glob(place + name))][:1]]


def _source_video(video: str) -> str:
    """Return the video that the annotated person is seen in: `_left` and `_right` are two people of one video."""
    return video.removesuffix("_left").removesuffix("_right")


@dataclass(frozen=True, slots=True)
class _Labels:
    """What is known of one frame."""

    code: str | None = None
    valence: float | None = None
    arousal: float | None = None
    units: tuple[tuple[str, float | None], ...] | None = None

    @property
    def any(self) -> bool:
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
            sequence=_source_video(video),
            frame=number,
            official_split=split,
        )


def _labels(files: Mapping[str, Mapping[str, _File]], video: str) -> list[_Labels]:
    """Return the labels of each line of the first task's file; shorter files of other tasks add what they have."""
    merged: list[_Labels] = []
    for position, (task, found) in enumerate(files.items()):
        if video not in found:
            continue
        rows = _read(found[video].path, task)
        if not position:
            merged = [_Labels()] * len(rows)
        for i, row in enumerate(rows[: len(merged)]):
            merged[i] = _with(merged[i], task, row)
    return merged


def _with(labels: _Labels, task: str, row: _Labels) -> _Labels:
    if task == "expr":
        return replace(labels, code=row.code)
    if task == "va":
        return replace(labels, valence=row.valence, arousal=row.arousal)
    return replace(labels, units=row.units)


def _read(path: Path, task: str) -> list[_Labels]:
    """Return the labels of every line after the header, which says what the columns or the codes are."""
    lines = _lines(path)
    header = [cell.strip() for cell in lines[0].split(",")] if lines else []
    expected = {"expr": (NAMES, NAMES[:-1]), "va": (("valence", "arousal"),)}.get(task)
    words = tuple(cell.casefold() for cell in header)
    if (words not in expected) if expected else not all(w.startswith("au") and w[2:].isdecimal() for w in words):
        raise broken(path, 1, f"the header {','.join(header)[:80]!r}, which is none of the releases'")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        cells = [cell.strip() for cell in line.split(",")]
        if task == "expr":
            rows.append(_Labels(code=_code(cells, len(header), path, number)))
        elif task == "va":
            valence, arousal = _affect(cells, path, number)
            rows.append(_Labels(valence=valence, arousal=arousal))
        else:
            rows.append(_Labels(units=_units(cells, header, path, number)))
    return rows


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenSource(f"Cannot read {path}: {error}.", "Download the annotations again.") from None
    return text.rstrip().splitlines()


def _code(cells: list[str], known: int, path: Path, line: int) -> str:
    if len(cells) != 1 or cells[0] not in ("-1", *map(str, range(known))):
        raise broken(path, line, f"{','.join(cells)[:40]!r}, where -1 or a code from 0 to {known - 1} belongs")
    return cells[0]


def _affect(cells: list[str], path: Path, line: int) -> tuple[float | None, float | None]:
    try:
        valence, arousal = map(float, cells)
    except ValueError:
        raise broken(path, line, f"{','.join(cells)[:40]!r}, where two numbers belong") from None
    if IGNORED in (valence, arousal):
        return None, None
    if not (-1 <= valence <= 1 and -1 <= arousal <= 1):
        raise broken(path, line, f"valence and arousal of {valence} and {arousal}, which go from -1 to 1")
    return valence, arousal


def _units(cells: list[str], names: list[str], path: Path, line: int) -> tuple[tuple[str, float | None], ...] | None:
    """Return the units that are there, None where not one of them was annotated (-1)."""
    if len(cells) != len(names) or not set(cells) <= {"0", "1", "-1"}:
        raise broken(path, line, f"{','.join(cells)[:60]!r}, where {len(names)} times 0, 1 or -1 belongs")
    if set(cells) == {"-1"}:
        return None
    return tuple((name.upper(), None) for name, cell in zip(names, cells, strict=True) if cell == "1")


def _crops(base: Path) -> dict[str, Path]:
    """Return the folder of crops of every video, by its name."""
    folders: dict[str, Path] = {}
    for root in sorted(p for p in base.glob(FACES) if p.is_dir()):
        for pattern in ("[!._]*", f"{FACES}/[!._]*"):  # an archive may unpack into a second folder of its own name
            for folder in sorted(p for p in root.glob(pattern) if p.is_dir()):
                folders.setdefault(folder.name, folder)
    return folders


def _is_number(stem: str) -> bool:
    return stem.isdecimal() and 0 < int(stem[:10]) < 1_000_000_000


def _from_crops(base: Path, files: Mapping[str, Mapping[str, _File]], every: int) -> Iterator[Sample | Skipped]:
    crops = _crops(base)
    chosen = next(iter(files.values()))
    for video, file in sorted(chosen.items()):
        folder = crops.pop(video, None)
        if folder is None:
            yield Skipped(video, "annotated, but its folder of crops is not there")
            continue
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if is_image(e.name)]
        images = {int(stem): name for name in names if _is_number(stem := name.partition(".")[0])}
        place = relative(folder, base)
        labels = _labels(files, video)
        for number in range(1, len(labels) + 1, every):
            of = labels[number - 1]
            if number in images:
                yield of.sample(video, number, f"{place}/{images[number]}", file.split)
            elif of.any:
                yield Skipped(f"{video}/{number:05d}", UNSEEN)
        for number in sorted(n for n in images if not 1 <= n <= len(labels) and (n - 1) % every == 0):
            yield Skipped(f"{video}/{number:05d}", "a frame without a line of its annotation file")
    for video in sorted(crops):
        if not video.startswith("crop"):
            yield Skipped(video, "a video that the task's files do not annotate")


def _from_videos(base: Path, files: Mapping[str, Mapping[str, _File]], every: int) -> Iterator[Sample | Skipped]:
    """Yield frames of the videos, as many as are annotated; those that a cut file lacks are rejected one by one."""
    videos: dict[str, Path] = {}
    for root in sorted(p for p in base.glob(VIDEOS) if p.is_dir()):
        for path in sorted((*root.glob("[!.]*"), *root.glob("*/[!.]*"))):
            if path.suffix.lower() in VIDEO_SUFFIXES:
                videos.setdefault(path.stem, path)
    chosen = next(iter(files.values()))
    for video, file in sorted(chosen.items()):
        if _source_video(video) != video:
            yield Skipped(video, "one of two people in the picture, and no crops tell them apart")
        elif video not in videos:
            yield Skipped(video, "annotated, but its video is not there")
        else:
            place = relative(videos[video], base)
            labels = _labels(files, video)
            for number in range(1, len(labels) + 1, every):
                yield labels[number - 1].sample(video, number, Frame(place, number - 1), file.split)


def _listed(base: Path, every: int) -> Iterator[Sample]:
    """Read the lists for all tasks: image, valence, arousal, expression, action units."""
    crops = _crops(base)
    for path in _lists(base):
        lines = _lines(path)
        header = [cell.strip() for cell in lines[0].split(",")] if lines else []
        if [cell.casefold() for cell in header[:4]] != ["image", "valence", "arousal", "expression"]:
            raise broken(path, 1, f"the header {','.join(header)[:80]!r}, where image,valence,arousal,... belongs")
        units = header[4:] if len(header) > 5 else list(MTL_UNITS)
        for number, line in enumerate(lines[1:], 2):
            name, *cells = (cell.strip() for cell in line.split(","))
            video, slash, file = name.partition("/")
            stem = file.partition(".")[0]
            if not slash or "/" in file or not _is_number(stem) or len(cells) < 3 or video in ("", ".", ".."):
                raise broken(path, number, f"{line[:60]!r}, where a frame and its labels belong")
            if (int(stem) - 1) % every:
                continue
            valence, arousal = _affect(cells[:2], path, number)
            code = _code(cells[2:3], len(NAMES), path, number)
            labels = _Labels(code, valence, arousal, _units(cells[3:], units, path, number))
            folder = relative(crops[video], base) if video in crops else f"cropped_aligned/{video}"
            yield labels.sample(video, int(stem), f"{folder}/{file}", LISTS[path.name])
