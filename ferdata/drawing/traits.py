"""Who is drawn, showing what, under which circumstances: three small records, each drawn from a seed.

An expression is a set of FACS action units, so that a drawn face carries what a coded one does. Lengths
are in faces: 1 is the half height of the head.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ferdata.labels import EMOTIONS

Colour = tuple[float, float, float]

# Prototypes after EMFACS, one or more for each emotion: action unit -> strength at full intensity. 43 is the
# lid that sinks, 23 and 24 the pressed mouth; 12 and 14 pull one corner only where the expression leans.
PROTOTYPES: Mapping[str, tuple[Mapping[int, float], ...]] = {
    "neutral": ({},),
    "happiness": (
        {6: 0.7, 12: 1.0, 25: 0.9},
        {6: 1.0, 12: 1.0, 25: 1.0, 26: 0.45},
        {6: 0.6, 12: 0.95},
    ),
    "surprise": ({1: 0.9, 2: 1.0, 5: 0.8, 26: 1.0}, {1: 1.0, 2: 1.0, 5: 1.0, 27: 0.9}),
    "sadness": ({1: 1.0, 4: 0.35, 15: 1.0, 17: 0.6, 43: 0.5}, {1: 0.9, 15: 1.0, 17: 1.0, 43: 0.8}),
    "anger": (
        {4: 1.0, 5: 0.5, 7: 0.5, 23: 1.0, 24: 0.6},
        {4: 1.0, 5: 0.4, 7: 0.7, 10: 0.5, 22: 1.0, 25: 0.9},
    ),
    "disgust": (
        {4: 0.5, 7: 0.7, 9: 1.0, 10: 1.0, 17: 0.5},
        {4: 0.4, 6: 0.6, 9: 1.0, 10: 1.0, 15: 0.6, 25: 0.5},
    ),
    "fear": (
        {1: 1.0, 2: 0.5, 4: 0.6, 5: 1.0, 20: 1.0, 25: 0.9},
        {1: 1.0, 2: 0.4, 4: 0.5, 5: 1.0, 20: 0.8, 26: 0.4},
    ),
    "contempt": ({12: 0.7, 14: 1.0, 43: 0.5}, {2: 0.8, 12: 0.5, 14: 1.0, 43: 0.35}),
}

SKINS = (
    (250, 221, 200), (241, 203, 172), (232, 186, 148), (219, 165, 122),
    (196, 138, 96), (166, 111, 74), (130, 84, 56), (98, 63, 43),
)  # fmt: skip
HAIRS = (
    (28, 22, 20), (45, 31, 24), (74, 47, 30), (112, 74, 42),
    (178, 132, 76), (214, 178, 118), (146, 62, 32), (172, 170, 168),
)  # fmt: skip
IRISES = ((60, 38, 24), (92, 60, 34), (70, 96, 124), (84, 112, 78), (104, 110, 112))
CLOTHS = ((58, 70, 92), (128, 60, 58), (86, 112, 96), (150, 138, 116), (96, 92, 130), (44, 46, 50))
STYLES = ("cropped", "parted", "fringe", "long", "curly", "bald")


@dataclass(frozen=True)
class Person:
    """What stays the same from one picture of somebody to the next; lengths in faces."""

    skin: Colour
    hair: Colour
    iris: Colour
    cloth: Colour
    style: str
    width: float  # half width of the head
    jaw: float  # half width of the jaw, of `width`
    eye_x: float
    eye_w: float
    eye_h: float
    brow_y: float
    brow_w: float
    nose_y: float
    nose_w: float
    mouth_y: float
    mouth_w: float
    lips: float
    age: float  # 0..1: lines
    glasses: bool
    beard: float  # 0 none .. 1 dark


@dataclass(frozen=True)
class Expression:
    """Action units with a strength of 0..1; `lean` -1 or 1 shows 2, 12 and 14 on one side only."""

    units: Mapping[int, float] = field(default_factory=dict)
    lean: float = 0.0

    def side(self, unit: int, which: int) -> float:
        """Return the strength of `unit` on side `which`: -1 the viewer's left, 1 the right."""
        strength = self.units.get(unit, 0.0)
        return strength if self.lean * which >= 0 else strength * (1 - abs(self.lean))


