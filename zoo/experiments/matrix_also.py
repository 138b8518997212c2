"""Rows of a matrix that nothing is trained for: runs that are there already, ours or adopted, on every test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from zoo.evaluation import confidence
from zoo.evaluation.charts import name_of
from zoo.evaluation.compare import paired
from zoo.evaluation.league.judged import judge
from zoo.evaluation.predictions import Predictions
from zoo.experiments.ablation import DRAWS
from zoo.experiments.matrix_plan import Row

TEST = "test"


@dataclass(frozen=True)
class Also:
    """The further rows, what each says of every test, and how many images of a test are in its train.

    `leaks` lacks what is not known, as of an adopted run; `unknown` are the rows of which it is not for some test.
    """

    rows: tuple[Row, ...]
    answers: Mapping[str, Mapping[str, Predictions]]
    leaks: Mapping[tuple[str, str], int]
    unknown: tuple[str, ...]


def also(
    runs: Sequence[str | Path],
    manifest: Manifest,
    tests: Sequence[str],
    taken: Sequence[str],
    device: str,
    roots: Mapping[str, Path] | None,
) -> Also:
    """Score finished runs on the test of every dataset; `taken` are names that other rows have.

    Raises BadOption for a run that is named twice, and what `zoo.evaluation.league.judged.judge` raises.
    """
    paths = [Path(run) for run in runs]
    names = _names(paths, taken)
    answers: dict[str, dict[str, Predictions]] = {name: {} for name in names}
    leaks, lacking, unknown = {}, {name: set[str]() for name in names}, dict[str, None]()
    for test in tests if paths else ():
        league = judge(paths, manifest, TEST, test, False, device, roots)
        for name, one, rows in zip(names, league.runs, league.predictions(TEST), strict=True):
            answers[name][test] = rows.at(np.argsort(rows.sample_id, kind="stable"))
            lacking[name].update(one.lacking)
            seen = one.leak.get("shared_with_train")
            if seen:
                leaks[name, test] = seen
            if seen is None:
                unknown[name] = None
    classes = manifest.taxonomy.classes
    rows_ = tuple(Row(name, (), classes=tuple(c for c in classes if c not in lacking[name])) for name in names)
    return Also(rows_, answers, leaks, tuple(unknown))


def _names(paths: Sequence[Path], taken: Sequence[str]) -> list[str]:
    """Return what the rows are called: the run's folder, or its whole path where something else is called so."""
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise BadOption(f"--also {twice[0]} is given twice.", "Name it once.")
    short = [name_of(path) for path in paths]
    return [
        str(path) if name in taken or short.count(name) > 1 else name for path, name in zip(paths, short, strict=True)
    ]


def beside(best: Sequence[Predictions], one: Predictions) -> dict[str, Any]:
    """Return how much better the best row of a test is than a run, with the interval over images.

    Over seeds nothing can be said: of the run there is one.
    """
    difference, drawn = paired([one], best, "accuracy", DRAWS)
    return {"difference": difference, "over_images": confidence.of_difference(drawn)}
