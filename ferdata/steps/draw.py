"""Draw faces and lay them out as FER+, CK+ and RAF-DB are published: datasets that nobody has to sign for.

The trees carry what makes the real ones hard: rare classes, votes that disagree, pictures that stand in train
and in test, clips of one person. `ferdata demo` and the tests read them with the adapters of the real ones.
"""

import csv
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferdata.drawing import Expression, Person, Scene, blend, expression, landmarks, paint, person, scene
from ferdata.errors import AlreadyExists, BadOption, CannotWrite
from ferdata.labels import EMOTIONS, VOTE_COLUMNS
from ferdata.running.progress import Advance, bar

LEAST = 240  # fewer faces, and some class of some split would be empty
# How many images (CK+: labelled clips) of each emotion are published, and so how unequal the drawn ones are.
# The rarest of FER+ are raised: half a percent of a few hundred faces would be none.
FERPLUS_SHARES = dict(zip(EMOTIONS, (33, 26, 13, 12, 8, 2.5, 3.5, 2), strict=True))
CKPLUS_SHARES = {
    "anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83,
}  # fmt: skip
RAFDB_SHARES = {
    "surprise": 1619, "fear": 355, "disgust": 877, "happiness": 5957, "sadness": 2460, "anger": 867,
    "neutral": 3204,
}  # fmt: skip
CKPLUS_CODES = {
    "anger": 1,
    "contempt": 2,
    "disgust": 3,
    "fear": 4,
    "happiness": 5,
    "sadness": 6,
    "surprise": 7,
}
RAFDB_CODES = {"surprise": 1, "fear": 2, "disgust": 3, "happiness": 4, "sadness": 5, "anger": 6, "neutral": 7}
FERPLUS_SPLITS = (
    ("Training", "FER2013Train", 0.7),
    ("PublicTest", "FER2013Valid", 0.14),
    ("PrivateTest", "FER2013Test", 0.16),
)
RAMP = (0.0, 0.12, 0.35, 0.65, 0.9, 1.0)  # how a clip goes from neutral to its peak
# What an emotion is taken for: the confusions that FER+'s voters show most.
TAKEN_FOR = {
    "neutral": ("sadness", "contempt", "anger"),
    "happiness": ("neutral", "surprise", "contempt"),
    "surprise": ("fear", "happiness", "neutral"),
    "sadness": ("neutral", "fear", "anger"),
    "anger": ("disgust", "neutral", "sadness"),
    "disgust": ("anger", "sadness", "contempt"),
    "fear": ("surprise", "sadness", "neutral"),
    "contempt": ("neutral", "happiness", "anger"),
}

Drawn = dict[str, dict[str, int]]  # split -> class -> images


def draw(out: Path, *, faces: int = 1200, seed: int = 0, force: bool = False) -> dict[str, Path]:
    """Draw about `faces` faces below `out` and return each dataset's root: ferplus, ckplus, rafdb.

    Equal `faces` and `seed`, equal bytes. A dataset that is there already is replaced only with `force`.
    Raises BadOption, AlreadyExists, CannotWrite.
    """
    if faces < LEAST:
        raise BadOption(f"{faces} faces are too few.", f"Draw {LEAST} or more, so that no class is empty.")
    writers = {"ferplus": (draw_ferplus, 0.55), "ckplus": (draw_ckplus, 0.2), "rafdb": (draw_rafdb, 0.25)}
    roots = {name: out / name for name in writers}
    if not force and (there := [str(root) for root in roots.values() if root.exists()]):
        raise AlreadyExists(f"{', '.join(there)}: there already.", "Add --force to replace, or choose another folder.")
    try:
        with bar("drawing faces", faces, "faces") as advance:
            for name, (write, share) in writers.items():
                if roots[name].exists():
                    shutil.rmtree(roots[name])
                write(roots[name], round(share * faces), seed, advance)
    except OSError as error:
        raise CannotWrite(
            f"Cannot write below {out}: {error.strerror or error}.",
            "Free some space, or choose another folder.",
        ) from None
    return roots