@dataclass(frozen=True)
class Scene:
    """What a picture adds to its face: where the head is and how it is turned, light, noise, background."""

    shift: tuple[float, float] = (0.0, 0.0)  # of the height
    scale: float = 0.48  # half height of the head, of the height
    roll: float = 0.0  # degrees
    yaw: float = 0.0  # radians
    light: tuple[float, float] = (0.0, 0.0)  # how much brighter right, and below
    gain: float = 1.0
    noise: float = 0.0  # standard deviation in grey values
    seed: int = 0  # of the background and the noise
    plain: bool = False  # a laboratory's grey wall


def person(seed: int) -> Person:
    """Draw somebody; equal seed, equal person."""
    rng = np.random.default_rng((seed, 1))
    age = float(rng.beta(1.3, 2.0))
    grey = age > 0.7
    tone = int(rng.integers(len(SKINS)))
    jitter = rng.uniform(-8, 8)
    style = str(rng.choice(STYLES, p=(0.2, 0.18, 0.16, 0.24, 0.16, 0.06)))
    hair = HAIRS[-1] if grey else HAIRS[int(rng.integers(3 if tone > 4 else len(HAIRS) - 1))]
    return Person(
        skin=_colour(SKINS[tone], jitter),
        hair=_colour(hair, rng.uniform(-10, 14)),
        iris=IRISES[int(rng.integers(2 if tone > 3 else len(IRISES)))],
        cloth=_colour(CLOTHS[int(rng.integers(len(CLOTHS)))], rng.uniform(-20, 20)),
        style=style,
        width=float(rng.uniform(0.68, 0.8)),
        jaw=float(rng.uniform(0.66, 0.92)),
        eye_x=float(rng.uniform(0.29, 0.36)),
        eye_w=float(rng.uniform(0.15, 0.185)),
        eye_h=float(rng.uniform(0.075, 0.1)),
        brow_y=float(rng.uniform(-0.34, -0.28)),
        brow_w=float(rng.uniform(0.03, 0.065)),
        nose_y=float(rng.uniform(0.22, 0.3)),
        nose_w=float(rng.uniform(0.1, 0.16)),
        mouth_y=float(rng.uniform(0.5, 0.56)),
        mouth_w=float(rng.uniform(0.24, 0.31)),
        lips=float(rng.uniform(0.035, 0.075)),
        age=age,
        glasses=bool(rng.random() < 0.12),
        beard=float(rng.uniform(0.4, 0.9)) if style != "long" and rng.random() < 0.15 else 0.0,
    )


def expression(emotion: str, intensity: float, seed: int) -> Expression:
    """Draw one way to show `emotion` with `intensity` 0..1; equal seed, equal expression."""
    rng = np.random.default_rng((seed, 2, EMOTIONS.index(emotion)))
    shown = PROTOTYPES[emotion][int(rng.integers(len(PROTOTYPES[emotion])))]
    units = {
        unit: float(np.clip(strength * intensity * rng.uniform(0.85, 1.15), 0, 1)) for unit, strength in shown.items()
    }
    return Expression(units, float(rng.choice((-1, 1))) if emotion == "contempt" else 0.0)


def blend(one: Expression, other: Expression, share: float) -> Expression:
    """Return `one` with `share` 0..1 of `other` in it: a face that people disagree on."""
    units = sorted({*one.units, *other.units})
    mixed = {u: (1 - share) * one.units.get(u, 0.0) + share * other.units.get(u, 0.0) for u in units}
    return Expression(mixed, one.lean or other.lean)


def scene(seed: int, plain: bool = False) -> Scene:
    """Draw the circumstances of a picture: as found in the wild, or `plain` as in a laboratory."""
    rng = np.random.default_rng((seed, 3))
    wild = 0.35 if plain else 1.0
    return Scene(
        shift=(float(rng.normal(0, 0.025 * wild)), float(rng.normal(0.01, 0.02 * wild))),
        scale=float(rng.uniform(0.46, 0.54)) if not plain else float(rng.uniform(0.4, 0.43)),
        roll=float(rng.normal(0, 6 * wild)),
        yaw=float(np.clip(rng.normal(0, 0.16 * wild), -0.4, 0.4)),
        light=(float(rng.uniform(-0.3, 0.3) * wild), float(rng.uniform(-0.15, 0.15) * wild)),
        gain=float(rng.uniform(0.75, 1.08)) if not plain else float(rng.uniform(0.9, 1.05)),
        noise=float(rng.uniform(1, 7) * wild),
        seed=int(rng.integers(1 << 31)),
        plain=plain,
    )


def _colour(base: tuple[int, int, int], brighter: float) -> Colour:
    red, green, blue = (float(np.clip(c + brighter, 0, 255)) for c in base)
    return red, green, blue
