"""Drawn faces laid out as FER+ is published, with votes that disagree and pictures that stand in several splits."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferdata.drawing.face import Drawn, grey, quota, save, somebody
from ferdata.drawing.traits import blend, expression
from ferdata.labels import EMOTIONS, VOTE_COLUMNS
from ferdata.running.progress import Advance

# How many images of each emotion are published, in percent, and so how unequal the drawn ones are.
# The rarest are raised: half a percent of a few hundred faces would be none.
FERPLUS_SHARES = dict(zip(EMOTIONS, (33, 26, 13, 12, 8, 2.5, 3.5, 2), strict=True))
FERPLUS_SPLITS = (
    ("Training", "FER2013Train", 0.7),
    ("PublicTest", "FER2013Valid", 0.14),
    ("PrivateTest", "FER2013Test", 0.16),
)
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
                save(below / name, one.pixels)
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
    for emotion in quota(total - copies, FERPLUS_SHARES, rng):
        intensity = float(rng.beta(4, 1.6))
        face = somebody(emotion, intensity, rng)
        other, share = emotion, 0.0
        if rng.random() < 0.12:  # two emotions in one face: voters will not agree
            other, share = TAKEN_FOR[emotion][0], float(rng.uniform(0.35, 0.5))
            face = replace(face, shown=blend(face.shown, expression(other, 0.8, 0), share))
        chances = _chances(emotion, intensity, other, share)
        if rng.random() < 0.025:  # too dark and noisy to tell
            face = replace(face, seen=replace(face.seen, gain=0.22, noise=22.0))
            chances = 0.3 * chances + 0.7 * np.eye(len(VOTE_COLUMNS))[8]
        votes = _vote(chances, rng)
        tagged.append(_Tagged(grey(face.picture(48, 48)), votes, votes))
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
