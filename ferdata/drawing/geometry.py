"""Where a face's lines run: action units move brows, lids, nose and mouth as FACS describes it.

Coordinates: (0, 0) is the middle of the head, 1 its half height, x to the viewer's right, y down. `shape` gives
the lines of a face looking straight ahead; `View` turns and shifts them into a picture.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ferdata.drawing.traits import Expression, Person, Scene

Points = NDArray[np.float64]
ALONG = np.linspace(-1, 1, 17)  # along a lid, a brow, a lip
ARCH = 1 - ALONG**2


@dataclass(frozen=True)
class Eye:
    """One eye: its lids as lines from left to right, its middle, and how far the iris looks down."""

    upper: Points
    lower: Points
    middle: Points
    radius: float
    crease: Points


@dataclass(frozen=True)
class Shape:
    """The lines of one face; `brows` and `eyes` are first the viewer's left one."""

    outline: Points
    brows: tuple[Points, Points]
    eyes: tuple[Eye, Eye]
    nose_tip: Points
    nose_wings: Points
    mouth: dict[str, Points]  # upper and lower, each outer and inner, from left to right
    lines: tuple[tuple[Points, float], ...]  # wrinkles, each with its strength


def shape(who: Person, shown: Expression) -> Shape:
    """Return the lines of `who` showing `shown`."""
    mouth = _mouth(who, shown)
    eyes = (_eye(who, shown, -1), _eye(who, shown, 1))
    brows = (_brow(who, shown, -1), _brow(who, shown, 1))
    tip = np.array([[0.0, who.nose_y - 0.04 * shown.units.get(9, 0.0)]])
    return Shape(
        outline=_outline(who, _jaw_drop(shown)),
        brows=brows,
        eyes=eyes,
        nose_tip=tip,
        nose_wings=_wings(who, shown),
        mouth=mouth,
        lines=tuple(_wrinkles(who, shown, mouth)),
    )


def _jaw_drop(shown: Expression) -> float:
    return 0.1 * shown.units.get(26, 0.0) + 0.15 * shown.units.get(27, 0.0)


def _outline(who: Person, drop: float) -> Points:
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    x, y = np.sin(turn), -np.cos(turn)
    # From the cheekbones down the head narrows to the jaw.
    narrow = np.where(y > 0, 1 - (1 - who.jaw) * np.abs(y) ** 1.5, 1.0)
    x = np.sign(x) * np.abs(x) ** 0.86 * who.width * narrow
    return np.stack([x, np.where(y > 0, y * (0.93 + drop), y)], axis=1)


def _brow(who: Person, shown: Expression, side: int) -> Points:
    """From the inner to the outer end."""
    inner, outer = shown.units.get(1, 0.0), shown.side(2, -side)
    lower, nose = shown.units.get(4, 0.0), shown.units.get(9, 0.0)
    start = -0.15 * inner + 0.125 * lower + 0.07 * nose
    middle = -0.07 * inner - 0.12 * outer + 0.02 * lower + 0.03 * nose
    end = -0.14 * outer - 0.05 * lower * (1 - inner) + 0.07 * inner * (1 - outer)
    along = (ALONG + 1) / 2
    y = start * (1 - along) * (1 - 2 * along) + 4 * middle * along * (1 - along) + end * along * (2 * along - 1)
    x = who.eye_x - 0.19 - 0.045 * lower + along * (0.42 + 0.03 * lower)
    return np.stack([side * x, who.brow_y - 0.035 * np.sin(np.pi * along**0.8) + y], axis=1)


def _eye(who: Person, shown: Expression, side: int) -> Eye:
    u = shown.units
    sink, squeeze = u.get(43, 0.0), max(u.get(7, 0.0), 0.8 * u.get(9, 0.0))
    open_up = 1 + 0.55 * u.get(5, 0.0) - 0.75 * sink - 0.35 * squeeze - 0.25 * u.get(6, 0.0)
    open_down = 1 + 0.25 * u.get(5, 0.0) - 0.75 * u.get(6, 0.0) - 0.5 * squeeze
    # The inner end of a sad lid is drawn up, that of an angry one down.
    tilt = 0.035 * (u.get(4, 0.0) * (1 - u.get(1, 0.0)) - u.get(1, 0.0) * (1 - u.get(5, 0.0)))
    x = side * who.eye_x + who.eye_w * ALONG
    level = -0.06 - 0.01 * side * ALONG - tilt * side * ALONG
    arch = ARCH**0.75
    upper = level - who.eye_h * open_up * arch
    lower = np.maximum(level + 0.62 * who.eye_h * open_down * arch, upper + 0.012 * arch)
    crease = upper - 0.035 - 0.02 * u.get(5, 0.0) + 0.02 * squeeze
    look = 0.015 + 0.02 * sink
    return Eye(
        upper=np.stack([x, upper], axis=1),
        lower=np.stack([x, lower], axis=1),
        middle=np.array([[side * who.eye_x, -0.06 - 0.18 * who.eye_h + look]]),
        radius=0.082 + 0.1 * (who.eye_h - 0.085),
        crease=np.stack([x, crease], axis=1),
    )


