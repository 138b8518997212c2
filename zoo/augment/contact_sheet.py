"""The contact sheet: what a policy makes of some faces of a manifest, before it is believed."""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ferdata.charts.lettering import key, lettering
from ferdata.errors import BadOption, choose_one
from ferdata.manifest import Manifest, check_output
from ferdata.running.whole_file import write_whole
from ferdata.training_data import arrays
from ferdata.training_data.rows import all_grey, classes_of, natural_size, split_of_rows
from zoo.augment import apply, landmarks, own_ranges
from zoo.augment.parameters import draw
from zoo.augment.policies import Policy, in_words

ENGINES = ("device", "workers")
COLUMNS = ("target", "dataset", "split", "official_split", "width", "height", "mode", "landmarks")
TILE, GAP, LABEL, INK, FAINT = 104, 5, 118, "#222222", "#8a8a8a"
LEFT, MIDDLE, RIGHT = "#ffb000", "#ffffff", "#43b3ff"
HALF = 0.5
UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Sheet:
    """What was drawn: `faces` rows of `draws` pictures of `size` pixels, and the `ranges` they come from.

    `key` says which numbers stand for names whose letters no installed font has.
    """

    out: Path
    policy: str
    about: str
    source: str
    engine: str
    faces: int
    draws: int
    size: int
    seed: int
    landmarks: int
    ranges: dict[str, str]
    key: str


@dataclass(frozen=True)
class _Face:
    """One row of the sheet: the picture as trained on, what was drawn of it, its points in each of them."""

    name: str
    colour: str
    dataset: str
    plain: NDArray[np.uint8]
    drawn: NDArray[np.uint8]
    points: list[landmarks.Points]


def sheet(
    manifest: str | Path,
    out: str | Path,
    policy: str | os.PathLike[str] = "standard",
    rows: int = 8,
    draws: int = 8,
    seed: int = 0,
    size: int | None = None,
    engine: str = "device",
    options: Mapping[str, Any] | Sequence[str] = (),
    force: bool = False,
    roots: Mapping[str, Path] | None = None,
) -> Sheet:
    """Draw `rows` faces of `manifest`, one line each: as it is, then `draws` times under `policy`; write a PNG.

    `policy` is a name or a TOML file; `options` are ranges in place of its own, as `zoo.train` takes them. The faces
    are of all classes in turn, of train where there is a split; `size` defaults to what training would take.
    `engine` "device" is what trains by default, "workers" albumentations. Published landmarks are drawn with the
    former: those of the left side in one colour, those of the right in another. Only these faces' images are read.
    Raises BadOption, AlreadyExists, CannotWrite, ImagesMissing, BrokenSource.
    """
    path = Path(out)
    chosen, about, source = own_ranges.changed(policy, options)
    if engine not in ENGINES:
        raise BadOption(f"There is no augmentation engine {engine!r}.", choose_one(engine, ENGINES))
    opened = Manifest(Path(manifest))
    check_output(path, force, [opened.path])
    table = opened.table(*COLUMNS)
    hard = classes_of(table, opened.taxonomy)
    where = _some(hard, split_of_rows(opened, table)[0], rows, seed)
    size = size or natural_size(table, where)
    channels = 1 if all_grey(table, where) else 3
    pixels = arrays.packs(opened, {"sheet": where}, size, channels, roots, spare=True)["sheet"].pixels
    facts = table.take(where).to_pylist()
    known = [
        None
        if row["landmarks"] is None or engine == "workers"
        else landmarks.on_square(
            np.reshape(np.asarray(row["landmarks"], np.float64), (-1, 2)), row["width"], row["height"], size
        )
        for row in facts
    ]
    drawn, points = _draw(chosen, pixels, known, draws, seed, engine)
    faces = [
        _Face(
            row["target"] or UNLABELLED, opened.taxonomy.colour(row["target"] or ""),
            row["dataset"], pixels[i], drawn[i], points[i],
        )
        for i, row in enumerate(facts)
    ]  # fmt: skip
    names = (*opened.taxonomy.classes, UNLABELLED, *dict.fromkeys(row["dataset"] for row in facts), opened.path.name)
    made = Sheet(
        path, os.fspath(policy), about, source, engine, len(faces), draws, size, seed,
        sum(p is not None for p in known), dict(in_words(chosen)), key(names),
    )  # fmt: skip
    with lettering(names) as words:
        lettered = [replace(face, name=words[face.name], dataset=words[face.dataset]) for face in faces]
        write_whole(path, _picture(made, lettered, f"{words[opened.path.name]}, {opened.rows:,} rows"))
    return made


def _some(hard: NDArray[np.int64], side: NDArray[np.str_], rows: int, seed: int) -> NDArray[np.intp]:
    """Return the positions of `rows` faces, of each class in turn, by class; of what has none if nothing has one."""
    usable = hard >= 0 if (hard >= 0).any() else np.ones(len(hard), bool)
    if (usable & (side == "train")).any():
        usable &= side == "train"
    rng = np.random.default_rng(abs(seed))
    pools = [rng.permutation(np.flatnonzero(usable & (hard == c))) for c in np.unique(hard[usable])]
    if not pools:
        raise BadOption("The manifest has no rows.", "Ingest a dataset first: ferdata ingest --help")
    turns = [(turn, c, int(row)) for c, pool in enumerate(pools) for turn, row in enumerate(pool[:rows])]
    taken = sorted(turns)[:rows]
    return np.array([row for _, _, row in sorted(taken, key=lambda t: (t[1], t[0]))], np.intp)


