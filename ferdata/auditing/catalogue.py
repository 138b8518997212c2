"""Every finding of an audit, once: its name, what is measured, from which value on it is one, who tells."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ferdata.errors import BadOption, choose_one

ABOUT = ("image", "label", "set")  # a finding is about a picture, a label, or the whole


@dataclass(frozen=True)
class Finding:
    """One thing that can be amiss: `measure` says what its score is, in which unit.

    It is one where the score is below `threshold`, or `above` it. `owner` is who tells: ingest (what it measured),
    pixels (read again), detector, manifest (its own columns), votes, or predictions.
    """

    name: str
    about: str
    owner: str
    measure: str
    threshold: float
    above: bool
    meaning: str

    def holds(self, threshold: float) -> str:
        """Return the rule in words."""
        return f"{self.measure} {'>' if self.above else '<'} {threshold:g}"


# Thresholds of pictures: seen on FER+'s 35,710 faces of 48 px and 400 photographs of 350 px. Each marks the last
# thousandth or less of either, where a look at contact sheets found what the name says.
CATALOGUE = (
    Finding("unreadable", "image", "pixels", "not to be read: 1", 0, True, "the image is gone, or does not decode"),
    Finding(
        "changed", "image", "pixels", "other pixels: 1", 0, True, "not the picture that was ingested"
    ),
    Finding("blank", "image", "ingest", "contrast, 0..0.5", 0.03, False, "one shade all over: there is no face in it"),
    Finding("dark", "image", "ingest", "mean grey value, 0..1", 0.13, False, "hardly lit, or mostly black"),
    Finding("bright", "image", "ingest", "mean grey value, 0..1", 0.87, True, "overexposed, or a drawing on white"),
    Finding(
        "blurred", "image", "ingest", "detail at 48 px (sharp faces: 0.3 to 2)", 0.1, False,
        "out of focus, moved, or blown up from a few pixels",
    ),
    Finding("small", "image", "ingest", "short side in pixels", 40, False, "too few pixels for an expression"),
    Finding("odd_shape", "image", "ingest", "long side over short side", 2, True, "a strip, hardly cut to a face"),
    Finding("grey", "image", "pixels", "share of colour in its dataset", 0.5, True, "grey among pictures in colour"),
    Finding("no_face", "image", "detector", "score of the surest face, 0 for none", 0.6, False, "no face was found"),
    Finding(
        "several_faces", "image", "detector", "score of the second surest face", 0.6, True, "whose expression is it?"
    ),
    Finding(
        "conflict", "label", "manifest", "share of the picture's other rows with another label", 0, True,
        "the same picture stands under several labels",
    ),
    Finding(
        "vote_disagreement", "label", "votes", "share of the votes for the label", 0.5, False,
        "fewer than half of the voters said so",
    ),
    Finding("vote_entropy", "label", "votes", "entropy of the votes in bits", 2, True, "the voters are at odds"),
    Finding(
        "suspect_label", "label", "predictions", "probability that the label is right", 0.5, False,
        "nets that have not seen it, and pictures like it, say something else",
    ),
    Finding(
        "suspect_votes", "label", "predictions", "divergence of votes and prediction in bits", 0.5, True,
        "nets that have not seen it expect other votes",
    ),
    Finding(
        "leak", "set", "manifest", "splits that its picture, person or clip stands in", 1, True,
        "test or val share a picture, a person or a clip with train, or each other",
    ),
    Finding(
        "one_class_subject", "set", "manifest", "rows of a person who shows one class only", 3, True,
        "who it is gives the label away",
    ),
    Finding("imbalance", "set", "manifest", "largest class over smallest", 10, True, "a split has hardly any of one"),
    Finding(
        "drift", "set", "manifest", "divergence of class shares in bits", 0.05, True,
        "two splits, or two datasets, differ in their classes",
    ),
    Finding("synthetic", "set", "manifest", "share of generated faces", 0.5, True, "most of a split is generated"),
)  # fmt: skip
BY_NAME: Mapping[str, Finding] = {f.name: f for f in CATALOGUE}
OF_PARTS = ("imbalance", "drift", "synthetic")  # counted by splits or datasets, where others are counted by rows


def thresholds(given: Iterable[str]) -> dict[str, float]:
    """Return every finding's threshold, those of `given` ("blurred=0.2") in place of the usual. Raises BadOption."""
    chosen = {f.name: f.threshold for f in CATALOGUE}
    for pair in given:
        name, _, value = pair.partition("=")
        check_names([name])
        try:
            chosen[name] = float(value)
        except ValueError:
            chosen[name] = math.nan
        if not math.isfinite(chosen[name]):
            raise BadOption(
                f"The threshold of {name} cannot be {value!r}.", f"Give a number: {name}={BY_NAME[name].threshold:g}"
            )
    return chosen


def check_names(names: Iterable[str]) -> None:
    """Raise BadOption for a name that is no finding's."""
    for name in names:
        if name not in BY_NAME:
            raise BadOption(f"There is no finding {name!r}.", choose_one(name, BY_NAME))
