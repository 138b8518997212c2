"""Whether a net's answers mean anything: those of one that knows nothing look like answers too.

Two ways in which they do not: it gives every face the same class, or nothing shows that it is right more often than
the majority-class baseline, which always answers the commonest class. Either is said wherever the net is judged or
used.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def caution(report: Mapping[str, Any]) -> str:
    """Return in a sentence why the answers of a report's net mean nothing; "" where nothing says so.

    The report has `metrics.score`'s figures, and `baseline`. A split of one class alone shows nothing, either way.
    """
    confusion = np.asarray(report["confusion"])
    if (confusion.sum(1) > 0).sum() < 2:
        return ""
    split = report["protocol"]["split"]
    images = "labelled" if split == "all" else split
    if answer := only_answer(confusion, report["classes"]):
        return one_answer_for_all(answer, report["n"], images)
    low, high = report["confidence_intervals"]["accuracy"]
    majority = report["baseline"]["majority_share"]
    if low > majority:
        return ""
    return (
        f"The net is not shown to be better than the majority-class baseline: accuracy {report['accuracy']:.1%} "
        f"(95 % interval {low:.1%} to {high:.1%}) on {report['n']:,} {images} images, baseline {majority:.1%}."
    )


def one_answer_for_all(answer: str, n: int, images: str) -> str:
    """Return the sentence on a net that gave all `n` images of a kind (test, val) one class."""
    return f"The net answers {answer} to all {n:,} {images} images: its labels say nothing about a face."


def only_answer(confusion: NDArray[Any], classes: Sequence[str]) -> str:
    """Return the class that every image was given, by a confusion matrix, true by predicted; "" for several."""
    given = np.flatnonzero(confusion.sum(0))
    return classes[given[0]] if len(given) == 1 else ""