def _draw(
    chosen: Policy,
    pixels: NDArray[np.uint8],
    known: list[landmarks.Points | None],
    draws: int,
    seed: int,
    engine: str,
) -> tuple[NDArray[np.uint8], list[list[landmarks.Points]]]:
    """Return uint8 (rows, draws, H, W, C), and each row's points in the plain and in the drawn pictures."""
    n, side, _, channels = pixels.shape
    where = np.repeat(np.arange(n), draws)
    mean = (pixels.mean((0, 1, 2)) / 255).astype(np.float32)
    points: list[list[landmarks.Points]] = [[] if p is None else [p] for p in known]
    if engine == "workers":
        from zoo.augment.albumentations_engine import Pipeline

        out = Pipeline(chosen, side, mean)(pixels, where, abs(seed))
        return out.reshape(n, draws, side, side, channels), points
    numbers = draw(chosen, len(where), side, torch.Generator().manual_seed(seed))
    normal = apply.on_processor(pixels, where, numbers, mean, np.ones(channels, np.float32))
    out = np.clip((normal + mean) * 255 + HALF, 0, 255).astype(np.uint8)
    for i, row in enumerate(where):
        if (own := known[row]) is not None:
            back = None if numbers.maps is None else numbers.maps[i].numpy()
            points[row].append(landmarks.moved(own, back, bool(numbers.mirror[i]), side))
    return out.reshape(n, draws, side, side, channels), points


def _picture(made: Sheet, faces: list[_Face], footer: str) -> bytes:
    """Lay it all out; lengths are hundredths of an inch, and the picture has two pixels for each."""
    step = TILE + GAP
    first = LABEL + step + 3 * GAP  # a gap stands between the face as it is and what is made of it
    width = max(first + made.draws * step, 640) + 16
    words = list(made.ranges.items()) or [("nothing", "the image is not changed")]
    top, bottom = 78, 52 + 17 * len(words)
    height = top + len(faces) * step + bottom
    figure = Figure(figsize=(width / 100, height / 100), dpi=200, facecolor="white")
    canvas = FigureCanvasAgg(figure)  # no window system is asked for
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    title = axes.text(20, 30, Path(made.policy).name, fontsize=17, fontweight="bold", color=INK, va="center")
    beside = title.get_window_extent(renderer).x1 / 2 + 12
    axes.text(beside, 32, made.about, fontsize=10, color=FAINT, va="center")
    axes.text(LABEL, 62, "original", fontsize=8.5, color=FAINT, va="center")
    axes.text(first, 62, f"{made.draws} augmented versions", fontsize=8.5, color=FAINT, va="center")
    for i, face in enumerate(faces):
        y = top + i * step
        axes.plot([20, 20], [y + 2, y + TILE - 2], color=face.colour, lw=3.2, solid_capstyle="butt")
        axes.text(29, y + TILE / 2 - 8, face.name, fontsize=10, color=INK, va="center")
        axes.text(29, y + TILE / 2 + 9, face.dataset, fontsize=7.5, color=FAINT, va="center")
        for k, pixels in enumerate([face.plain, *face.drawn]):
            x = LABEL if k == 0 else first + (k - 1) * step
            _tile(axes, pixels, x, y)
            if face.points:
                _points(axes, face.points[k], x, y, made.size)
    _ranges(axes, words, top + len(faces) * step + 20)
    if made.landmarks:
        for x, colour, side in ((20, LEFT, "left"), (66, RIGHT, "right")):
            axes.scatter(x + 3, height - 14, s=9, c=colour, linewidths=0)
            axes.text(x + 11, height - 14, side, fontsize=7.5, color=FAINT, va="center")
    tail = f"{footer} · {made.size} pixels · seed {made.seed} · {made.engine}"
    axes.text(width - 16, height - 14, tail, fontsize=7.5, color=FAINT, ha="right", va="center")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=200)
    return buffer.getvalue()


def _tile(axes: Axes, pixels: NDArray[np.uint8], x: float, y: float) -> None:
    full = 2 * TILE
    how = cv2.INTER_AREA if pixels.shape[0] > full else cv2.INTER_NEAREST
    shown = cv2.resize(pixels, (full, full), interpolation=how).reshape(full, full, -1)
    rgb = np.repeat(shown, 3, 2) if shown.shape[2] == 1 else shown
    axes.imshow(rgb, extent=(x, x + TILE, y + TILE, y), interpolation="nearest", aspect="auto", zorder=1)


def _points(axes: Axes, points: landmarks.Points, x: float, y: float, size: int) -> None:
    spots = (points + HALF) * (TILE / size)
    inside = ((spots >= 0) & (spots <= TILE)).all(1)
    colours = np.array([MIDDLE, RIGHT, LEFT])[landmarks.sides(len(spots))][inside]
    axes.scatter(
        x + spots[inside, 0], y + spots[inside, 1], s=5 if len(spots) < 20 else 1.6, c=colours, linewidths=0, zorder=2
    )


def _ranges(axes: Axes, words: list[tuple[str, str]], y: float) -> None:
    for i, (name, text) in enumerate(words):
        axes.text(20, y + 17 * i, name, fontsize=9, color=INK, va="center", fontweight="bold")
        axes.text(LABEL, y + 17 * i, text, fontsize=9, color=INK, va="center")
