"""What people reach on the scored images, by their annotators' votes: what stands beside an accuracy, and above it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse, special
from scipy.optimize import minimize_scalar

from ferdata.labels import EMOTIONS, VOTE_COLUMNS, Taxonomy, tally
from zoo.evaluation import confidence

Floats = NDArray[np.float64]
FEWEST_VOTES = 3  # of an image: with fewer nothing is known of how sure a vote is
SAMPLES = 50  # of each image's true shares
STRENGTHS = (-4.0, 5.0)  # natural log of the prior's weight in votes, between which it is looked for
WORDS = {
    "one_annotator": "one annotator, against the others",
    "label_share": "votes behind the label",
    "true_shares": "a model that knew all votes",
}
FIGURES = tuple(WORDS)


def ceilings(
    table: pa.Table,
    where: NDArray[np.intp],
    taxonomy: Taxonomy,
    hard: NDArray[np.int64],
    clusters: NDArray[np.int64],
    draws: int,
) -> dict[str, Any] | None:
    """Return what the annotators of the rows at `where` reach, with intervals; None where no row has votes.

    `table` has votes and pixel_hash of all rows, `hard` (n,) the class of each scored row. Of the `n` rows with votes:
    `one_annotator`, the share of votes that agree with the plurality of the others of that image, ties going to the
    class that stands first; `label_share`, the mean share of votes behind the label; `true_shares`, what a model would
    score that knew each image's true shares of votes and answered the largest, since ten votes name another class now
    and then. For the last, true shares are drawn from a Dirichlet distribution given the votes, whose prior is fitted
    to all of them (Minka 2000, "Estimating a Dirichlet distribution"). `consensus` is for rows whose votes stand in
    another row of the same pixels: what the voters' majority scores on these labels.
    """
    votes = table["votes"].combine_chunks().take(pa.array(where))
    voted = np.flatnonzero(votes.is_valid().to_numpy(zero_copy_only=False))
    result: dict[str, Any] = {"n": 0, "consensus": _consensus(table, where, votes, taxonomy, hard)}
    cast = by_class(_matrix(votes), taxonomy)
    enough = cast.sum(1) >= FEWEST_VOTES
    voted, cast = voted[enough], cast[enough]
    if len(voted):
        each = {
            "one_annotator": one_annotator(cast),
            "label_share": np.take_along_axis(cast, hard[voted, None], 1)[:, 0] / cast.sum(1),
            "true_shares": true_shares(cast, hard[voted], len(taxonomy.classes)),
        }
        result |= {"n": len(voted)} | {name: float(values.mean()) for name, values in each.items()}
        result["intervals"] = _intervals(np.stack([each[name] for name in FIGURES], 1), clusters[voted], draws)
    return result if result["n"] or result["consensus"] else None


def by_class(votes: NDArray[np.int64], taxonomy: Taxonomy) -> NDArray[np.int64]:
    """Return votes (n, 10) as columns of the taxonomy's classes, then of what is no class, each by itself."""
    place = [
        taxonomy.classes.index(taxonomy.mapping[name]) if name in taxonomy.mapping else None for name in VOTE_COLUMNS
    ]
    rest = iter(range(len(taxonomy.classes), len(taxonomy.classes) + place.count(None)))
    columns = [next(rest) if at is None else at for at in place]
    result = np.zeros((len(votes), max(columns) + 1), np.int64)
    for column, cast in zip(columns, votes.T, strict=True):
        result[:, column] += cast
    return result


def one_annotator(votes: NDArray[np.int64]) -> Floats:
    """Return, per image, the share of its votes (n, k) that agree with the plurality of its other votes."""
    hits = np.zeros(len(votes))
    for column in range(votes.shape[1]):
        others = votes.copy()
        others[:, column] -= 1
        hits += votes[:, column] * (others.argmax(1) == column)
    return np.asarray(hits / votes.sum(1))


def true_shares(votes: NDArray[np.int64], hard: NDArray[np.int64], classes: int) -> Floats:
    """Return, per image, how probably its label is the class with the largest true share, by its votes (n, k)."""
    prior = _prior(votes)
    random = np.random.default_rng(0)
    right = np.zeros(len(votes))
    for _ in range(SAMPLES):
        right += random.standard_gamma(votes + prior)[:, :classes].argmax(1) == hard
    return np.asarray(right / SAMPLES)


