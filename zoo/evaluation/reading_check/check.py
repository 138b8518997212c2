"""Would another reading of a model fit much better? Tried on labelled faces, said, and nothing changed by it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ferdata.errors import BrokenRun
from zoo.data.rows import Rows, load
from zoo.evaluation import adopted, confidence, inference
from zoo.evaluation.reading_check import faces as drawing
from zoo.evaluation.reading_check import orders
from zoo.evaluation.reading_check.faces import Faces
from zoo.evaluation.reading_check.inputs import LARGER, Pixels, Reading, readings, with_colours
from zoo.evaluation.reading_check.trials import BETTER, OPEN, Trial, Tried, interval_of, judge, surely_better
from zoo.models.foreign.net import ForeignNet
from zoo.run.model_file import Meta

LOOKS = (0.12, 0.36, 1.0)  # shares of the faces, after each of which a reading that is far behind is ruled out
BEHIND = 3.0  # standard errors
FEW = 30  # coloured faces, below which the order of channels is not asked
BEST, EXCHANGE = "best order", "exchange"
Right = NDArray[np.bool_]


@dataclass(frozen=True)
class ReadingCheck:
    """What came of the check of a run on `n` faces of a manifest, of these splits and classes.

    `accuracy` is as the model is read now, with its interval. `findings` are the readings that fit much better, the
    largest gain first, one of each kind at most; `open` the pairs of classes of which these faces do not tell whether
    they are exchanged. `channels` says why the order of channels was not asked, "" where it was. `trials` are all.
    """

    manifest: str
    n: int
    splits: Mapping[str, int]
    images: Mapping[str, int]
    classes: tuple[str, ...]
    accuracy: float
    interval: list[float] | None
    findings: tuple[Trial, ...]
    open: tuple[tuple[str, ...], ...]
    channels: str
    trials: tuple[Trial, ...]


def check(
    net: nn.Module,
    meta: Meta,
    rows: Rows,
    roots: Mapping[str, Path] | None = None,
    seed: int = 0,
    draws: int = confidence.DRAWS,
) -> ReadingCheck:
    """Try other readings of a net on up to 1,000 labelled faces of `rows`, and return which fit much better.

    Tried are all exchanges of two classes, known orders, the best one of all; other scales of pixels, BGR for RGB, and
    tighter and wider crops. `seed` draws the faces. Raises BadOption for a manifest without a face of its classes.
    """
    reads = adopted.read_as(meta, rows.taxonomy)
    faces = drawing.draw(rows, sorted({i for i in reads if i >= 0}), seed)
    pixels, larger = (_pixels(rows, faces, side, meta, roots) for side in (meta.size, round(meta.size * LARGER)))
    p = inference.score(net, pixels, meta.mean, meta.std, what="Reading check")
    now = orders.right(p, reads, faces.true)
    coloured = int(with_colours(pixels).sum())
    other = "RGB" if (meta.foreign or {}).get("order") == "BGR" else "BGR"
    tried = [
        *_orders(p, reads, faces, meta.classes, seed),
        *(
            Tried(one.kind, one.name, _right(net, one, pixels, larger, reads, faces.true, now))
            for one in readings(meta.mean, meta.std, other if coloured >= FEW else None)
            if one.kind != "pixels" or not (isinstance(net, ForeignNet) and net.whole_numbers)
        ),
    ]
    trials = judge(tried, now, faces.clusters, draws)
    return ReadingCheck(
        manifest=str(rows.manifest.path),
        n=len(faces),
        splits=faces.splits,
        images={name: int((faces.true == i).sum()) for i, name in enumerate(rows.taxonomy.classes) if i in faces.true},
        classes=meta.classes,
        accuracy=float(now.mean()),
        interval=interval_of(now, faces.clusters, draws),
        findings=tuple(_findings(tried, trials, faces.clusters)),
        open=tuple(
            orders.moved(one.order, meta.classes) for one in trials if (one.name, one.verdict) == (EXCHANGE, OPEN)
        ),
        channels=_not_asked(meta.channels, coloured, len(faces)),
        trials=tuple(trials),
    )


def _pixels(rows: Rows, faces: Faces, side: int, meta: Meta, roots: Mapping[str, Path] | None) -> Pixels:
    """Return the faces, uint8 (n, side, side, channels)."""
    found: Pixels = load(rows, {"reading check": faces.where}, side, meta.channels, roots)[
        "reading check"
    ].pixels.numpy()
    return found


def _orders(
    p: NDArray[np.float32], reads: Sequence[int], faces: Faces, classes: tuple[str, ...], seed: int
) -> Iterator[Tried]:
    """Yield what other orders of the classes would have right."""
    simple = [(EXCHANGE, order) for order in orders.exchanges(len(classes))]
    for name, order in (*simple, *orders.known(classes).items()):
        if name == EXCHANGE or order not in [known for _, known in simple]:
            yield Tried("order", name, orders.right(p, reads, faces.true, order), order)
    chosen = orders.best_elsewhere(p, reads, faces.true, faces.clusters, seed)
    yield Tried("order", BEST, chosen, orders.best(p, reads, faces.true))


def _right(
    net: nn.Module,
    one: Reading,
    pixels: Pixels,
    larger: Pixels,
    reads: Sequence[int],
    true: NDArray[np.int64],
    now: Right,
) -> Right | None:
    """Return what another input has right, (n,); None where it is far behind on the first of them, or gives no numbers.

    Most are, so that the others need not be computed.
    """
    found: Right = np.empty(0, bool)
    for share in LOOKS:
        part = slice(len(found), round(len(true) * share))
        given = one.of(pixels[part], larger[part])
        try:
            p = inference.score(net, given, one.mean, one.std, what=f"Reading check: {one.kind} {one.name}")
        except BrokenRun:
            return None
        found = np.concatenate([found, orders.right(p, reads, true[part])])
        gain = found.astype(np.int64) - now[: len(found)]
        if gain.mean() + BEHIND * gain.std() / np.sqrt(len(gain)) < 0:
            return None
    return found


def _findings(tried: Sequence[Tried], trials: Sequence[Trial], clusters: NDArray[np.int64]) -> list[Trial]:
    """Return the readings that fit much better, the best of each kind, the largest gain first."""
    found = []
    for kind in dict.fromkeys(one.kind for one in trials):
        better = [i for i, one in enumerate(trials) if (one.kind, one.verdict) == (kind, BETTER)]
        if kind == "order":
            better = _plainest(better, tried, clusters)
        if better:
            found.append(max((trials[i] for i in better), key=_gain))
    return sorted(found, key=_gain, reverse=True)


def _plainest(better: list[int], tried: Sequence[Tried], clusters: NDArray[np.int64]) -> list[int]:
    """Return the orders without the best of all, unless that is surely better than each of them; it has no reason."""
    plain = [i for i in better if tried[i].name != BEST]
    last = [i for i in better if tried[i].name == BEST]
    for i in last:
        for j in plain:
            one, other = tried[i].right, tried[j].right
            assert one is not None
            assert other is not None
            if tried[i].order == tried[j].order or not surely_better(one, other, clusters, "order"):
                return plain
    return last or plain


def _gain(one: Trial) -> float:
    return one.gain or 0.0


def _not_asked(channels: int, coloured: int, n: int) -> str:
    """Return why the order of channels was not asked, "" where it was."""
    if channels == 1:
        return "the model takes grey pictures, which have no order of channels"
    if coloured >= FEW:
        return ""
    return "these faces are grey" if not coloured else f"only {coloured:,} of these {n:,} faces have colours"
