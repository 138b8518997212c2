"""CK+: the official tree with labelled and unlabelled sequences, CK+48 of the same frames, the table of pixels."""

from dataclasses import dataclass
from pathlib import Path

from tests.fakes import Expected, face, litter, pixels, save

FOLDERS = ("", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")


@dataclass(frozen=True)
class Sequence:
    subject: str
    session: str
    frames: range
    code: int  # 0 where it has no emotion label


def sequences() -> list[Sequence]:
    """Return sequences of four people; session numbers start again with each, one misses its first frames."""
    found = []
    for s, subject in enumerate(("S005", "S010", "S501", "S999")):
        for session in range(1, 4):
            first = 4 if (s, session) == (1, 2) else 1
            code = 0 if session == 3 and s % 2 else 1 + (3 * s + session - 1) % 7
            frames = range(first, first + 5 + session)
            found.append(Sequence(subject, f"{session:03d}", frames, code))
    return found


def stem(s: Sequence, frame: int) -> str:
    return f"{s.subject}_{s.session}_{frame:08d}"


def expected(labels: tuple[str, ...], unlabelled: bool) -> Expected:
    """Return what the last three frames count."""
    chosen = [s for s in sequences() if s.code or unlabelled]
    found = Expected(subjects=len({s.subject for s in chosen}), sequences=len(chosen))
    for s in chosen:
        found.counts[None, labels[s.code] if s.code else None] += 3
    return found


def official(root: Path, nested: bool = False) -> Expected:
    """The four archives, unpacked flat or each in a folder of its own."""
    images = root / ("extended-cohn-kanade-images/cohn-kanade-images" if nested else "cohn-kanade-images")
    emotions = root / ("Emotion_labels/Emotion" if nested else "Emotion")
    facs = root / ("FACS_labels/FACS" if nested else "FACS")
    landmarks = root / ("Landmarks/Landmarks" if nested else "Landmarks")
    for i, s in enumerate(sequences()):
        for folder in (images, facs, landmarks):
            (folder / s.subject / s.session).mkdir(parents=True)
        for frame in s.frames:
            save(images / s.subject / s.session / f"{stem(s, frame)}.png", face(100 * i + frame, 64))
            points = "".join(f"   {p}.5000000e+00   1.{p:07d}e+02\n" for p in range(68))
            (landmarks / s.subject / s.session / f"{stem(s, frame)}_landmarks.txt").write_text(points)
        peak = stem(s, s.frames[-1])
        units = "   1.2000000e+01   4.0000000e+00\r\n   2.5000000e+01   0.0000000e+00\r\n"
        (facs / s.subject / s.session / f"{peak}_facs.txt").write_text(units)
        if s.code or i % 2:  # an unlabelled sequence has an empty folder or none
            (emotions / s.subject / s.session).mkdir(parents=True)
        if s.code:
            path = emotions / s.subject / s.session / f"{peak}_emotion.txt"
            path.write_text(f"   {s.code}.0000000e+00\n")
            litter(path.parent)
        litter(images / s.subject / s.session)
    return expected(tuple("01234567"), unlabelled=True)


def ck48(root: Path) -> Expected:
    """The last three frames of the labelled sequences, 48 x 48, by class."""
    for i, s in enumerate(sequences()):
        for frame in s.frames[-3:] if s.code else ():
            folder = root / "CK+48" / FOLDERS[s.code]
            save(folder / f"{stem(s, frame)}.{'PNG' if i == 2 else 'png'}", face(100 * i + frame))
            litter(folder)
    return expected(FOLDERS, unlabelled=False)


def table(root: Path) -> Expected:
    """ckextended.csv: FER2013's codes and 7 for contempt."""
    found, lines = Expected(), ["emotion,pixels,Usage"]
    for i in range(24):
        usage, split = (("Training", "train"), ("PublicTest", "val"), ("PrivateTest", "test"))[i % 3]
        lines.append(f"{i % 8},{pixels(face(i))},{usage}")
        found.counts[split, str(i % 8)] += 1
    (root / "ckextended.csv").write_text("\n".join(lines) + "\n")
    return found


LAYOUTS = {"official": official, "ck48": ck48, "table": table}
