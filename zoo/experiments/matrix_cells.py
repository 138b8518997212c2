"""The figures of a matrix: each cell, each row at home and abroad, the best of each test, and what adding a set gains.

A cell is the mean over seeds, on the rows of its test whose class its train has too; the most probable of these classes
alone is the net's answer. Its interval is the bootstrap's over images, or over what belongs together (one person,
one clip), on the same draws for every seed; how seeds scatter is beside it. Means over tests are of the same draws. Two
rows are compared on one test, over the classes that all rows of that column have, by `ablation.against`, which asks for
a difference over seeds and over images; what is compared together is corrected by Holm's rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from zoo.evaluation import confidence, metrics
from zoo.evaluation.compare import confusion_cells
from zoo.evaluation.predictions import Predictions
from zoo.experiments import answers
from zoo.experiments.ablation import DRAWS, against, interval_over_seeds
from zoo.experiments.matrix_also import beside
from zoo.experiments.matrix_plan import Plan, Row, common

Floats = NDArray[np.float64]
Scored = Mapping[str, Sequence[Mapping[str, Predictions]]]  # row -> seeds -> test -> what the run said of it


@dataclass(frozen=True)
class Cell:
    """A row's nets on a test: what is written of it, and its bootstrap draws; no draws where nothing can be scored.

    `accuracy` (draws,); `recall` has (draws,) of each class.
    """

    row: Row
    test: str
    told: dict[str, Any]
    accuracy: Floats | None = None
    recall: Mapping[str, Floats] | None = None

    @property
    def home(self) -> bool:
        """Whether the test is of a dataset that was trained on."""
        return self.test in self.row.datasets


def summary(plan: Plan, scored: Scored, seeds: Sequence[int]) -> dict[str, Any]:
    """Return all that `matrix.json` says of the runs, but the answer in words."""
    cells = {
        (row.name, test): cell(
            row,
            test,
            classes,
            [one[test] for one in scored[row.name]],
            [None] if row in plan.also else seeds,
            column,
            plan,
        )
        for row in (*plan.rows, *plan.also)
        for column, (test, classes) in enumerate(plan.tests.items())
    }
    rows = [of_row(row, [cells[row.name, test] for test in plan.tests]) for row in plan.rows]
    rows += [of_row(row, []) | {"elsewhere": True, "classes": []} for row in plan.also]
    return {
        "cells": [one.told for one in cells.values()],
        "rows": rows,
        "tests": [best(plan, scored, test) for test in plan.tests],
        "gains": gains(plan, scored),
        "seeds": len(seeds),
        "facts": {name: asdict(found) for name, found in plan.facts.items()},
        "notes": list(plan.notes),
        "leak": sum(plan.leaks.values()),
    }


def over(rows: Predictions, classes: Sequence[str]) -> Predictions:
    """Return the rows of the given classes, with the probabilities of these alone, as shares of their sum."""
    kept = np.array([rows.classes.index(name) for name in classes], np.intp)
    place = np.full(len(rows.classes), -1)
    place[kept] = np.arange(len(kept))
    few = rows.at(np.flatnonzero(place[rows.true] >= 0))
    p = few.probabilities[:, kept]
    p = p / np.maximum(p.sum(1, keepdims=True), np.finfo(np.float32).tiny)
    return replace(few, true=place[few.true], probabilities=p, classes=tuple(classes))


def cell(
    row: Row,
    test: str,
    test_classes: Sequence[str],
    runs: Sequence[Predictions],
    seeds: Sequence[int | None],
    column: int,
    plan: Plan,
) -> Cell:
    """Return a cell from the predictions of each seed's run on the test; `column` seeds its draws.

    A run that was trained elsewhere has no seed that is known: None.
    """
    classes = common(row, test_classes)
    told: dict[str, Any] = {"train": row.name, "test": test, "classes": classes, "n": 0}
    told |= {"accuracy": None, "interval": None, "macro_f1": None, "seeds": len(seeds)}
    told |= {"home": test in row.datasets, "leak": plan.leaks.get((row.name, test), 0)}
    if len(classes) < 2:
        return Cell(row, test, told | {"why": f"{len(classes)} class that both have"})
    chosen = [over(one, classes) for one in runs]
    count, width = len(chosen[0]), len(classes)
    sums = confidence.by_cluster(
        sparse.csr_array(sparse.hstack([confusion_cells(one) for one in chosen], format="csr")), chosen[0].clusters
    )
    drawn = np.concatenate([np.asarray(sums.sum(0))[None], confidence.resample(sums, DRAWS, column)])
    matrices = drawn.reshape(len(drawn), len(chosen), width, width)
    figures = {name: values.mean(1) for name, values in metrics.headlines(matrices).items()}
    with np.errstate(invalid="ignore"):
        recall = metrics.by_class(matrices)["recall"].mean(1)  # (1 + draws, classes)
    single = metrics.headlines(matrices[0])
    accuracy, units = float(figures["accuracy"][0]), sums.shape[0]
    told |= {
        **{"n": count, "units": units, "unit": metrics.unit(units, count)},
        **{"accuracy": accuracy, "interval": confidence.of_share(figures["accuracy"][1:], accuracy, units)},
        "over_seeds": interval_over_seeds(single["accuracy"].tolist(), count),
        "macro_f1": float(figures["macro_f1"][0]),
        "macro_f1_interval": confidence.of_mean(figures["macro_f1"][1:]),
        "recall": {name: float(recall[0, c]) for c, name in enumerate(classes)},
        "runs": [
            {"seed": seed, **{name: float(single[name][i]) for name in metrics.HEADLINES}}
            for i, seed in enumerate(seeds)
        ],
    }
    return Cell(row, test, told, figures["accuracy"], {name: recall[:, c] for c, name in enumerate(classes)})


def of_row(row: Row, cells: Sequence[Cell]) -> dict[str, Any]:
    """Return a row at home and abroad: accuracy, the drop between them, and the recall of each class."""
    sides = {home: [one for one in cells if one.home == home and one.accuracy is not None] for home in (True, False)}
    at_home, abroad = (
        _mean([one.accuracy for one in sides[home] if one.accuracy is not None]) for home in (True, False)
    )
    return {
        "train": row.name,
        "elsewhere": False,
        "datasets": list(row.datasets),
        "images": row.images,
        "home": _told(at_home),
        "abroad": _told(abroad),
        "abroad_tests": [one.test for one in sides[False]],
        "drop": _told(None if at_home is None or abroad is None else at_home - abroad),
        "classes": [_travelled(name, sides) for name in row.classes],
    }


def _travelled(name: str, sides: Mapping[bool, Sequence[Cell]]) -> dict[str, Any]:
    """Return a class's recall at home and abroad, each the mean over the tests that have it, and the drop."""
    at_home, abroad = (
        _mean([one.recall[name] for one in sides[home] if one.recall and name in one.recall]) for home in (True, False)
    )
    drop = None if at_home is None or abroad is None else at_home - abroad
    return {"class": name, "home": _told(at_home), "abroad": _told(abroad), "drop": _told(drop)}


