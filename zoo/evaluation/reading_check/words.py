"""A check of a reading in sentences: what would fit better, what cannot be told, and on which faces that was seen."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ferdata.errors import listed
from zoo.evaluation.reading_check.check import BEST, ReadingCheck
from zoo.evaluation.reading_check.orders import moved
from zoo.evaluation.reading_check.trials import Trial

SHOWN = 6  # pairs of classes named
SCALES = {
    "0,1": "scaled to 0..1",
    "-1,1": "scaled to -1..1",
    "0,255": "as they are, 0..255,",
    "ImageNet": "scaled by ImageNet's mean and deviation",
}
CALLED = {"order": "order of the classes", "pixels": "scale of pixels", "channels": "order of channels", "crop": "crop"}


def as_dict(done: ReadingCheck) -> dict[str, Any]:
    """Return a check as `report.json` has it: its fields, and what they come to in words."""
    return {**asdict(done), "findings_in_words": findings(done), "in_words": sentences(done)}


def sentences(done: ReadingCheck) -> list[str]:
    """Return what came of a check, a sentence or two each: the faces, the findings, what cannot be told."""
    return [_faces(done), *(findings(done) or [_nothing(done)]), *_open(done), *_channels(done)]


def findings(done: ReadingCheck) -> list[str]:
    """Return, in a sentence or two, which reading fits much better, the best of them; nothing where none does.

    Against a wrong reading many things look better, so that the others are named and no more.
    """
    if not done.findings:
        return []
    first, *others = done.findings
    found = f"{_would(done, first)} {_remedy(done, first)}"
    if others:
        more = listed(CALLED[one.kind] for one in others)
        found += (
            f" Another {more} would fit better too, which may be gone with this: correct it first, and check again."
        )
    return [found]


def _faces(done: ReadingCheck) -> str:
    each = sorted({*done.images.values()})
    of = f"{each[0]}" if len(each) == 1 else f"{each[0]} to {each[-1]}"
    where = listed(f"{n:,} of {split}" for split, n in done.splits.items())
    return (
        f"Reading check on {done.n:,} labelled faces of {done.manifest} ({where}; {of} of each class): accuracy "
        f"{_share(done.accuracy)}{_between(done.interval)}."
    )


def _would(done: ReadingCheck, one: Trial) -> str:
    """Return what a reading would come to."""
    gain = (
        f"{_points(one.gain or 0)} points, {_points(one.interval[0])} to {_points(one.interval[1])}"
        if one.interval
        else ""
    )
    return f"{_with(done, one)} it would be {_share(one.accuracy or 0)} instead of {_share(done.accuracy)} ({gain})."


def _with(done: ReadingCheck, one: Trial) -> str:
    """Return a reading in words, the beginning of a sentence."""
    if one.kind == "order":
        changed = moved(one.order, done.classes)
        if len(changed) == 2:
            return f"With {changed[0]} and {changed[1]} exchanged"
        return f"With its outputs read in {'another order' if one.name == BEST else one.name}"
    if one.kind == "pixels":
        return f"With pixels {SCALES[one.name]}"
    if one.kind == "channels":
        return f"With channels in the order {one.name}"
    share = float(one.name)
    if share < 1:
        return f"With faces cut tighter, to {share:g} of the side,"
    return f"With a wider crop, {share:g} of the side (a guess: the edge repeated about each picture),"


def _remedy(done: ReadingCheck, one: Trial) -> str:
    """Return what to do about it, if the finding is believed."""
    if one.kind == "order":
        classes = ",".join(done.classes[place] for place in one.order)
        return f"If its publisher does not say otherwise, adopt it with --classes {classes}."
    if one.kind == "pixels":
        how = "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225" if one.name == "ImageNet" else f"--pixels {one.name}"
        return f"If its publisher does not say otherwise, adopt it with {how}."
    if one.kind == "channels":
        return f"If its publisher does not say otherwise, adopt it with --order {one.name}."
    return "It may have learnt from faces that were cut otherwise: ferdata align cuts them anew."


def _nothing(done: ReadingCheck) -> str:
    return f"None of {len(done.trials)} other readings (orders of classes, scales of pixels, crops) fits much better."


def _open(done: ReadingCheck) -> list[str]:
    """Return which exchanges cannot be told; where something else is found, that comes first."""
    if done.findings or not done.open:
        return []
    pairs = [" and ".join(f"{name} ({done.images.get(name, 0):,})" for name in pair) for pair in done.open[:SHOWN]]
    rest = len(done.open) - len(pairs)
    more = f"; and {rest} more pairs" if rest else ""
    return [f"Too few faces of these classes to tell whether they are exchanged: {'; '.join(pairs)}{more}."]


def _channels(done: ReadingCheck) -> list[str]:
    return [f"The order of channels cannot be told: {done.channels}."] if done.channels else []


def _share(value: float) -> str:
    return f"{value:.1%}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" ({_share(interval[0])} to {_share(interval[1])})"
