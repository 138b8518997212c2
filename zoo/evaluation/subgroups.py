"""Who the scored rows are: what belongs together, what its annotators said, and the figures of each part by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from ferdata.labels import EMOTIONS, Taxonomy
from ferdata.manifest import Manifest
from zoo.evaluation import confidence, metrics

PEOPLE = ("age", "gender", "ethnicity")
FEW_IMAGES, FEW_CLUSTERS = 30, 10  # below either, a part is marked as small
MANY_AGES = 12  # different numbers of years above which ages are taken by decade


@dataclass(frozen=True)
class Facts:
    """What the manifest says of scored rows: all arrays are (n,) in their order.

    `clusters` is equal where rows belong together; `voters` float32 (n, classes), the annotators' shares, zeros where
    there were no votes; `parts` goes from dataset, age, gender, ethnicity to a word per row, "" where not published.
    """

    clusters: NDArray[np.int64]
    voters: NDArray[np.float32]
    parts: Mapping[str, NDArray[np.str_]]


def facts(manifest: Manifest, taxonomy: Taxonomy, where: NDArray[np.intp]) -> Facts:
    """Read what there is to know of the rows at `where`."""
    table = manifest.table("sample_id", "dataset", "group", "subject", "sequence", "votes", *PEOPLE)
    chosen = table.take(pa.array(where))
    parts = {
        name: np.asarray(pc.fill_null(chosen[name], "").to_pylist(), dtype=np.str_) for name in ("dataset", *PEOPLE)
    }
    parts["age"] = decades(parts["age"])
    return Facts(clusters(table)[where], voters(chosen, taxonomy), parts)


def clusters(table: pa.Table) -> NDArray[np.int64]:
    """Return a number per row, int64 (n,), equal where rows belong together.

    By `group`, which merge and group write: same picture, person or clip. In a manifest without, by the dataset's
    subject, else its clip, else each row by itself.
    """
    named = [
        pc.binary_join_element_wise(word, table["dataset"], pc.cast(table[column], pa.string()), ":")
        for word, column in (("person", "subject"), ("clip", "sequence"))
    ]
    group = pc.binary_join_element_wise("group", pc.cast(table["group"], pa.string()), ":")
    key = pc.coalesce(group, *named, table["sample_id"])
    codes = key.combine_chunks().dictionary_encode().indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)


def voters(table: pa.Table, taxonomy: Taxonomy) -> NDArray[np.float32]:
    """Return the share of each class among the annotators' votes for an emotion, float32 (n, classes).

    As they were cast: no vote is dropped as noise. Votes for unknown and for no face, and for an emotion without a
    class, count as none.
    """
    shares = np.zeros((len(table), len(taxonomy.classes)), np.float32)
    votes = table["votes"].combine_chunks()
    voted = np.flatnonzero(votes.is_valid().to_numpy(zero_copy_only=False))
    if not len(voted):
        return shares
    cast = votes.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(len(voted), -1)
    for emotion, name in taxonomy.mapping.items():
        shares[voted, taxonomy.classes.index(name)] += cast[:, EMOTIONS.index(emotion)]
    return np.asarray(shares / np.maximum(shares.sum(1, keepdims=True), 1), np.float32)


def decades(ages: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return ages by decade ("20-29") where they are many different numbers of years, and as they are elsewhere."""
    known = [age for age in np.unique(ages) if age]
    try:
        years = {age: int(float(age)) for age in known}
    except ValueError:
        return ages
    if len(known) <= MANY_AGES:
        return ages
    words = {"": "", **{age: f"{y // 10 * 10}-{y // 10 * 10 + 9}" for age, y in years.items()}}
    return np.asarray([words[age] for age in ages], dtype=np.str_)


def distance(
    probabilities: NDArray[np.float32], voters: NDArray[np.float32], clusters: NDArray[np.int64], draws: int
) -> dict[str, Any] | None:
    """Return the mean distance to the annotators' shares, with intervals; None where no row has votes.

    `baseline` is that of answering every row with the annotators' mean.
    """
    voted = voters.sum(1) > 0
    if not voted.any():
        return None
    own, shares = probabilities[voted], voters[voted]
    both = np.stack(metrics.voters_distance(own, shares), axis=1)
    always = np.broadcast_to(shares.mean(0), shares.shape)
    sums = confidence.by_cluster(sparse.csr_array(np.c_[np.ones(len(both)), both]), clusters[voted])
    drawn = confidence.resample(sums, draws)
    names = ("kl", "total_variation")
    plain = metrics.voters_distance(always, shares)
    return {
        "n": int(voted.sum()),
        **{name: float(both[:, i].mean()) for i, name in enumerate(names)},
        "intervals": {
            name: confidence.percentile(drawn[:, i + 1] / np.maximum(drawn[:, 0], 1)) for i, name in enumerate(names)
        },
        "baseline": {name: float(values.mean()) for name, values in zip(names, plain, strict=True)},
    }


def by(
    words: NDArray[np.str_],
    probabilities: NDArray[np.float32],
    true: NDArray[np.int64],
    clusters: NDArray[np.int64],
    draws: int,
) -> dict[str, dict[str, Any]]:
    """Return the headline figures of the rows of each word, with support and intervals; "" is left out.

    `small` marks fewer than FEW_IMAGES images or FEW_CLUSTERS clusters: too few to say anything of.
    """
    return {
        str(word): part(probabilities[words == word], true[words == word], clusters[words == word], draws)
        for word in np.unique(words)
        if word
    }


def part(
    probabilities: NDArray[np.float32], true: NDArray[np.int64], clusters: NDArray[np.int64], draws: int
) -> dict[str, Any]:
    """Return the headline figures of some rows, with support and intervals."""
    names = tuple(map(str, range(probabilities.shape[1])))
    whole = metrics.score(probabilities, true, names, clusters, draws)
    units = whole["bootstrap"]["units"]
    return {
        "n": whole["n"],
        "units": units,
        **{name: whole[name] for name in metrics.HEADLINES},
        "intervals": {name: whole["confidence_intervals"][name] for name in metrics.HEADLINES},
        "small": whole["n"] < FEW_IMAGES or units < FEW_CLUSTERS,
    }