def _mean(values: Sequence[Floats]) -> Floats | None:
    """Return the mean over tests, draw by draw, the first being the figure itself."""
    return np.mean(values, axis=0) if values else None


def _told(values: Floats | None) -> dict[str, Any] | None:
    """Return a figure and its interval."""
    if values is None:
        return None
    return {"mean": float(values[0]), "interval": confidence.of_mean(values[1:])}


def best(plan: Plan, scored: Scored, test: str) -> dict[str, Any]:
    """Return a test's rows from the best to the worst, over the classes that all of them have, and whether it is.

    Runs that were trained elsewhere are no answer to what to train on, and stand apart, in `also`: those that can
    answer all of these classes.
    """
    able = [row for row in plan.rows if len(common(row, plan.tests[test])) > 1]
    classes = [name for name in plan.tests[test] if all(name in row.classes for row in able)]
    if len(classes) < 2 or not able:
        return {"test": test, "classes": classes, "rows": [], "also": []}
    runs = {row.name: [over(one[test], classes) for one in scored[row.name]] for row in able}
    figures = {name: _accuracies(each) for name, each in runs.items()}
    order = sorted(able, key=lambda row: -float(np.mean(figures[row.name])))
    told: list[dict[str, Any]] = [
        {"train": row.name, "home": test in row.datasets, "accuracy": float(np.mean(figures[row.name]))}
        for row in order
    ]
    first = order[0].name
    for line in told[1:]:
        line["best_over_it"] = _against(runs[line["train"]], runs[first])
    holm([line["best_over_it"] for line in told[1:]])
    others = [row for row in plan.also if set(classes) <= set(row.classes)]
    return {
        **{"test": test, "classes": classes, "n": len(runs[first][0]), "rows": told},
        "also": [_also(row, over(scored[row.name][0][test], classes), runs[first]) for row in others],
    }


def _also(row: Row, answers: Predictions, best: Sequence[Predictions]) -> dict[str, Any]:
    """Return what a run that was trained elsewhere reaches on a test, and what the best row has over it."""
    return {"train": row.name, "accuracy": _accuracies([answers])[0], "best_over_it": beside(best, answers)}


def gains(plan: Plan, scored: Scored) -> list[dict[str, Any]]:
    """Return what each row of several sets has over each of them alone, on every test, corrected for their number."""
    found = []
    for row in (row for row in plan.rows if row.added):
        for alone in (one for one in plan.rows if len(one.datasets) == 1 and one.datasets[0] in row.datasets):
            for test, test_classes in plan.tests.items():
                classes = [name for name in common(alone, test_classes) if name in row.classes]
                if len(classes) < 2:
                    continue
                pair = ([over(one[test], classes) for one in scored[which.name]] for which in (alone, row))
                told = {"train": row.name, "over": alone.name, "test": test, "classes": classes}
                found.append(told | _against(*pair))
    holm(found)
    return found


def _against(old: Sequence[Predictions], new: Sequence[Predictions]) -> dict[str, Any]:
    """Return the difference of the accuracy of two rows' runs on the same test rows."""
    lines = [[{"accuracy": value} for value in _accuracies(each)] for each in (old, new)]
    return against(lines[0], lines[1], old, new, "accuracy")


def _accuracies(runs: Sequence[Predictions]) -> list[float]:
    return [float((one.probabilities.argmax(1) == one.true).mean()) for one in runs]


def holm(found: Sequence[dict[str, Any]]) -> None:
    """Add to each comparison its p after Holm's correction, and whether the difference is real."""
    for one, p in zip(found, confidence.holm([one["p"] for one in found]), strict=True):
        one["p_corrected"] = p
        one["real"] = answers.is_real(one)
