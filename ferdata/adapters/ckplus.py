"""CK+: sequences from neutral to the peak of an expression; the official tree, CK+48, or a table of pixels.

Where the official tree and CK+48 hold the same frames, their samples have the same keys in the same order.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ferdata.errors import BrokenSource, DatasetMissing, NotAFile
from ferdata.running.plain_file import read_plain
from ferdata.sources import Layout, Licence, Option, Sample, Skipped, Source, broken, images_below, known, relative
from ferdata.sources.left_out import NOTES, or_left_out
from ferdata.sources.pixel_tables import read_pixel_table
from ferdata.sources.spelling import declared_label, spelled

CODES = dict(
    zip(
        "01234567",
        ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"),
        strict=True,
    )
)
FOLDERS = {("happy" if e == "happiness" else e): e for e in CODES.values() if e != "neutral"}
TABLE_CODES = dict(
    zip(
        "01234567",
        ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt"),
        strict=True,
    )
)
FRAMES = (135, 54, 177, 75, 207, 84, 249)  # three of each labelled sequence, in the order of codes 1..7
FIRST = "first frame"  # no file of the publishers' calls it neutral, so it does not borrow their code

SOURCE = Source(
    name="ckplus",
    title="CK+ (Extended Cohn-Kanade)",
    homepage="http://www.jeffcohn.net/Resources/",
    licence=Licence(
        "CK+ user agreement",
        "For research under a signed agreement; only faces whose owners agreed to it may be shown in print.",
    ),
    citation="""@inproceedings{Lucey2010Extended,
  author    = {Lucey, Patrick and Cohn, Jeffrey F. and Kanade, Takeo and Saragih, Jason and Ambadar, Zara
               and Matthews, Iain},
  title     = {The Extended Cohn-Kanade Dataset (CK+): A complete dataset for action unit and
               emotion-specified expression},
  booktitle = {CVPR Workshops},
  pages     = {94--101},
  year      = {2010}
}
@inproceedings{Kanade2000Comprehensive,
  author    = {Kanade, Takeo and Cohn, Jeffrey F. and Tian, Yingli},
  title     = {Comprehensive database for facial expression analysis},
  booktitle = {IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  year      = {2000}
}""",
    access="Researchers who sign the user agreement.",
    obtain=(
        "Follow the CK+ link on the homepage, sign the agreement and send it in.",
        "Download the four archives: cohn-kanade-images, Landmarks, FACS_labels and Emotion_labels.",
        "Unpack all four into one folder.",
    ),
    place="data/ckplus/{cohn-kanade-images,Emotion,FACS,Landmarks}/",
    content="593 sequences of 123 people, 327 of them labelled with one of seven emotions, contempt among them",
    layouts=(
        Layout(
            "official",
            ("cohn-kanade-images/S[0-9]*",),
            CODES | {FIRST: "neutral"},
            {"all": dict(zip("1234567", FRAMES, strict=True))},
            "No official split: keep all frames of one person in one split. Sequences without an emotion label are "
            "kept as unlabelled. Counts are for the last three frames.",
        ),
        Layout(
            "ck48",
            ("[a-z]*[a-z]/S[0-9][0-9][0-9]_[0-9][0-9][0-9]_[0-9]*.[pPjJ]*",),
            FOLDERS,
            {"all": dict(zip(FOLDERS, FRAMES, strict=True))},
            "A repack: the last three frames of the labelled sequences, cropped to 48 x 48. No neutral faces, no "
            "official split: keep all frames of one person in one split.",
        ),
        Layout(
            "table",
            ("ckextended.csv",),
            TABLE_CODES,
            {"all": {"6": 593, "7": 18}},
            "A repack without names: people cannot be identified. Its Usage column was assigned at random per row, "
            "so the same person is in train and test, and results on it are too high.",
        ),
    ),
    options=(
        Option(
            "frames",
            "Which frames of a sequence: last3, the last three, as in most papers; peak, the last one; "
            "first-neutral, last3 and frame 1 of each labelled sequence as neutral, where it is there.",
            "last3",
            ("last3", "peak", "first-neutral"),
        ),
    ),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout; CK+48's says which of its class folders are not there."""
    del options
    if layout.name != "ck48":
        return layout
    there = {declared_label(path.parent.name, layout) for path in images_below(base)}
    missing = [name for name in FOLDERS if name not in there]
    note = f"{layout.note} Class folders missing here: {', '.join(missing)}." if missing else layout.note
    return replace(layout, note=note)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    frames = SOURCE.option(options, "frames") or "last3"
    if layout.name == "official":
        yield from _official(base, layout, frames)
    elif layout.name == "ck48":
        yield from _ck48(base, layout, frames)
    else:
        yield from _table(spelled(base, layout.marks[0]), layout)


_NAME = re.compile(r"(S\d+)_(\d+)_(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class _Frame:
    subject: str
    session: str
    number: int
    path: Path

    @property
    def sequence(self) -> str:
        """Subject and session: session numbers start again with each subject."""
        return f"{self.subject}/{self.session}"


def _sequences(base: Path, folder: Path) -> Iterator[list[_Frame] | Skipped]:
    """Yield the frames of each sequence, in order, and files whose names are no frame's."""
    sequences: dict[tuple[str, str, str], list[_Frame]] = {}
    for path in images_below(folder):
        if name := _NAME.fullmatch(path.stem):
            frame = _Frame(name[1], name[2], int(name[3]), path)
            sequences.setdefault((name[1], name[2], path.parent.name), []).append(frame)
        else:
            yield Skipped(relative(path, base), "not a frame of a sequence by its name")
    for key in sorted(sequences):
        yield sorted(sequences[key])


def _chosen(frames: list[_Frame], policy: str) -> list[_Frame]:
    return frames[-1:] if policy == "peak" else frames[-3:]


def _sample(base: Path, frame: _Frame, label: str | None) -> Sample:
    return Sample(
        frame.path.stem,
        relative(frame.path, base),
        native_label=label,
        subject=frame.subject,
        sequence=frame.sequence,
        frame=frame.number,
    )


def _official(base: Path, layout: Layout, policy: str) -> Iterator[Sample | Skipped]:
    emotions = _beside(base, "emotion")
    if emotions is None:
        raise DatasetMissing(
            f"There are CK+'s images in {base}, but not its emotion labels.",
            f"Unpack Emotion_labels.zip into {base}.",
        )
    facs, landmarks = _beside(base, "facs"), _beside(base, "landmarks")
    for frames in _sequences(base, spelled(base, "cohn-kanade-images")):
        if isinstance(frames, Skipped):
            yield frames
            continue
        peak, first, chosen = frames[-1], frames[0], _chosen(frames, policy)
        try:
            label = _emotion(emotions / peak.subject / peak.session, layout)
        except (BrokenSource, NotAFile) as error:  # of one sequence alone
            yield from (Skipped(relative(frame.path, base), NOTES, error.message) for frame in chosen)
            continue
        if policy == "first-neutral" and label is not None and first.number == 1 and first not in chosen:
            yield _noted(base, first, FIRST, landmarks, None)
        for frame in chosen:
            # FACS codes were given for the last frame alone.
            yield _noted(base, frame, label, landmarks, facs if frame is peak else None)


def _noted(base: Path, frame: _Frame, label: str | None, landmarks: Path | None, facs: Path | None) -> Sample | Skipped:
    """Return a frame with its landmarks and action units, or why its files cannot be read."""
    sample = _sample(base, frame, label)
    return or_left_out(
        relative(frame.path, base), lambda: _with_units(_with_points(sample, frame, landmarks), frame, facs)
    )


def _beside(base: Path, word: str) -> Path | None:
    """Return the folder whose name starts with `word` and that holds subjects; archives unpack nested or not."""
    for near in (base, base.parent):
        for folder in sorted(p for p in near.iterdir() if p.name.lower().startswith(word) and p.is_dir()):
            for candidate in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())):
                if any(_subject.is_dir() for _subject in candidate.glob("S[0-9]*")):
                    return candidate
    return None


