"""Runs side by side on the same test rows: is the difference real, or would other faces have turned it round?"""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ferdata.charts import style
from ferdata.errors import BadOption, choose_one
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS
from zoo.evaluation import charts, confidence, metrics
from zoo.evaluation.league import chart, figures, files, speed
from zoo.evaluation.league.judged import League, judge
from zoo.evaluation.paired_tests import exact_mcnemar, sign_flips
from zoo.evaluation.predictions import Predictions
from zoo.evaluation.same_rows import Scored, aligned, read_all

ALPHA = 1 - confidence.LEVEL


def compare(
    runs: Sequence[str | Path],
    split: str = "test",
    by: str = "accuracy",
    bootstrap: int = 2000,
    shared: bool = False,
    plot: str | Path | None = None,
    on: str | Path | None = None,
    dataset: str | None = None,
    out: Sequence[str | Path] = (),
    device: str = "auto",
    roots: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Compare the runs, each with each, on the rows of a split, and say in a sentence whether they differ.

    A run is its folder, of one training or of folds, or a Parquet file of `ferdata evaluate --save-predictions`; or a
    table of a model trained elsewhere, as `evaluate` takes it, beside a run that says which manifest it is of.
    Nothing is computed anew: their `predictions.parquet` are read. `by` is the figure that is decided on. All must be
    scored on the same rows, with the same targets and classes in the same order; `shared` keeps to the rows that all
    of them have. Returns `runs`, a row of figures each; `pairs`, the tests; `answer`, the sentence.

    With a manifest `on`, every run is judged anew on the split of that, ours and adopted ones, whatever they were
    trained on, and their answers brought to its classes: a league. The best by `by` comes first; each row then has the
    recall by class, what the run weighs, how fast it is here, its terms, and `able`, the accuracy on the classes that
    it can answer. `people` is what annotators reach on the same rows. `dataset` keeps to one dataset, `device` says
    where to compute, `out` are files to write: Markdown (.md), LaTeX (.tex) or CSV. One run will do.

    A pair is tested by McNemar's exact test (McNemar 1947), and a bootstrap of the paired difference over `bootstrap`
    draws of images, or of what belongs together. With more than two runs the p-values are Holm's. The differences are
    drawn to `plot`, a PNG, SVG or PDF; of a league, accuracy against milliseconds an image. Raises BadOption,
    CannotWrite, and BrokenRun for a run without predictions.
    """
    _check(runs, split, by, plot, on, out)
    paths = [Path(run) for run in runs]
    if on is not None:
        league = judge(paths, Manifest(Path(on)), split, dataset, shared, device, roots)
        return _league(league, split, by, bootstrap, plot, out)
    if dataset is not None:
        raise BadOption(f"--dataset {dataset}: of stored predictions all are compared.", "Name a manifest with --on.")
    scored = aligned(read_all(paths, split), shared)
    scored = [Scored(one.name, one.rows, one.report, _marks(one, scored)) for one in scored]
    made = _tested(scored, split, by, bootstrap)
    made["runs"] = [_row(one, bootstrap) for one in scored]
    if plot is not None:
        style.write_file(Path(plot), _chart(made["pairs"], f"{split}, n = {made['n']:,}", by))
    return made


def _check(
    runs: Sequence[str | Path],
    split: str,
    by: str,
    plot: str | Path | None,
    on: str | Path | None,
    out: Sequence[str | Path],
) -> None:
    """Raise BadOption, before the work, for what cannot be asked for."""
    if plot is not None:
        style.format_of(Path(plot))
    for path in out:
        files.format_of(Path(path))
    if out and on is None:
        raise BadOption("--out is for a league.", "Name the manifest that all runs are judged on: --on M.")
    if by not in metrics.HEADLINES:
        raise BadOption(f"--by cannot be {by!r}.", choose_one(by, metrics.HEADLINES))
    if split not in (*SPLITS, "all"):
        raise BadOption(f"There is no split {split!r}.", choose_one(split, (*SPLITS, "all")))
    if len(runs) < (2 if on is None else 1):
        raise BadOption(f"{len(runs)} run is not enough to compare.", "Name two runs or more.")


def _tested(scored: Sequence[Scored], split: str, by: str, bootstrap: int) -> dict[str, Any]:
    """Return what is said of runs on the same rows: how many there are, the tests of each pair, and the answer."""
    pairs = [_pair(a, b, by, bootstrap) for a, b in itertools.combinations(scored, 2)]
    for pair, p in zip(pairs, confidence.holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_corrected"] = p
        pair["real"] = p < ALPHA and not _holds_zero(pair["interval"])
    rows = scored[0].rows
    units = len(np.unique(rows.clusters))
    return {
        "split": split,
        "by": by,
        "n": len(rows),
        "units": units,
        "unit": metrics.unit(units, len(rows)),
        "runs": [],
        "pairs": pairs,
        "correction": "holm" if len(pairs) > 1 else None,
        "answer": _answer(scored, pairs, by) if pairs else "",
    }


def _league(
    league: League, split: str, by: str, bootstrap: int, plot: str | Path | None, out: Sequence[str | Path]
) -> dict[str, Any]:
    """Return what a league says of its runs, the best first, and write its files."""
    rows = league.predictions(split)
    people = figures.people(league, rows[0], bootstrap)
    told = [
        figures.of_run(one, answers, league, split, people, bootstrap)
        for one, answers in zip(league.runs, rows, strict=True)
    ]
    speeds, how = speed.of_league(league)
    for row, found in zip(told, speeds, strict=True):
        row["speed"] = found
    order = sorted(range(len(told)), key=lambda i: -told[i][by])
    scored = [Scored(told[i]["run"], rows[i], {}, tuple(told[i]["marks"])) for i in order]
    manifest = league.rows.manifest
    made = _tested(scored, split, by, bootstrap) | {
        "runs": [told[i] for i in order],
        "manifest": str(manifest.path),
        "fingerprint": manifest.fingerprint,
        "datasets": sorted(set(rows[0].dataset.tolist())),
        "classes": list(rows[0].classes),
        "majority_share": float(np.bincount(rows[0].true).max() / len(rows[0])),
        "people": people,
        "speed": how,
    }
    for path in out:
        files.write(Path(path), made)
    if plot is not None:
        style.write_file(Path(plot), partial(chart.against_time, made))
    return made


def _chart(pairs: Sequence[dict[str, Any]], where: str, by: str) -> style.Chart:
    """Return the chart of the differences."""
    label = f"difference of {metrics.CALLED[by]}, points, with its 95 % interval"
    return partial(charts.differences, pairs, f"Runs in pairs: {where}", label)


def _marks(one: Scored, scored: Sequence[Scored]) -> tuple[str, ...]:
    """Return, in words, what keeps a run's figures from being taken at their word beside the others'."""
    marks, protocol = [], one.report.get("protocol", {})
    if "elsewhere" in one.rows.facts:
        marks.append("trained elsewhere: what it was trained on is not known, so that a leak cannot be excluded")
    elif not one.report:
        marks.append("no report: whether its test leaked is not known")
    leak = protocol.get("leak_check") or {}
    if leak.get("test_in_train"):
        marks.append(f"LEAK: {leak['test_in_train']:,} test images have duplicates in train")
    if leak.get("val_in_train"):
        marks.append(f"{leak['val_in_train']:,} val images have duplicates in train")
    if one.report.get("caution"):
        marks.append("not shown to be better than the majority-class baseline")
    ways = {other.report["protocol"].get("selection") for other in scored if "protocol" in other.report}
    if len(ways) > 1:
        marks.append(f"chosen by {protocol.get('selection', 'what is not recorded')}")
    prints = {str(other.rows.facts.get("fingerprint")) for other in scored}
    if len(prints) > 1:
        marks.append(f"another manifest ({str(one.rows.facts.get('fingerprint'))[:8]})")
    return tuple(marks)


def _row(one: Scored, bootstrap: int) -> dict[str, Any]:
    """Return a run's line of the table."""
    rows = one.rows
    figures = metrics.score(rows.probabilities, rows.true, rows.classes, rows.clusters, bootstrap)
    return {
        "run": one.name,
        "backbone": one.report.get("backbone"),
        "parameters": one.report.get("parameters"),
        **{name: figures[name] for name in (*metrics.HEADLINES, "ece", "log_loss")},
        "intervals": {name: figures["confidence_intervals"][name] for name in metrics.HEADLINES},
        "marks": list(one.marks),
    }


def _pair(a: Scored, b: Scored, by: str, bootstrap: int) -> dict[str, Any]:
    """Return the tests of run `b` against run `a`."""
    gain = gained(a.rows, b.rows)
    only = [int((gain < 0).sum()), int((gain > 0).sum())]
    difference, drawn = paired([a.rows], [b.rows], by, bootstrap)
    together = len(np.unique(a.rows.clusters)) < len(a.rows)
    # Where images belong together, or another figure is asked for, McNemar's test does not answer the question.
    by_image = by == "accuracy" and not together
    mcnemar = exact_mcnemar(*only)
    p = mcnemar if by_image else sign_flips(gain, a.rows.clusters) if by == "accuracy" else two_sided(drawn)
    return {
        "a": a.name,
        "b": b.name,
        "difference": difference,
        "interval": confidence.of_difference(drawn),
        "only_a_right": only[0],
        "only_b_right": only[1],
        "mcnemar_p": mcnemar,
        "p": p,
        "test": "McNemar, exact" if by_image else "sign flips of groups" if by == "accuracy" else "bootstrap",
    }


def gained(a: Predictions, b: Predictions) -> NDArray[np.int64]:
    """Return 1 for each row that only `b` has right, -1 for one that only `a` has, else 0, int64 (n,)."""
    first, second = ((one.probabilities.argmax(1) == one.true).astype(np.int64) for one in (a, b))
    return np.asarray(second - first)


def paired(
    a: Sequence[Predictions], b: Sequence[Predictions], by: str, draws: int, seed: int = 0
) -> tuple[float, NDArray[np.float64]]:
    """Return how much better `b` is than `a` by the figure `by`, and that of each bootstrap draw (draws,).

    Each side is one or more runs on the same rows in the same order (seeds, say), whose figures are averaged. A draw
    takes the same clusters for every run, so that what is hard for all cancels out.
    """
    count = len(a[0].classes)
    cells = [confusion_cells(one) for one in (*a, *b)]
    sums = confidence.by_cluster(sparse.csr_array(sparse.hstack(cells, format="csr")), a[0].clusters)
    whole = np.asarray(sums.sum(0))[None]
    drawn = np.concatenate([whole, confidence.resample(sums, draws, seed)])
    figures = metrics.headlines(drawn.reshape(len(drawn), len(cells), count, count))[by]
    gain = figures[:, len(a) :].mean(1) - figures[:, : len(a)].mean(1)
    return float(gain[0]), gain[1:]


def confusion_cells(rows: Predictions) -> sparse.csr_array:
    """Return the cell of the confusion matrix that each row is in, one-hot (n, classes^2)."""
    n, count = rows.probabilities.shape
    cell = rows.true * count + rows.probabilities.argmax(1)
    return sparse.csr_array((np.ones(n), cell, np.arange(n + 1)), shape=(n, count * count))


def two_sided(drawn: NDArray[np.float64]) -> float:
    """Return the two-sided p of no difference from bootstrap draws of it: twice the share on the smaller side of 0."""
    below, above = (int((side >= 0).sum()) for side in (-drawn, drawn))
    return min(1.0, 2 * (min(below, above) + 1) / (len(drawn) + 1))


def _holds_zero(interval: list[float] | None) -> bool:
    return interval is None or interval[0] <= 0 <= interval[1]


def points(difference: float) -> str:
    """Return a difference of shares in points, such as +0.42."""
    return f"{100 * difference:+.2f}"


def between(interval: Sequence[float] | None) -> str:
    """Return an interval of differences in points, such as -0.10 to +0.42; "no interval" where there is none."""
    return "no interval" if interval is None else f"{points(interval[0])} to {points(interval[1])}"


def _answer(scored: Sequence[Scored], pairs: Sequence[dict[str, Any]], by: str) -> str:
    """Return one plain sentence on whether the differences are real."""
    leaked = [one.name for one in scored if any("LEAK" in mark for mark in one.marks)]
    but = f" But the test of {', '.join(leaked)} leaked, so that this settles nothing." if leaked else ""
    if len(pairs) == 1:
        return _of_pair(pairs[0], by, len(scored[0].rows)) + but
    real = [pair for pair in pairs if pair["real"]]
    if not real:
        return (
            f"None of the {len(pairs)} differences in {metrics.CALLED[by]} is shown to be real on these "
            f"{len(scored[0].rows):,} images.{but}"
        )
    proven = "; ".join(
        f"{better} over {worse} by {points(abs(pair['difference']))[1:]} points"
        for pair in real
        for better, worse in [(pair["b"], pair["a"]) if pair["difference"] > 0 else (pair["a"], pair["b"])]
    )
    rest = len(pairs) - len(real)
    others = f" The other {rest} may be chance." if rest else ""
    return f"Real in {metrics.CALLED[by]}, after Holm's correction for {len(pairs)} pairs: {proven}.{others}{but}"


def _of_pair(pair: dict[str, Any], by: str, n: int) -> str:
    a, b, interval, p = pair["a"], pair["b"], between(pair["interval"]), pair["p_corrected"]
    size, figure = points(pair["difference"]), metrics.CALLED[by]
    if pair["interval"] is None:
        return f"No: {b} and {a} have equal {figure}, whichever of these {n:,} images are drawn: no interval."
    if pair["real"]:
        verdict = "better" if pair["difference"] > 0 else "worse"
        return (
            f"Yes: {b} is {verdict} than {a}, {size} points of {figure} "
            f"({interval}, p = {p:.2g}): "
            "these two nets, that is; other seeds may do otherwise."
        )
    return (
        f"No: {size} points of {figure} of {b} over {a} may be chance; on these {n:,} images anything from "
        f"{interval} would fit (p = {p:.2g})."
    )
