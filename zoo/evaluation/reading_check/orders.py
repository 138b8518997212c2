"""Other orders of a model's classes: nothing is computed anew for them, its columns change their names."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ferdata.labels import EMOTIONS

Floats = NDArray[np.float32]
Right = NDArray[np.bool_]
Order = tuple[int, ...]  # output i is read as the class that stands at place order[i] now

# The orders that labels are numbered in by what people learn from.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "alphabetical order": tuple(sorted(EMOTIONS)),
    "FER2013's order": ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt"),
    "FER+'s order": EMOTIONS,
    "AffectNet's order": ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),
    "RAF-DB's order": ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral", "contempt"),
    "CK+'s order": ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"),
}
STAY = 0.5  # of a face, what the present order counts more: a class is moved for a face or more, and not for none


def exchanges(count: int) -> list[Order]:
    """Return every order in which two of `count` classes have changed places."""
    found = []
    for i, j in itertools.combinations(range(count), 2):
        order = list(range(count))
        order[i], order[j] = j, i
        found.append(tuple(order))
    return found


def moved(order: Order, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that an order moves."""
    return tuple(name for i, name in enumerate(classes) if order[i] != i)


def known(classes: Sequence[str]) -> dict[str, Order]:
    """Return the known orders that have all of the classes, but the present one; of those alike the first."""
    found: dict[str, Order] = {}
    for name, whole in KNOWN.items():
        words = [word for word in whole if word in classes]
        if len(words) != len(classes) or tuple(words) == tuple(classes):
            continue
        order = tuple(classes.index(word) for word in words)
        if order not in found.values():
            found[name] = order
    return found


def right(p: Floats, reads: Sequence[int], true: NDArray[np.int64], order: Order | None = None) -> Right:
    """Return which faces an order has right, (n,), by the model's probabilities (n, outputs).

    `reads` is the class of each output now, -1 for one that is no class of the manifest; outputs of one class are
    added up.
    """
    of = np.asarray(reads)[list(order)] if order is not None else np.asarray(reads)
    by_class = np.zeros((len(p), max(int(true.max(initial=0)), int(of.max())) + 1))
    for output, name in enumerate(of):
        if name >= 0:
            by_class[:, name] += p[:, output]
    return np.asarray(by_class.argmax(1) == true)


def best(p: Floats, reads: Sequence[int], true: NDArray[np.int64]) -> Order:
    """Return the order that has most faces right, by assignment (Kuhn 1955) of outputs to places."""
    count = p.shape[1]
    said = p.argmax(1)
    gains = np.zeros((count, count))
    for place, name in enumerate(reads):
        if name >= 0:
            gains[:, place] = np.bincount(said[true == name], minlength=count)
    _, places = linear_sum_assignment(gains + STAY * np.eye(count), maximize=True)
    return tuple(int(place) for place in places)


def best_elsewhere(
    p: Floats, reads: Sequence[int], true: NDArray[np.int64], clusters: NDArray[np.int64], seed: int
) -> Right:
    """Return which faces are right, (n,), under the best order of the other half of the clusters.

    Of all orders the one that fits these faces best fits them too well; one that other faces chose does not.
    """
    names, code = np.unique(clusters, return_inverse=True)
    half = np.random.default_rng(seed).permutation(len(names))[code] % 2 == 0
    found = np.zeros(len(true), bool)
    for one, other in ((half, ~half), (~half, half)):
        found[one] = right(p[one], reads, true[one], best(p[other], reads, true[other]))
    return found
