"""The figures of a league: each run's, what people reach on the same rows, and what is to be known of each run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ferdata.errors import listed
from zoo.data.rows import recorded
from zoo.evaluation import ceilings, confidence, metrics
from zoo.evaluation.caution import caution
from zoo.evaluation.inference import TTA
from zoo.evaluation.league import cost
from zoo.evaluation.league.judged import Judged, League
from zoo.evaluation.predictions import Predictions

VIEWS = dict(zip(TTA, (1, 2, 10), strict=True))


def people(league: League, rows: Predictions, draws: int) -> dict[str, Any] | None:
    """Return what the annotators of the judged rows reach (`zoo.evaluation.ceilings`); None where nobody voted."""
    voted = league.rows.manifest.table("votes", "pixel_hash")
    return ceilings.ceilings(voted, league.where, league.rows.taxonomy, rows.true, rows.clusters, draws)


def of_run(
    one: Judged, rows: Predictions, league: League, split: str, ceiling: Mapping[str, Any] | None, draws: int
) -> dict[str, Any]:
    """Return all that a league says of a run but its speed."""
    found = metrics.score(rows.probabilities, rows.true, rows.classes, rows.clusters, draws)
    found["protocol"] = {"split": split}
    found["baseline"] = {"majority_share": float(np.bincount(rows.true).max() / len(rows))}
    found["ceilings"] = ceiling
    spread = {name: found["confidence_intervals"][name] for name in metrics.HEADLINES}
    meta, net = one.meta, one.net
    return {
        "run": str(one.path),
        "backbone": None if meta is None else meta.backbone,
        "trained_elsewhere": one.foreign,
        "n": found["n"],
        **{name: found[name] for name in (*metrics.HEADLINES, "ece", "log_loss")},
        "intervals": spread | found["calibration_intervals"],
        "per_class": found["per_class"],
        "confusion": found["confusion"],
        "never_answered": {name: found["per_class"][name]["n"] for name in one.lacking},
        "able": able(rows, one.lacking, draws),
        "above_ceiling": ceilings.above(found),
        "parameters": None if meta is None or net is None else cost.parameters(one.path, net, meta),
        "bytes": None if meta is None else cost.size(one.path, meta),
        "size": None if meta is None else meta.size,
        "channels": None if meta is None else meta.channels,
        "views": None if meta is None else VIEWS[meta.tta],
        "leak": dict(one.leak),
        "classes_read": dict(one.read),
        "terms": cost.terms(one.path, meta),
        "marks": list(_marks(one, league, found)),
    }


def able(rows: Predictions, lacking: Sequence[str], draws: int) -> dict[str, Any]:
    """Return the accuracy on the rows whose class a run can answer: all of them, where it `lacks` no class."""
    known = np.flatnonzero(~np.isin(rows.true, [rows.classes.index(name) for name in lacking]))
    right = (rows.probabilities.argmax(1) == rows.true)[known]
    share = float(right.mean()) if len(known) else None
    return {"n": len(known), "accuracy": share, "interval": _interval(right, share, rows.clusters[known], draws)}


def _interval(
    right: NDArray[np.bool_], share: float | None, clusters: NDArray[np.int64], draws: int
) -> list[float] | None:
    if share is None:
        return None
    sums = confidence.by_cluster(sparse.csr_array(np.c_[np.ones(len(right)), right]), clusters)
    drawn = confidence.resample(sums, draws)
    return confidence.of_share(drawn[:, 1] / np.maximum(drawn[:, 0], 1), share, sums.shape[0])


def _marks(one: Judged, league: League, found: Mapping[str, Any]) -> list[str]:
    """Return, in words, what keeps a run's figures from being taken at their word beside the others'."""
    told = [*_leak(one, league), *_classes(one, found)]
    if one.meta is not None and (own := _cut(one.meta.alignment)) != (here := _cut(recorded(league.rows.manifest))):
        told.append(f"it expects faces {own}; these are {here}")
    if caution(found):
        told.append("not shown to be better than the majority-class baseline")
    if above := ceilings.above(found):
        told.append(f"ABOVE WHAT VOTERS ALLOW: {above[:1].lower()}{above[1:].rstrip('?')}")
    return told


def _leak(one: Judged, league: League) -> list[str]:
    if one.foreign:
        return ["trained elsewhere: what it was trained on is not known, so that a leak cannot be excluded"]
    seen = one.leak["shared_with_train"]
    if seen is None:
        return [f"whether it was trained on these images is not known ({one.leak['by']})"]
    return [f"LEAK: {seen:,} of the {league.asked:,} images, or copies of them, are in its train"] if seen else []


def _classes(one: Judged, found: Mapping[str, Any]) -> list[str]:
    """Return how a run's classes became the manifest's."""
    told = []
    columns: Mapping[str, str] = one.read.get("columns", {})
    if renamed := [f"{column} as {name}" for column, name in columns.items() if column != name]:
        told.append(f"classes read: {listed(renamed, 12)}")
    if left := one.read.get("left_out"):
        share = listed(f"{name} ({mean:.2%} of the probability)" for name, mean in left.items())
        most = one.read["left_out_most_probable"]
        told.append(f"{share}: no class here, the most probable in {most:,} rows; the others are divided by their sum")
    unable = {name: found["per_class"][name]["n"] for name in one.lacking}
    if any(unable.values()):
        words = listed(f"{name} ({n:,} images)" for name, n in unable.items() if n)
        told.append(f"it cannot answer {words}, which count as wrong")
    return told


def _cut(how: Mapping[str, Any] | None) -> str:
    if how is None:
        return "as published"
    if "mixed" in how:
        return "cut in several ways"
    return f"cut by {how.get('template')}, margin {how.get('margin', 0):g}"