@dataclass(frozen=True)
class Face:
    """Somebody, what the face shows, and the picture of it."""

    who: Person
    shown: Expression
    seen: Scene

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the picture, uint8 (height, width, 3) RGB."""
        return paint(self.who, self.shown, self.seen, width, height)


def _somebody(emotion: str, intensity: float, rng: np.random.Generator) -> Face:
    """Somebody new, in the wild."""
    who, shown, seen = (int(s) for s in rng.integers(1 << 31, size=3))
    return Face(person(who), expression(emotion, intensity, shown), scene(seen))


def _quota(total: int, shares: Mapping[str, float], rng: np.random.Generator) -> list[str]:
    """Return `total` emotions in random order, as many of each as their shares say, but one at least."""
    whole = sum(shares.values())
    counts = {e: max(1, int(total * share / whole)) for e, share in shares.items()}
    commonest = max(shares, key=lambda e: shares[e])
    counts[commonest] += total - sum(counts.values())
    order = [e for e, n in counts.items() for _ in range(n)]
    return [order[i] for i in rng.permutation(len(order))]


def _save(path: Path, image: NDArray[np.uint8]) -> None:
    """Write RGB or grey pixels in the format that the suffix names."""
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    path.write_bytes(cv2.imencode(path.suffix, stored, options)[1].tobytes())


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


# FER+ ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tagged:
    """A face of FER+ and its votes; `first` are those of the picture that it is a copy of."""

    pixels: NDArray[np.uint8]
    votes: tuple[int, ...]
    first: tuple[int, ...]


def draw_ferplus(root: Path, faces: int, seed: int, advance: Advance | None = None) -> Drawn:
    """Write `faces` faces as FER+ is after its own png step; return rows by split and most voted column.

    As in the real one, rows that held no face have no name, and pictures that occur twice got votes twice:
    label.csv has each copy's own, fer2013new.csv those of the first.
    """
    rng = np.random.default_rng((seed, 10))
    splits = {folder: round(share * faces) for _, folder, share in FERPLUS_SPLITS}
    splits["FER2013Train"] += faces - sum(splits.values())
    drawn: Drawn = {}
    rows: list[list[str | int]] = []
    earlier: list[_Tagged] = []
    number = 0
    root.mkdir(parents=True)
    for usage, folder, _ in FERPLUS_SPLITS:
        tagged = _split_of_ferplus(splits[folder], rng, earlier, advance)
        earlier += tagged
        below = root / "data" / folder
        below.mkdir(parents=True)
        with (below / "label.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            for one in tagged:
                name = f"fer{number:07d}.png"
                number += 1
                _save(below / name, one.pixels)
                writer.writerow([name, "(0, 0, 48, 48)", *one.votes])
                rows.append([usage, name, *one.first])
        rows.append([usage, "", *([0] * 9), 10])  # what the crawl took for a face and nobody else did
        drawn[folder] = dict(Counter(VOTE_COLUMNS[int(np.argmax(one.votes))] for one in tagged))
    with (root / "fer2013new.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Usage", "Image name", *VOTE_COLUMNS[:9], "NF"])
        writer.writerows(rows)
    return drawn


def _split_of_ferplus(
    total: int, rng: np.random.Generator, earlier: Sequence[_Tagged], advance: Advance | None
) -> list[_Tagged]:
    """Draw one split; one in twelve of val and test is a picture that an earlier split holds too."""
    copies = total // 12 if earlier else 0
    tagged = []
    for emotion in _quota(total - copies, FERPLUS_SHARES, rng):
        intensity = float(rng.beta(4, 1.6))
        face = _somebody(emotion, intensity, rng)
        other, share = emotion, 0.0
        if rng.random() < 0.12:  # two emotions in one face: voters will not agree
            other, share = TAKEN_FOR[emotion][0], float(rng.uniform(0.35, 0.5))
            face = replace(face, shown=blend(face.shown, expression(other, 0.8, 0), share))
        chances = _chances(emotion, intensity, other, share)
        if rng.random() < 0.025:  # too dark and noisy to tell
            face = replace(face, seen=replace(face.seen, gain=0.22, noise=22.0))
            chances = 0.3 * chances + 0.7 * np.eye(len(VOTE_COLUMNS))[8]
        votes = _vote(chances, rng)
        tagged.append(_Tagged(_grey(face.picture(48, 48)), votes, votes))
        if advance:
            advance()
    for i in rng.choice(len(earlier), copies, replace=False) if copies else ():
        twin = earlier[int(i)]
        shares = np.array(twin.votes) / 10 * 0.8
        tagged.append(_Tagged(twin.pixels, _vote(shares + 0.2 / len(shares), rng), twin.first))
    return [tagged[i] for i in rng.permutation(len(tagged))]


def _chances(emotion: str, intensity: float, other: str, share: float) -> NDArray[np.float64]:
    """Return how likely a voter chooses each column for a face."""
    chances = np.zeros(len(VOTE_COLUMNS))
    clear = 1.0 if emotion == "neutral" else 0.3 + 0.7 * intensity**0.6
    doubt = 0.15 + 0.6 * (1 - clear)
    chances[EMOTIONS.index(emotion)] += (1 - doubt) * (1 - share)
    chances[EMOTIONS.index(other)] += (1 - doubt) * share
    chances[0] += doubt * 0.4
    for taken in TAKEN_FOR[emotion]:
        chances[EMOTIONS.index(taken)] += doubt * 0.14
    chances[8] += doubt * 0.17
    chances[9] += doubt * 0.01
    return chances


def _vote(chances: NDArray[np.float64], rng: np.random.Generator) -> tuple[int, ...]:
    """Let ten people vote."""
    return tuple(int(n) for n in rng.multinomial(10, chances / chances.sum()))


# CK+ ----------------------------------------------------------------------------------------------


def draw_ckplus(root: Path, faces: int, seed: int, advance: Advance | None = None) -> Drawn:
    """Write clips of six frames, neutral to peak, as CK+ is published; return labelled clips by emotion.

    Every clip has FACS codes of its peak and landmarks of all frames; every fifth has no emotion file.
    """
    rng = np.random.default_rng((seed, 11))
    clips = max(len(CKPLUS_SHARES) + 3, faces // len(RAMP))
    emotions = _quota(clips, CKPLUS_SHARES, rng)
    subjects = [(f"S{number:03d}", person(int(rng.integers(1 << 31)))) for number in range(10, 10 + max(6, clips // 4))]
    sessions: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    for i, emotion in enumerate(emotions):
        subject, who = subjects[i % len(subjects)]
        sessions[subject] += 1
        clip = f"{sessions[subject]:03d}"
        # Rare emotions keep their labels, or a small set would lose a class.
        known = i % 5 != 4 or labelled[emotion] == 0
        labelled[emotion] += known
        peak = expression(emotion, float(rng.uniform(0.75, 1.0)), int(rng.integers(1 << 31)))
        frames = _clip(who, peak, rng)
        _write_clip(root, (subject, clip), frames, CKPLUS_CODES[emotion] if known else None)
        if advance:
            advance(len(frames))
    return {"all": {e: n for e, n in labelled.items() if n}}


def _clip(who: Person, peak: Expression, rng: np.random.Generator) -> list[Face]:
    seen = scene(int(rng.integers(1 << 31)), plain=True)
    frames = []
    for strength in RAMP:
        units = {unit: strength * most for unit, most in peak.units.items()}
        x, y = seen.shift
        moved = (x + float(rng.normal(0, 0.003)), y + float(rng.normal(0, 0.003)))
        frames.append(
            Face(who, Expression(units, peak.lean), replace(seen, shift=moved, seed=int(rng.integers(1 << 31))))
        )
    return frames


def _write_clip(root: Path, clip: tuple[str, str], frames: Sequence[Face], code: int | None) -> None:
    kinds = ("cohn-kanade-images", "Landmarks", "FACS", "Emotion")
    images, points, facs, emotion = (root.joinpath(kind, *clip) for kind in kinds)
    for folder in (images, points, facs, emotion):
        folder.mkdir(parents=True)  # a clip without emotion has an empty folder, as published
    for number, face in enumerate(frames, 1):
        stem = f"{clip[0]}_{clip[1]}_{number:08d}"
        _save(images / f"{stem}.png", _grey(face.picture(160, 120)))
        lines = [f"   {x:.7e}   {y:.7e}\n" for x, y in landmarks(face.who, face.shown, face.seen, 160, 120)]
        (points / f"{stem}_landmarks.txt").write_text("".join(lines), encoding="ascii")
    codes = sorted((unit, min(5, int(1 + 5 * strength))) for unit, strength in frames[-1].shown.units.items())
    text = "".join(f"   {unit:.7e}   {strength:.7e}\n" for unit, strength in codes)
    (facs / f"{stem}_facs.txt").write_text(text, encoding="ascii")
    if code is not None:
        (emotion / f"{stem}_emotion.txt").write_text(f"   {code:.7e}\n", encoding="ascii")


# RAF-DB -------------------------------------------------------------------------------------------


def draw_rafdb(root: Path, faces: int, seed: int, advance: Advance | None = None) -> Drawn:
    """Write `faces` aligned faces in the form of RAF-DB that Kaggle has; return images by split and class."""
    rng = np.random.default_rng((seed, 12))
    test = faces // 5
    drawn: Drawn = {}
    for split, total, digits in (("train", faces - test, 5), ("test", test, 4)):
        codes = [RAFDB_CODES[e] for e in _quota(total, RAFDB_SHARES, rng)]
        names = {code: emotion for emotion, code in RAFDB_CODES.items()}
        with (_made(root / "DATASET") / f"{split}_labels.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(["image", "label"])
            for number, code in enumerate(codes, 1):
                name = f"{split}_{number:0{digits}d}_aligned.jpg"
                face = _somebody(names[code], float(rng.uniform(0.6, 1.0)), rng)
                # Aligned on eyes and mouth: level and in the middle, close to the camera.
                level = replace(face.seen, roll=face.seen.roll / 5, scale=0.53, shift=(0.0, 0.0))
                picture = replace(face, seen=level).picture(100, 100)
                _save(_made(root / "DATASET" / split / str(code)) / name, picture)
                writer.writerow([name, code])
                if advance:
                    advance()
        drawn[split] = {str(code): n for code, n in sorted(Counter(codes).items())}
    return drawn


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
