"""Draw the rooms and who imports whom from the code itself: python docs/make_architecture.py."""

import re
import textwrap
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

import grimp

from ferdata.labels import COLOURS

REPOSITORY = Path(__file__).resolve().parent.parent
PICTURE = REPOSITORY / "docs" / "architecture.svg"
HALVES = {"ferdata": COLOURS["sadness"], "zoo": COLOURS["anger"]}
TOP = "ferdata.cli"  # the one room that knows both halves
# What each room is about, in the space of its box. A room without a word here stops the script.
WORDS = {
    "ferdata.cli": "one file per command: parse, call one function, print",
    "ferdata.steps": "one file per verb",
    "ferdata.shared_file": "share a manifest",
    "ferdata.publishing": "cards, Croissant, forms",
    "ferdata.adapters": "one file per dataset",
    "ferdata.splitting": "rows to splits, folds",
    "ferdata.reviewing": "decisions, FiftyOne",
    "ferdata.auditing": "problems and report",
    "ferdata.comparing": "sets side by side",
    "ferdata.known": "whose faces these are",
    "ferdata.sources": "datasets on disk",
    "ferdata.training_data": "decoded arrays",
    "ferdata.duplicates": "duplicates, groups",
    "ferdata.charts": "balance, fonts",
    "ferdata.drawing": "synthetic faces",
    "ferdata.manifest": "the Parquet file",
    "ferdata.images": "decode, measure, align",
    "ferdata.class_balance": "counts and weights",
    "ferdata.claims": "what others reported",
    "ferdata.labels": "emotions, taxonomies",
    "ferdata.running": "workers, cache, locks",
    "ferdata.schema": "a manifest's columns",
    "ferdata.errors": "message and hint",
    "zoo.experiments": "folds, ablations, matrix",
    "zoo.deploy": "predict, ONNX, webcam",
    "zoo.training": "from options to a model",
    "zoo.evaluation": "metrics and report",
    "zoo.models": "backbones and heads",
    "zoo.data": "rows, targets, batches",
    "zoo.augment": "policies on the device",
    "zoo.options": "options and recipes",
    "zoo.run": "run folder, weights",
}
BOX, HEIGHT, LANE, GAP, STEP, MARGIN = 164, 48, 10, 16, 88, 20  # pixels; LANE is what an arrow takes to pass a row
INK, PALE = "#222222", "#666666"
Point = tuple[float, float]
CAPTION = "Arrows: imports, without those that other arrows imply. Rows: the layers that import-linter enforces."
LABEL = 22  # pixels between the command line and the first row, where the halves' names stand


@dataclass(frozen=True)
class Half:
    """One half of the house: its rooms in rows, top first, and the arrows between them."""

    rows: Sequence[Sequence[str]]
    arrows: frozenset[tuple[str, str]]

    def slots(self, a: str, b: str) -> list[str]:
        """Return what the arrow from `a` to `b` runs through: both rooms, and a lane `a>b` in each row between."""
        row_of = {room: i for i, row in enumerate(self.rows) for room in row}
        return [a, *[f"{a}>{b}:{i}" for i in range(row_of[a] + 1, row_of[b])], b]


def layers(half: str) -> list[list[str]]:
    """Return a half's rooms in the layers of pyproject.toml, top first; above both halves stands the command line."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    rows = next(c["layers"] for c in contracts["contracts"] if c["type"] == "layers" and c["containers"] == [half])
    named = [[f"{half}.{room}" for room in re.split(r"\s*[:|]\s*", row)] for row in rows]
    return [[TOP], *(row for row in named if row != [TOP])]


def imports() -> set[tuple[str, str]]:
    """Return which room imports which: pairs like ("zoo.data", "ferdata.manifest")."""
    graph = grimp.build_graph(*HALVES, exclude_type_checking_imports=True, cache_dir=None)

    def room(module: str) -> str:
        return ".".join(module.split(".")[:2])

    pairs = {(room(a), room(b)) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}
    return {(a, b) for a, b in pairs if a != b and "." in a and "." in b}


def reduced(pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return the pairs without those that a chain of others implies; there must be no circle."""
    below: dict[str, set[str]] = {}
    for a, b in pairs:
        below.setdefault(a, set()).add(b)

    def reach(room: str) -> set[str]:
        return set().union(*({b} | reach(b) for b in below.get(room, ())))

    return frozenset((a, b) for a in below for b in below[a] if not any(b in reach(c) for c in below[a] - {b}))


