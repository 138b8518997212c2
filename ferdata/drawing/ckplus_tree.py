"""Drawn faces laid out as CK+ is published: clips of one person, from neutral to the peak of an emotion."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ferdata.drawing.face import Drawn, Face, grey, quota, save
from ferdata.drawing.geometry import landmarks
from ferdata.drawing.traits import Expression, Person, expression, person, scene
from ferdata.running.progress import Advance

# How many labelled clips of each emotion are published.
CKPLUS_SHARES = {
    "anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83,
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
RAMP = (0.0, 0.12, 0.35, 0.65, 0.9, 1.0)  # how a clip goes from neutral to its peak


def draw_ckplus(root: Path, faces: int, seed: int, advance: Advance | None = None) -> Drawn:
    """Write clips of six frames, neutral to peak, as CK+ is published; return labelled clips by emotion.

    Every clip has FACS codes of its peak and landmarks of all frames; every fifth has no emotion file.
    """
    rng = np.random.default_rng((seed, 11))
    clips = max(len(CKPLUS_SHARES) + 3, faces // len(RAMP))
    emotions = quota(clips, CKPLUS_SHARES, rng)
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
        save(images / f"{stem}.png", grey(face.picture(160, 120)))
        lines = [f"   {x:.7e}   {y:.7e}\n" for x, y in landmarks(face.who, face.shown, face.seen, 160, 120)]
        (points / f"{stem}_landmarks.txt").write_text("".join(lines), encoding="ascii")
    codes = sorted((unit, min(5, int(1 + 5 * strength))) for unit, strength in frames[-1].shown.units.items())
    text = "".join(f"   {unit:.7e}   {strength:.7e}\n" for unit, strength in codes)
    (facs / f"{stem}_facs.txt").write_text(text, encoding="ascii")
    if code is not None:
        (emotion / f"{stem}_emotion.txt").write_text(f"   {code:.7e}\n", encoding="ascii")
