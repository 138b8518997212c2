"""Every finding of an audit, once: its name, what is measured, from which value on it is one, who tells."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ferdata.errors import BadOption, choose_one

ABOUT = ("image", "label", "set")  # a finding is about an image, a label, or the whole set


@dataclass(frozen=True)
class Finding:
    """One thing that can be wrong: `rule` says when, in words, with `{}` where the threshold stands.

    It is found where the score is below `threshold`, or `above` it; a rule without a threshold is a yes or no. `owner`
    is who tells: ingest (what it measured), pixels (read again), detector, manifest (its own columns), votes, or
    predictions. `axis` names the score on a chart, "" for one whose distribution says nothing.
    """

    name: str
    about: str
    owner: str
    rule: str
    threshold: float
    above: bool
    meaning: str
    axis: str = ""

    def holds(self, threshold: float) -> str:
        """Return the rule in words."""
        return self.rule.format(f"{threshold:g}")


# Thresholds of pictures: seen on FER+'s 35,710 faces of 48 px and 400 photographs of 350 px. Each marks the last
# thousandth or less of either, where a look at contact sheets found what the name says.
CATALOGUE = (
    Finding(
        "unreadable", "image", "pixels", "image that cannot be read", 0, True, "the file is gone, or does not decode"
    ),
    Finding(
        "changed", "image", "pixels", "pixels other than those ingested", 0, True, "not the image that was ingested"
    ),
    Finding(
        "blank", "image", "ingest", "contrast (0 to 0.5) below {}", 0.03, False,
        "nearly uniform image: there is no face in it", "contrast",
    ),
    Finding(
        "dark", "image", "ingest", "brightness (mean grey value, 0 to 1) below {}", 0.13, False,
        "hardly lit, or mostly black", "brightness",
    ),
    Finding(
        "bright", "image", "ingest", "brightness (mean grey value, 0 to 1) above {}", 0.87, True,
        "overexposed, or a drawing on white", "brightness",
    ),
    Finding(
        "blurred", "image", "ingest", "sharpness at 48 px (sharp faces: 0.3 to 2) below {}", 0.1, False,
        "out of focus, motion blur, or enlarged from a few pixels", "sharpness at 48 px",
    ),
    Finding(
        "small", "image", "ingest", "short side below {} px", 40, False, "too few pixels for an expression",
        "short side of the image in px",
    ),
    Finding(
        "small_face", "image", "detector", "short side of the face below {} px", 40, False,
        "too few pixels of the face for an expression", "short side of the face in px",
    ),
    Finding(
        "odd_shape", "image", "ingest", "long side more than {} times the short side", 2, True,
        "a strip, hardly cut to a face", "long side over short side",
    ),
    Finding(
        "grey", "image", "pixels", "grey image where more than {} of the dataset (0 to 1) is in colour", 0.5, True,
        "grey among images in colour",
    ),
    Finding(
        "no_face", "image", "detector", "highest face-detection score (0 for none) below {}", 0.6, False,
        "no face was found", "highest face-detection score",
    ),
    Finding(
        "several_faces", "image", "detector", "second highest face-detection score above {}", 0.6, True,
        "whose expression is it?", "second highest face-detection score",
    ),
    Finding(
        "conflict", "label", "manifest", "another label on more than {} of the picture's other rows (share, 0 to 1)", 0,
        True, "the same picture stands under several labels",
    ),
    Finding(
        "vote_disagreement", "label", "votes", "share of the votes for the label below {}", 0.5, False,
        "fewer than half of the voters said so", "share of the votes for the label",
    ),
    Finding(
        "vote_entropy", "label", "votes", "entropy of the votes above {} bits", 2, True, "the voters disagree",
        "entropy of the votes in bits",
    ),
    Finding(
        "suspect_label", "label", "predictions", "probability that the label is right below {}", 0.5, False,
        "models that were not trained on it, and copies of it, say something else",
        "probability that the label is right",
    ),
    Finding(
        "suspect_votes", "label", "predictions", "divergence of votes and prediction above {} bits", 0.5, True,
        "models that were not trained on it expect other votes", "divergence of votes and prediction in bits",
    ),
    Finding(
        "contaminated", "set", "manifest", "in train, and in the official test of a dataset that is not here", 0, True,
        "a known face: a figure on that dataset's test would be too good",
    ),
    Finding(
        "leak", "set", "manifest", "picture, person or clip in more than {} split", 1, True,
        "test or val share a picture, a person or a clip with train, or with each other",
    ),
    Finding(
        "one_class_subject", "set", "manifest", "more than {} rows of a person who shows one class only", 3, True,
        "who it is gives the label away",
    ),
    Finding(
        "imbalance", "set", "manifest", "largest class more than {} times the smallest", 10, True,
        "a split has hardly any of one class",
    ),
    Finding(
        "drift", "set", "manifest", "divergence of class shares above {} bits", 0.05, True,
        "two splits, or two datasets, differ in their classes",
    ),
    Finding(
        "synthetic", "set", "manifest", "share of generated faces above {}", 0.5, True, "most of a split is generated"
    ),
)  # fmt: skip
# What spoils a result comes first: a test that is no test, then labels, then pictures without a face to see.
GRAVEST_FIRST = (
    "leak", "contaminated", "unreadable", "changed", "suspect_label", "conflict", "one_class_subject", "no_face",
    "blank", "suspect_votes", "several_faces", "vote_disagreement", "blurred", "dark", "bright", "small_face", "small",
    "odd_shape", "grey", "vote_entropy", "imbalance", "drift", "synthetic",
)  # fmt: skip
BY_NAME: Mapping[str, Finding] = {f.name: f for f in CATALOGUE}
OF_PARTS = ("imbalance", "drift", "synthetic")  # counted by splits or datasets, where others are counted by rows


def thresholds(given: Iterable[str]) -> dict[str, float]:
    """Return every finding's threshold, those of `given` ("blurred=0.2") in place of the usual. Raises BadOption."""
    chosen = {f.name: f.threshold for f in CATALOGUE}
    for pair in given:
        name, _, value = pair.partition("=")
        check_names([name])
        if "{}" not in BY_NAME[name].rule:
            raise BadOption(f"{name} has no threshold: it is a yes or no.", f"Leave out --threshold {pair}.")
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