def _wings(who: Person, shown: Expression) -> Points:
    """The underside of the nose, from left to right."""
    flare = who.nose_w * (1 + 0.25 * shown.units.get(9, 0.0))
    lift = 0.055 * shown.units.get(9, 0.0)
    y = who.nose_y - lift + np.array([-0.055, 0.0, 0.012, 0.04, 0.012, 0.0, -0.055])
    return np.stack([flare * np.array([-1.0, -0.92, -0.45, 0.0, 0.45, 0.92, 1.0]), y], axis=1)


def _mouth(who: Person, shown: Expression) -> dict[str, Points]:
    u = shown.units
    pull = np.array([shown.side(12, -1), shown.side(12, 1)])
    tight = np.array([shown.side(14, -1), shown.side(14, 1)])
    wide = 0.3 * pull + 0.14 * tight + 0.28 * u.get(20, 0.0) - 0.2 * u.get(23, 0.0) - 0.18 * u.get(22, 0.0)
    wide -= 0.2 * u.get(26, 0.0) * (1 - pull) + 0.28 * u.get(27, 0.0) + 0.1 * u.get(17, 0.0)
    half = who.mouth_w * (1 + wide)
    corner = -0.13 * pull - 0.1 * tight + 0.12 * u.get(15, 0.0) + 0.03 * u.get(17, 0.0) + 0.05 * u.get(20, 0.0)
    x = np.where(ALONG < 0, half[0] * ALONG, half[1] * ALONG)
    ends = np.where(ALONG < 0, corner[0], corner[1]) * np.abs(ALONG) ** 1.7
    smile, bow = float(pull.mean()), 1 - np.abs(ALONG) ** 2.2
    gap = (
        0.05 * u.get(25, 0.0)
        + 0.2 * u.get(26, 0.0)
        + 0.32 * u.get(27, 0.0)
        + (0.06 * smile + 0.05 * u.get(20, 0.0)) * u.get(25, 0.0)
    )
    square = u.get(22, 0.0) * u.get(25, 0.0)
    raised = 0.09 * u.get(10, 0.0) + 0.05 * u.get(9, 0.0) + 0.05 * square
    middle = who.mouth_y + 0.05 * smile - 0.05 * u.get(17, 0.0) - 0.3 * raised
    full = who.lips * (1 - 0.75 * u.get(24, 0.0) - 0.3 * smile + 0.5 * u.get(22, 0.0))
    open_lip = bow if square < 0.3 else 1 - np.abs(ALONG) ** 5
    inner_up = middle + ends - (raised * 0.5 + 0.25 * gap * (1 - 0.8 * smile)) * open_lip
    inner_low = middle + ends + (0.75 * gap + 0.4 * raised * u.get(25, 0.0) + 0.03 * square) * open_lip
    cupid = 1 - 0.25 * np.exp(-((ALONG / 0.16) ** 2))
    outer_up = inner_up - full * 0.8 * bow * cupid - 0.25 * raised * bow
    outer_low = inner_low + full * (1.15 + 0.5 * u.get(17, 0.0)) * bow
    rows = {
        "upper_outer": outer_up,
        "upper_inner": inner_up,
        "lower_inner": inner_low,
        "lower_outer": outer_low,
    }
    return {name: np.stack([x, y], axis=1) for name, y in rows.items()}