def places(slots: Sequence[str]) -> dict[str, float]:
    """Return the middle of each slot of a row, in pixels from the row's own middle."""
    widths = [LANE if ">" in slot else BOX for slot in slots]
    left = -(sum(widths) + GAP * (len(widths) - 1)) / 2
    middle = {}
    for slot, width in zip(slots, widths, strict=True):
        middle[slot] = left + width / 2
        left += width + GAP
    return middle


def arranged(half: Half) -> list[dict[str, float]]:
    """Return each row's slots and their middles, ordered so that arrows are short: of all sweeps, the shortest."""
    rows = [list(row) for row in half.rows]
    links: dict[str, set[str]] = {}
    for a, b in sorted(half.arrows):
        slots = half.slots(a, b)
        first = next(i for i, row in enumerate(rows) if a in row)
        for i, lane in enumerate(slots[1:-1], first + 1):
            rows[i].append(lane)
        for start, end in pairwise(slots):
            links.setdefault(start, set()).add(end)
            links.setdefault(end, set()).add(start)

    def length() -> float:
        at = {slot: x for row in rows for slot, x in places(row).items()}
        return sum((at[a] - at[b]) ** 2 for a in sorted(links) for b in sorted(links[a]))

    best, shortest = [places(row) for row in rows], length()
    for sweep in range(40):  # each row by the mean place of its neighbours in the row before: down, then up, again
        down = sweep % 2 == 0
        for i in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            at = places(rows[i - 1 if down else i + 1])
            mean = places(rows[i])
            for slot in rows[i]:
                near = [at[other] for other in sorted(links.get(slot, ())) if other in at]
                mean[slot] = sum(near) / len(near) if near else mean[slot]
            rows[i].sort(key=mean.__getitem__)
        if (now := length()) < shortest:
            best, shortest = [places(row) for row in rows], now
    return best


def text(x: float, y: float, words: str, size: int, *, bold: bool = False, colour: str = INK) -> str:
    """Return a line of text around `x`."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{colour}"{weight}>{escape(words)}</text>'


def box(room: str, x: float, y: float, width: float = BOX) -> list[str]:
    """Return a room's box around `x`, its upper side at `y`."""
    colour, name = HALVES[room.partition(".")[0]], room.partition(".")[2]
    place = f'x="{x - width / 2:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="6"'
    return [
        f'<rect {place} fill="#ffffff"/>',
        f'<rect {place} fill="{colour}" fill-opacity="0.12" stroke="{colour}" stroke-width="1.5"/>',
        text(x, y + 20, name, 16, bold=True),
        text(x, y + 38, WORDS[room], 13, colour=PALE),
    ]


def arrow(points: Sequence[Point], colour: str) -> str:
    """Return an arrow down through `points`: straight along a row's lane, bent between rows."""
    path = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        path += f" C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} {x1:.0f} {y1:.0f}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" marker-end="url(#{colour[1:]})"/>'


def bow(x0: float, x1: float, y: float, colour: str) -> str:
    """Return an arrow from `x0` to `x1` at one height, hanging through between."""
    path = f"M{x0:.0f} {y:.0f} C{x0:.0f} {y + 28:.0f} {x1:.0f} {y + 28:.0f} {x1:.0f} {y + 3:.0f}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" marker-end="url(#{colour[1:]})"/>'


def towards(x: float, other: float) -> float:
    """Return where an arrow leaves or meets a box around `x`, on the side of what lies at `other`."""
    return x + max(-0.35, min(0.35, (other - x) / 500)) * BOX