def _emotion(folder: Path, layout: Layout) -> str | None:
    """Return the code in a sequence's one label file, None where folder or file is not there."""
    files = sorted(folder.glob("[!.]*_emotion.txt")) if folder.is_dir() else []
    if not files:
        return None
    if len(files) > 1:
        raise BrokenSource(
            f"{folder} holds {len(files)} emotion files: {', '.join(f.name for f in files)}.",
            "A sequence has one label; remove the wrong file.",
        )
    (number,) = _numbers(files[0], 1)
    if not number.is_integer():
        raise broken(files[0], 1, f"label {number}, which is not a whole number")
    return known(str(int(number)), layout, files[0], 1)


def _numbers(path: Path, count: int | None = None) -> list[float]:
    """Return the numbers of a file: `count` of them, or pairs. Raises BrokenSource."""
    try:
        numbers = [float(word) for word in read_plain(path).decode("utf-8-sig").split()]
    except (ValueError, OSError):
        raise broken(path, 1, "not a file of numbers") from None
    if not all(map(math.isfinite, numbers)):
        raise broken(path, 1, "numbers that are not finite")
    if len(numbers) % 2 if count is None else len(numbers) != count:
        raise broken(path, 1, f"{len(numbers)} numbers, expected {count or 'pairs of them'}")
    return numbers


def _with_points(sample: Sample, frame: _Frame, folder: Path | None) -> Sample:
    path = folder and folder / frame.subject / frame.session / f"{frame.path.stem}_landmarks.txt"
    return sample._replace(landmarks=tuple(_numbers(path, 136))) if path and path.is_file() else sample


def _with_units(sample: Sample, frame: _Frame, folder: Path | None) -> Sample:
    """Add action units; intensity 0 in the file means that the unit is there and its strength was not given."""
    path = folder and folder / frame.subject / frame.session / f"{frame.path.stem}_facs.txt"
    if not path or not path.is_file():
        return sample
    numbers = _numbers(path)
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return sample._replace(action_units=tuple((f"AU{int(unit)}", strength or None) for unit, strength in pairs))


def _ck48(base: Path, layout: Layout, policy: str) -> Iterator[Sample | Skipped]:
    """Read the class folders; classes are mixed by sequence, as in the official tree.

    No name of the repack's is in two classes. Where a copy has one, both are rows, with their class in the key.
    """
    found = list(_sequences(base, base))
    times = Counter(frame.path.stem for frames in found if not isinstance(frames, Skipped) for frame in frames)
    for frames in found:
        if isinstance(frames, Skipped):
            yield frames
            continue
        for frame in _chosen(frames, policy):
            label = declared_label(frame.path.parent.name, layout)
            sample = _sample(base, frame, label)
            yield sample._replace(key=f"{label}/{sample.key}") if times[sample.key] > 1 else sample


def _table(path: Path, layout: Layout) -> Iterator[Sample]:
    for row in read_pixel_table(path, "emotion", "Usage"):
        label = known(row.emotion or "", layout, path, row.line)
        yield Sample(f"row_{row.index:05d}", row.pixels, native_label=label, official_split=row.split)