def _wrinkles(who: Person, shown: Expression, mouth: dict[str, Points]) -> list[tuple[Points, float]]:
    u, lines = shown.units, []
    raised = max(u.get(1, 0.0), u.get(2, 0.0)) * (1 if shown.lean == 0 else 0.3)
    across = np.linspace(-0.3, 0.3, 9)
    for i, y in enumerate((-0.52, -0.6)):
        bend = 0.04 * (u.get(2, 0.0) - u.get(1, 0.0)) * (across / 0.3) ** 2
        lines.append(
            (
                np.stack([across * (1 - 0.2 * i), y - bend - 0.02 * raised], axis=1),
                0.8 * raised + 0.7 * (who.age - 0.4),
            )
        )
    frown = u.get(4, 0.0)
    for side in (-1, 1):
        inner = np.array([[side * 0.055, who.brow_y + 0.09], [side * 0.05, who.brow_y - 0.07]])
        lines.append((inner, frown * (1 - 0.6 * u.get(1, 0.0))))
        end = mouth["upper_outer"][0 if side < 0 else -1]
        start = np.array([side * (who.nose_w + 0.035), who.nose_y - 0.05 - 0.05 * u.get(9, 0.0)])
        bulge = (start + end) / 2 + (side * 0.07, -0.03)
        fold = np.array([start, bulge, end + np.array([side * 0.06, -0.01])])
        strength = max(0.75 * shown.side(12, side), 0.9 * u.get(10, 0.0), 0.9 * shown.side(14, side), u.get(9, 0.0))
        lines.append((_smooth(fold), max(strength, who.age - 0.3)))
        crow = np.array([[0.0, 0.0], [0.09, -0.03]]), np.array([[0.0, 0.02], [0.09, 0.045]])
        for ray in crow:
            at = np.array([who.eye_x + who.eye_w + 0.03, -0.07])
            lines.append(((at + ray) * (side, 1), 0.6 * u.get(6, 0.0) * who.age + 0.5 * (who.age - 0.6)))
    for y in (-0.12, -0.03, 0.05):
        span = np.linspace(-0.085, 0.085, 7)
        lines.append((np.stack([span, y + 5 * span**2], axis=1), u.get(9, 0.0)))
    return lines


def _smooth(three: Points) -> Points:
    """A quadratic curve through the three points, the second at its middle."""
    t = np.linspace(0, 1, 9)[:, None]
    control = 2 * three[1] - (three[0] + three[2]) / 2
    return np.asarray((1 - t) ** 2 * three[0] + 2 * t * (1 - t) * control + t**2 * three[2])


@dataclass(frozen=True)
class View:
    """How a face is seen in a picture of `width` x `height` pixels."""

    scene: Scene
    width: int
    height: int

    @cached_property
    def _placed(self) -> tuple[Points, Points]:
        roll = np.deg2rad(self.scene.roll)
        turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        middle = np.array([self.width / 2, self.height / 2]) + np.array(self.scene.shift) * self.height
        return turn * self.unit, middle

    def flat(self, points: Points) -> Points:
        """Return pixel coordinates of what does not turn with the head: its outline, the neck."""
        turn, middle = self._placed
        return np.asarray(points @ turn + middle)

    def turned(self, points: Points) -> Points:
        """Return pixel coordinates of what lies on the face, which is taken for a cylinder."""
        angle = np.arcsin(np.clip(points[:, 0] / 0.85, -0.98, 0.98)) + self.scene.yaw
        moved = points.copy()
        moved[:, 0] = 0.85 * np.sin(np.clip(angle, -1.5, 1.5))
        return self.flat(moved)

    @property
    def unit(self) -> float:
        """The length of half a head in pixels."""
        return self.scene.scale * self.height


def landmarks(who: Person, shown: Expression, seen: Scene, width: int, height: int) -> Points:
    """Return the 68 points in pixels, (68, 2): jaw, brows, nose, eyes, outer and inner lips, in the usual order."""
    face, view = shape(who, shown), View(seen, width, height)
    jaw = face.outline[np.linspace(54, 18, 17).round().astype(int)]
    brows = [face.brows[0][::-1][::4], face.brows[1][::4]]
    bridge = np.stack([np.zeros(4), np.linspace(-0.05, face.nose_tip[0, 1] - 0.03, 4)], axis=1)
    eyes = [p for eye in face.eyes for p in (eye.upper[[0, 5, 11, 16]], eye.lower[[11, 5]])]
    m = face.mouth
    lips = [m["upper_outer"][[0, 3, 6, 8, 10, 13, 16]], m["lower_outer"][[13, 10, 8, 6, 3]]]
    lips += [m["upper_inner"][[1, 5, 8, 11, 15]], m["lower_inner"][[11, 8, 5]]]
    on_face = np.concatenate([*brows, bridge, face.nose_wings[1:6], *eyes, *lips])
    return np.concatenate([view.flat(jaw), view.turned(on_face)])
