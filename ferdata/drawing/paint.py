"""Paint a face: lines from `geometry`, colours from the person, light and noise from the scene."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ferdata.drawing.geometry import ALONG, Eye, Points, Shape, View, shape
from ferdata.drawing.traits import Colour, Expression, Person, Scene

OVERSAMPLED = 4  # drawn this much larger, then averaged: the edges are smooth at 48 px
FINE = 3  # bits below the pixel in OpenCV's coordinates
Image = NDArray[np.uint8]


def paint(who: Person, shown: Expression, seen: Scene, width: int = 48, height: int = 48) -> Image:
    """Return `who` showing `shown` as uint8 (height, width, 3) RGB; equal arguments, equal pixels."""
    rng = np.random.default_rng(seen.seed)
    face = shape(who, shown)
    brush = _Brush(View(seen, width * OVERSAMPLED, height * OVERSAMPLED), _background(seen, width, height, rng))
    _behind(brush, who)
    _head(brush, who, face)
    for eye in face.eyes:
        _eye(brush, who, eye)
    _mouth(brush, who, shown, face)
    _nose(brush, who, face)
    _lines(brush, who, face)
    for brow in face.brows:
        _brow(brush, who, brow)
    _hair(brush, who)
    if who.glasses:
        _glasses(brush, who)
    small = cv2.resize(brush.image, (width, height), interpolation=cv2.INTER_AREA)
    return _lit(np.asarray(small, np.uint8), seen, rng)


class _Brush:
    """A canvas, and how a face lies on it."""

    def __init__(self, view: View, image: Image) -> None:
        self.view, self.image = view, image

    def fill(self, points: Points, colour: Colour, turned: bool = True) -> None:
        cv2.fillPoly(self.image, [self._fixed(points, turned)], colour, cv2.LINE_8, FINE)

    def stroke(self, points: Points, colour: Colour, width: float, closed: bool = False, turned: bool = True) -> None:
        thick = max(1, round(width * self.view.unit))
        cv2.polylines(self.image, [self._fixed(points, turned)], closed, colour, thick, cv2.LINE_8, FINE)

    def _fixed(self, points: Points, turned: bool) -> NDArray[np.int32]:
        seen = self.view.turned(points) if turned else self.view.flat(points)
        return np.rint(seen * (1 << FINE)).astype(np.int32)


def _shade(colour: Colour, factor: float) -> Colour:
    """Darken (below 1) or lighten; shadows on skin keep some of their red."""
    red, green, blue = colour
    return min(255.0, red * factor**0.8), min(255.0, green * factor), min(255.0, blue * factor)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(one, other, strict=True))
    return red, green, blue


ROUND = np.stack([np.cos(np.linspace(0, 2 * np.pi, 25)), np.sin(np.linspace(0, 2 * np.pi, 25))], axis=1)


def _ellipse(x: float, y: float, wide: float, high: float) -> Points:
    return np.asarray(ROUND * (wide, high) + (x, y))


def _arc(x: float, y: float, wide: float, high: float, start: float, end: float) -> Points:
    turn = np.deg2rad(np.linspace(start, end, 25))
    return np.stack([x + wide * np.cos(turn), y + high * np.sin(turn)], axis=1)


def _flat(width: int, height: int, colour: Colour) -> Image:
    image = np.empty((height, width, 3), np.uint8)
    image[:] = np.rint(colour).astype(np.uint8)
    return image


def _background(seen: Scene, width: int, height: int, rng: np.random.Generator) -> Image:
    size = (width * OVERSAMPLED, height * OVERSAMPLED)
    if seen.plain:
        return _flat(*size, (214, 215, 217))
    base = rng.uniform(50, 205) + rng.normal(0, 16, 3)
    blobs = np.clip(base + rng.normal(0, 34, (4, 4, 1)) + rng.normal(0, 9, (4, 4, 3)), 0, 255)
    return np.asarray(cv2.resize(blobs.astype(np.uint8), size, interpolation=cv2.INTER_CUBIC))


def _behind(brush: _Brush, who: Person) -> None:
    """Hair that falls behind the head, shoulders, neck, ears."""
    w = who.width
    if who.style == "long":
        brush.fill(_arc(0, 0.05, w * 1.28, 1.12, 180, 360), who.hair, turned=False)
        sides = np.array([[-1.28, 0.0], [1.28, 0.0], [1.4, 1.5], [-1.4, 1.5]]) * (w, 1)
        brush.fill(sides, _shade(who.hair, 0.85), turned=False)
    if who.style == "curly":
        for i, turn in enumerate(np.linspace(150, 390, 13)):
            x, y = 1.05 * w * np.cos(np.deg2rad(turn)), -0.35 + 0.75 * np.sin(np.deg2rad(turn))
            brush.fill(_ellipse(x, y, 0.27, 0.27), _shade(who.hair, (0.9, 1.06, 0.98)[i % 3]), turned=False)
    brush.fill(_ellipse(0, 1.75, 1.5, 0.62), who.cloth, turned=False)
    brush.fill(np.array([[-0.4, 0.5], [0.4, 0.5], [0.46, 1.35], [-0.46, 1.35]]), _shade(who.skin, 0.72), turned=False)
    for side in (-1, 1):
        brush.fill(_ellipse(side * w * 0.99, 0.02, 0.11, 0.2), _shade(who.skin, 0.86), turned=False)
        brush.fill(_ellipse(side * w * 1.0, 0.02, 0.055, 0.12), _shade(who.skin, 0.7), turned=False)


def _head(brush: _Brush, who: Person, face: Shape) -> None:
    """Skin with soft shadows: painted small, blurred, enlarged, cut out along the outline."""
    small = View(brush.view.scene, brush.view.width // OVERSAMPLED, brush.view.height // OVERSAMPLED)
    skin = _Brush(small, _flat(small.width, small.height, who.skin))
    far = -1 if brush.view.scene.yaw > 0 else 1
    skin.stroke(face.outline, _shade(who.skin, 0.8), 0.22, closed=True, turned=False)
    skin.fill(_ellipse(far * who.width, 0.1, 0.2, 0.7), _shade(who.skin, 0.82), turned=False)
    lower = face.mouth["lower_outer"]
    for side in (-1, 1):
        skin.fill(_ellipse(side * who.eye_x, -0.13, 0.2, 0.13), _shade(who.skin, 0.86))
        skin.fill(_ellipse(side * 0.43, 0.24, 0.16, 0.12), _mix(_shade(who.skin, 1.04), (232, 110, 100), 0.14))
    skin.fill(_ellipse(0, float(lower[8, 1]) + 0.06, 0.16, 0.04), _shade(who.skin, 0.84))
    skin.fill(_ellipse(0, who.nose_y - 0.18, 0.06, 0.2), _shade(who.skin, 1.08))
    skin.fill(_ellipse(0, -0.55, 0.3, 0.14), _shade(who.skin, 1.05))
    if who.beard:
        _beard(skin, who, face)
    reach = max(3, round(0.16 * small.unit) | 1)
    soft = cv2.resize(cv2.blur(skin.image, (reach, reach)), (brush.view.width, brush.view.height))
    mask = np.zeros(soft.shape[:2], np.uint8)
    cv2.fillPoly(mask, [brush._fixed(face.outline, turned=False)], 255, cv2.LINE_8, FINE)
    cv2.copyTo(soft, mask, brush.image)


def _beard(skin: _Brush, who: Person, face: Shape) -> None:
    colour = _mix(who.skin, who.hair, who.beard)
    jaw = face.outline[(face.outline[:, 1] > 0.2)]
    inner = np.array([[-0.62, 0.25], [-0.4, 0.42], [0.0, 0.36], [0.4, 0.42], [0.62, 0.25]]) * (
        who.width / 0.74,
        1,
    )
    skin.fill(np.concatenate([jaw * 1.05, inner]), colour, turned=False)


def _eye(brush: _Brush, who: Person, eye: Eye) -> None:
    white = np.concatenate([eye.upper, eye.lower[::-1]])
    brush.fill(white, (240, 238, 234))
    for radius, colour in ((eye.radius, who.iris), (eye.radius * 0.52, (12, 10, 12))):
        disc = _ellipse(float(eye.middle[0, 0]), float(eye.middle[0, 1]), radius, radius)
        # Lids cover what lies beyond them.
        top = np.interp(disc[:, 0], eye.upper[:, 0], eye.upper[:, 1])
        bottom = np.interp(disc[:, 0], eye.lower[:, 0], eye.lower[:, 1])
        brush.fill(np.stack([disc[:, 0], np.clip(disc[:, 1], top, bottom)], axis=1), colour)
    glint = eye.middle[0] + (0.03, -0.03)
    if glint[1] > np.interp(glint[0], eye.upper[:, 0], eye.upper[:, 1]):
        brush.fill(_ellipse(float(glint[0]), float(glint[1]), 0.018, 0.018), (255, 255, 255))
    brush.stroke(eye.crease[2:-2], _shade(who.skin, 0.68), 0.016)
    brush.stroke(eye.lower[2:-2], _shade(who.skin, 0.62), 0.014)
    brush.stroke(eye.upper, _shade(who.skin, 0.2), 0.034)


def _brow(brush: _Brush, who: Person, brow: Points) -> None:
    along = (ALONG + 1) / 2
    half = who.brow_w * np.minimum(1, 0.55 + 2 * along) * (1 - along**3 * 0.85)
    outline = np.concatenate([brow - np.stack([0 * half, half], 1), (brow + np.stack([0 * half, half], 1))[::-1]])
    # Fair brows vanish at 48 px, so all are darker than the hair.
    brush.fill(outline, _mix(_shade(who.hair, 0.7), _shade(who.skin, 0.3), 0.35))


def _nose(brush: _Brush, who: Person, face: Shape) -> None:
    x, wings = who.nose_w, face.nose_wings
    brush.stroke(wings, _shade(who.skin, 0.62), 0.028)
    for side in (-1, 1):
        brush.fill(_ellipse(side * x * 0.5, float(wings[3, 1]) - 0.03, 0.036, 0.02), _shade(who.skin, 0.4))
    far = -1 if brush.view.scene.yaw > 0 else 1
    ridge = np.array([[far * 0.07, -0.04], [far * 0.06, 0.08], [far * 0.09, float(wings[3, 1]) - 0.1]])
    brush.stroke(ridge, _shade(who.skin, 0.8), 0.022)


def _mouth(brush: _Brush, who: Person, shown: Expression, face: Shape) -> None:
    m = face.mouth
    lip = _mix(_shade(who.skin, 0.8), (176, 62, 66), 0.42)
    brush.fill(np.concatenate([m["upper_outer"], m["upper_inner"][::-1]]), _shade(lip, 0.84))
    brush.fill(np.concatenate([m["lower_inner"], m["lower_outer"][::-1]]), lip)
    gap = m["lower_inner"][:, 1] - m["upper_inner"][:, 1]
    if gap.max() > 0.035:
        brush.fill(np.concatenate([m["upper_inner"], m["lower_inner"][::-1]]), (58, 18, 22))
        _inside(brush, shown, m, gap)
    else:
        brush.stroke(m["upper_inner"], _shade(who.skin, 0.36), 0.026)
    for end in (0, -1):
        x, y = m["upper_inner"][end]
        brush.fill(_ellipse(float(x), float(y), 0.018, 0.016), _shade(who.skin, 0.4))


def _inside(brush: _Brush, shown: Expression, m: dict[str, Points], gap: NDArray[np.float64]) -> None:
    """Tongue and teeth: teeth where lips are drawn back, a dark hole where the jaw drops."""
    u = shown.units
    jaw = max(u.get(26, 0.0), u.get(27, 0.0))
    smile = u.get(12, 0.0)
    if jaw > 0.25:
        low = m["lower_inner"].copy()
        tongue = np.stack([low[4:13, 0] * 0.9, low[4:13, 1] - 0.3 * gap[4:13] * ALONG[4:13] ** 0], axis=1)
        tongue[:, 1] += 0.25 * gap[8] * (np.abs(ALONG[4:13]) / 0.5) ** 2
        brush.fill(np.concatenate([tongue, low[4:13][::-1]]), (168, 70, 74))
    bared = max(smile, u.get(20, 0.0), u.get(22, 0.0), u.get(10, 0.0)) - 0.25 * jaw * (1 - smile)
    if bared > 0.2:
        deep = min(0.9, 0.35 + 0.55 * bared) * (1 - 0.45 * jaw)
        lower = m["upper_inner"][1:-1] + np.stack([0 * gap, deep * gap], 1)[1:-1]
        brush.fill(np.concatenate([m["upper_inner"][1:-1], lower[::-1]]), (244, 242, 234))
        if max(u.get(22, 0.0), u.get(20, 0.0)) * (1 - jaw) > 0.5:  # both rows, clenched
            middle = m["upper_inner"][2:-2] + np.stack([0 * gap, 0.52 * gap], 1)[2:-2]
            brush.stroke(middle, (120, 96, 92), 0.016)


def _lines(brush: _Brush, who: Person, face: Shape) -> None:
    for line, strength in face.lines:
        if strength > 0.15:
            brush.stroke(
                line,
                _mix(who.skin, _shade(who.skin, 0.5), min(1.0, strength)),
                0.014 + 0.018 * min(1.0, strength),
            )


def _hair(brush: _Brush, who: Person) -> None:
    if who.style == "bald":
        return
    w, dark = who.width, _shade(who.hair, 0.88)
    top = _arc(0, -0.3, w * 1.06, 0.8, 180, 360)
    edges = {
        "cropped": [
            (0.98, -0.28),
            (0.86, -0.5),
            (0.6, -0.68),
            (0, -0.73),
            (-0.6, -0.68),
            (-0.86, -0.5),
            (-0.98, -0.28),
        ],
        "parted": [(1.0, -0.2), (0.88, -0.5), (0.2, -0.66), (-0.45, -0.8), (-0.8, -0.56), (-1.0, -0.2)],
        "fringe": [
            (1.0, -0.16),
            (0.9, -0.46),
            (0.5, -0.5),
            (0.2, -0.46),
            (-0.3, -0.52),
            (-0.88, -0.46),
            (-1.0, -0.16),
        ],
        "long": [
            (1.06, 0.2),
            (0.92, -0.3),
            (0.5, -0.62),
            (0.1, -0.8),
            (-0.4, -0.64),
            (-0.92, -0.3),
            (-1.06, 0.2),
        ],
        "curly": [
            (1.0, -0.3),
            (0.8, -0.56),
            (0.45, -0.62),
            (0.1, -0.7),
            (-0.4, -0.62),
            (-0.8, -0.56),
            (-1.0, -0.3),
        ],
    }
    brush.fill(np.concatenate([top, np.array(edges[who.style]) * (w, 1)]), who.hair, turned=False)
    for reach in (0.5, 0.75):
        brush.stroke(_arc(0, -0.3, w * reach, 0.72, 215, 325), dark, 0.03, turned=False)


def _glasses(brush: _Brush, who: Person) -> None:
    for side in (-1, 1):
        rim = _ellipse(side * who.eye_x, -0.05, 0.235, 0.2)
        brush.stroke(rim, (40, 36, 40), 0.03, closed=True)
        brush.stroke(np.array([[side * (who.eye_x + 0.23), -0.1], [side * who.width, -0.12]]), (40, 36, 40), 0.03)
    brush.stroke(np.array([[-who.eye_x + 0.23, -0.07], [who.eye_x - 0.23, -0.07]]), (40, 36, 40), 0.03)


def _lit(image: Image, seen: Scene, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    right = np.linspace(-0.5, 0.5, width)[None, :, None] * seen.light[0]
    below = np.linspace(-0.5, 0.5, height)[:, None, None] * seen.light[1]
    noise = rng.normal(0, seen.noise, (height, width, 1)) if seen.noise else 0.0
    return np.clip(image * (seen.gain * (1 + right + below)) + noise, 0, 255).astype(np.uint8)