def _prior(votes: NDArray[np.int64]) -> Floats:
    """Return the parameters (k,) of the Dirichlet distribution whose mean is that of all votes, by its likelihood."""
    mean = (votes.sum(0) + 1) / (votes.sum() + votes.shape[1])
    count = votes.sum(1)

    def loss(log_strength: float) -> float:
        strength = float(np.exp(log_strength))
        given = special.gammaln(strength) - special.gammaln(strength + count)
        each = special.gammaln(votes + strength * mean) - special.gammaln(strength * mean)
        return -float(given.sum() + each.sum())

    return np.asarray(np.exp(minimize_scalar(loss, bounds=STRENGTHS, method="bounded").x) * mean)


def _intervals(each: Floats, clusters: NDArray[np.int64], draws: int) -> dict[str, list[float] | None]:
    """Return the bootstrap interval of each column's mean."""
    sums = confidence.by_cluster(sparse.csr_array(np.c_[np.ones(len(each)), each]), clusters)
    drawn = confidence.resample(sums, draws)
    means = drawn[:, 1:] / np.maximum(drawn[:, :1], 1)
    return {name: confidence.percentile(means[:, at]) for at, name in enumerate(FIGURES)}


def _consensus(
    table: pa.Table, where: NDArray[np.intp], own: pa.Array, taxonomy: Taxonomy, hard: NDArray[np.int64]
) -> dict[str, Any] | None:
    """Return what the majority of the votes for the same pixels scores on labels that no votes are behind."""
    unvoted = np.flatnonzero(own.is_null().to_numpy(zero_copy_only=False))
    with_votes = table.filter(pc.is_valid(table["votes"]))
    if not len(unvoted) or not len(with_votes):
        return None
    pixels = table["pixel_hash"].combine_chunks().take(pa.array(where[unvoted]))
    at = pc.index_in(pixels, with_votes["pixel_hash"].combine_chunks())
    found = np.flatnonzero(at.is_valid().to_numpy(zero_copy_only=False))
    if not len(found):
        return None
    votes = with_votes["votes"].combine_chunks().take(at.drop_null())
    label, _ = tally(_matrix(votes).astype(np.int16), "majority")
    emotion = (label >= 0) & (label < len(EMOTIONS))
    classes = np.array([taxonomy.classes.index(taxonomy.mapping[e]) if e in taxonomy.mapping else -1 for e in EMOTIONS])
    hits = classes[label[emotion]] == hard[unvoted[found[emotion]]]
    if not len(hits):
        return None
    return {"n": len(hits), "accuracy": float(hits.mean()), "interval": confidence.wilson(int(hits.sum()), len(hits))}


def _matrix(votes: pa.Array) -> NDArray[np.int64]:
    """Return the votes that are there as a table (n, 10)."""
    cast = votes.drop_null().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(cast.reshape(-1, len(VOTE_COLUMNS)), np.int64)


def lines(report: Mapping[str, Any]) -> list[tuple[str, float, list[float] | None]]:
    """Return what people reach, as a report has it: in words, the figure, its interval. None of an earlier report."""
    found = report.get("ceilings") or {}
    of = f", {found['n']:,} images" if found.get("n") not in (0, None, report["n"]) else ""
    rows = [(f"{WORDS[name]}{of}", found[name], found["intervals"][name]) for name in FIGURES if name in found]
    if consensus := found.get("consensus"):
        rows.append((f"voters' majority, {consensus['n']:,} images", consensus["accuracy"], consensus["interval"]))
    return rows


def above(report: Mapping[str, Any]) -> str:
    """Return in a sentence that an accuracy is above what the votes allow; "" where it is not, or too few voted."""
    found = report.get("ceilings") or {}
    spread = report["confidence_intervals"]["accuracy"]
    if "true_shares" not in found or found["n"] < report["n"] or spread is None or spread[0] <= found["true_shares"]:
        return ""
    return (
        f"An accuracy of {report['accuracy']:.1%} is above the {found['true_shares']:.1%} of a model that knew how all "
        "annotators would vote. Are test faces in train, or is this another protocol?"
    )