def drawn(half: Half, colour: str, middle: float, top: float) -> list[str]:
    """Return a half's arrows, then its boxes but the command line's, in rows around `middle`."""
    spots = {slot: (middle + x, top + i * STEP) for i, row in enumerate(arranged(half)) for slot, x in row.items()}
    parts = []
    for a, b in sorted(half.arrows):
        (x, y), *lanes, (x1, y1) = (spots[slot] for slot in half.slots(a, b))
        if y == y1:  # two rooms of one layer: a bow under both
            parts.append(bow(towards(x, x1), towards(x1, x), y + HEIGHT, colour))
            continue
        points = [point for at, upper in lanes for point in ((at, upper), (at, upper + HEIGHT))]
        before, after = (points[-1][0], points[0][0]) if points else (x, x1)
        start = (after, y + HEIGHT - LABEL) if a == TOP else (towards(x, after), y + HEIGHT)
        end = (x1 if a == TOP else towards(x1, before), y1 - 3)
        parts.append(arrow([start, *points, end], colour))
    rooms = sorted(room for row in half.rows for room in row if room != TOP)
    return parts + [part for room in rooms for part in box(room, *spots[room])]


def panel(name: str, half: Half, left: float, width: float, height: float) -> list[str]:
    """Return a half on its ground, under its name."""
    colour, top = HALVES[name], MARGIN + HEIGHT + 16
    return [
        f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{height:.0f}" rx="10" fill="{colour}" '
        'fill-opacity="0.05"/>',
        text(left + 16 + 4 * len(name), top + 22, name, 17, bold=True, colour=colour),
        *drawn(half, colour, left + width / 2, MARGIN + LABEL),
    ]


def picture() -> str:
    """Return the picture as SVG; the same code gives the same text."""
    pairs = imports()
    halves = {}
    for name in HALVES:
        rows = layers(name)
        rooms = {room for row in rows for room in row}
        halves[name] = Half(rows, reduced((a, b) for a, b in pairs if {a, b} <= rooms))
    widths = {
        name: max(2 * abs(x) + (LANE if ">" in slot else BOX) for row in arranged(half) for slot, x in row.items())
        + 2 * MARGIN
        for name, half in halves.items()
    }
    tall = max(len(half.rows) for half in halves.values())
    width, height = sum(widths.values()) + 3 * MARGIN, MARGIN + LABEL + tall * STEP + 46
    parts, left = [], float(MARGIN)
    for name, half in halves.items():
        parts += panel(name, half, left, widths[name], (tall - 1) * STEP + LABEL)
        left += widths[name] + MARGIN
    parts += box(TOP, width / 2, MARGIN, width - 2 * MARGIN)
    used = sorted({b.partition(".")[2] for a, b in pairs if a.startswith("zoo.") and b.startswith("ferdata.")})
    foot = MARGIN + LABEL + len(halves["zoo"].rows) * STEP
    parts += note("zoo imports of ferdata:", ", ".join(used), width - MARGIN - widths["zoo"] / 2, foot)
    parts += note("", CAPTION, width / 2, height - 44)
    return svg(parts, width, height)


def note(head: str, words: str, x: float, y: float) -> list[str]:
    """Return lines around `x`, the first of them in bold."""
    lines = textwrap.wrap(words, 46) if head else [words]
    return [text(x, y, head, 14, bold=True)] * bool(head) + [
        text(x, y + 20 * i, line, 14, colour=PALE) for i, line in enumerate(lines, 1)
    ]


def svg(parts: Iterable[str], width: float, height: float) -> str:
    """Return `parts` as a picture on white, which is legible on a dark page too."""
    markers = [
        f'<marker id="{colour[1:]}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for colour in HALVES.values()
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" text-anchor="middle">'
    )
    back = f'<rect width="{width:.0f}" height="{height:.0f}" rx="12" fill="#ffffff"/>'
    title = "<title>The packages of ferdata and zoo, and their imports</title>"
    return "\n".join([head, title, "<defs>", *markers, "</defs>", back, *parts, "</svg>", ""])


def main() -> None:
    """Write docs/architecture.svg."""
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE)


if __name__ == "__main__":
    main()
