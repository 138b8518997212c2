"""Does an option matter? Each value trained with several seeds, and an answer that says no more than they show."""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from ferdata.charts import style
from ferdata.charts.style import check_formats
from ferdata.errors import BadOption, choose_one
from ferdata.running.whole_file import write_whole
from zoo.evaluation import charts, confidence, metrics, predictions
from zoo.evaluation.compare import gained, paired, two_sided
from zoo.evaluation.paired_tests import sign_flips
from zoo.evaluation.predictions import Predictions
from zoo.evaluation.report import as_json
from zoo.experiments import answers, run_or_reuse
from zoo.options.options import refuse_idle
from zoo.options.recipes import parse_set
from zoo.training import resolve

DRAWS = 2000
FLIPS = 1 << 14  # of signs: all there are, of up to 14 seeds
# What ablate sets itself, or nobody varies.
OWN = ("seed", "time_limit", "manifest", "allow_leak", "allow_scale", "trust_files")


@dataclass(frozen=True)
class Ablation:
    """A finished ablation: its folder, and what its `ablation.json` says."""

    path: Path
    report: dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One choice of values: what it is called, and its options."""

    name: str
    options: Mapping[str, Any]


def ablate(
    manifest: str | Path,
    over: Sequence[str],
    seeds: int = 3,
    budget: float | None = None,
    recipe: str = "default",
    options: run_or_reuse.Options = (),
    by: str = "accuracy",
    out: str | Path | None = None,
    force: bool = False,
    plots: Sequence[str] = (),
    roots: Mapping[str, Path] | None = None,
    say: Callable[[str], None] | None = None,
) -> Ablation:
    """Train every value of `over` with as many `seeds`, and tell whether any is better than the first.

    `over` has lines such as "augment=none,light,strong", of any option; several make a grid, whose first cell has the
    first value of each. `budget` is the time for each training, in seconds; `recipe` and `options` are those of all.
    Each run chooses its epoch on val and is scored on test once; the best cell is named by val. `by` is the figure
    that is decided on. The same call goes on where it was stopped, and keeps what is finished.

    Writes `ablation.json`, `ablation.md` and `ablation.png` to `out`, with a run below it for each cell and seed, and
    the chart in the formats `plots`, pdf or svg, too.
    Raises BadOption for an `over` that cannot be, AlreadyExists for runs of other options, unless `force`.
    """
    if by not in metrics.HEADLINES:
        raise BadOption(f"--by cannot be {by!r}.", choose_one(by, metrics.HEADLINES))
    if seeds < 1:
        raise BadOption(f"--seeds is {seeds}.", "Give 3 or more: one run cannot tell an effect from noise.")
    check_formats(plots)
    given = parse_set(options)
    cells = grid(over, given)
    asked = without_idle([{**given, **cell.options} for cell in cells], recipe)
    folder = Path(out or f"runs/{Path(manifest).stem}-over-{'-'.join(cells[0].options)}")
    tell = say or (lambda _: None)
    time = "" if budget is None else f" of at most {budget:,.0f} s, {len(cells) * seeds * budget / 60:,.0f} min in all"
    tell(f"{len(cells)} cells x {seeds} seeds: {len(cells) * seeds} trainings{time}")
    first_seed = int(given.get("seed", 0))
    runs: dict[str, list[dict[str, Any]]] = {cell.name: [] for cell in cells}
    # Seed by seed, so that stopping early leaves every cell with equally many.
    plan = list(itertools.product(range(first_seed, first_seed + seeds), zip(cells, asked, strict=True)))
    for done, (seed, (cell, wanted)) in enumerate(plan):
        named = {"seed": seed, "time_limit": budget}
        place = folder / _folder_name(cell.name) / f"seed-{seed}"
        try:
            run, kept = run_or_reuse.once(Path(manifest), place, recipe, wanted, named, force, roots, say)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{done} of {len(plan)} trainings are finished; the same command goes on."
            ) from None
        runs[cell.name].append(line(run.path, run.report, seed))
        figure = f"{metrics.CALLED[by]} {run.report[by]:.2%}"
        tell(f"{cell.name}, seed {seed} ({done + 1} of {len(plan)}){', kept' if kept else ''}: {figure}")
    scored = {name: [of_test(Path(run["run"])) for run in each] for name, each in runs.items()}
    report = summary(cells, runs, scored, by)
    report |= {"manifest": str(manifest), "budget": budget, "recipe": recipe, "options": dict(given)}
    write(folder, report, plots)
    return Ablation(folder, report)


def grid(over: Sequence[str], given: Mapping[str, Any]) -> list[Cell]:
    """Return the cells of `over`, the first values first. Raises BadOption for what cannot be varied."""
    axes: dict[str, list[tuple[str, Any]]] = {}
    for item in over:
        name, equals, words = item.partition("=")
        key = run_or_reuse.key_of(name)
        # A list's own commas are kept where semicolons part the values: head_widths=512,256;128
        values = [word.strip() for word in words.split(";" if ";" in words else ",") if word.strip()]
        if not equals or len(set(values)) < 2 or len(set(values)) < len(values):
            raise BadOption(
                f"--over {item} does not vary.", "Give two different values or more: --over augment=none,light"
            )
        if key in OWN or key in axes or key in given:
            why = "is set by ablate itself" if key in OWN else "is given twice"
            raise BadOption(f"--over {key}: it {why}.", "Vary another option, or leave the other one out.")
        own = name.strip().replace("-", "_")
        axes[key] = [(f"{own}={word}", parse_set([f"{own}={word}"])[key]) for word in values]
    if not axes:
        raise BadOption("There is nothing to vary.", "Give --over, such as --over augment=none,light,strong")
    return [
        Cell(
            ", ".join(words for words, _ in chosen),
            {key: value for key, (_, value) in zip(axes, chosen, strict=True)},
        )
        for chosen in itertools.product(*axes.values())
    ]


def without_idle(cells: Sequence[Mapping[str, Any]], recipe: str) -> list[dict[str, Any]]:
    """Return the options of each cell without those that do nothing in it, as a focal loss's do beside another loss.

    Raises BadOption for one that does nothing in any cell.
    """
    configs = [resolve.combine("", recipe, options, {}) for options in cells]
    found = [resolve.idle(config, options) for config, options in zip(configs, cells, strict=True)]
    each = list(zip(configs, cells, found, strict=True))
    working = {key for config, options, no in each for key in options if getattr(config, key) and key not in no}
    for no in found:
        refuse_idle({key: needed for key, needed in no.items() if key not in working})
    return [{key: value for key, value in options.items() if key not in no} for _, options, no in each]


def _folder_name(name: str) -> str:
    """Return a cell's name as a folder's."""
    return re.sub(r"[^\w.=+-]+", "_", name)


def line(path: Path, report: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return what is kept of one run."""
    chosen, training = report["protocol"]["chosen"], report.get("training", {})
    return {
        "run": str(path),
        "seed": seed,
        "epoch": chosen.get("epoch"),
        "epochs": training.get("epochs"),
        "seconds": training.get("seconds"),
        "val": {name: chosen.get(f"val_{name}") for name in metrics.HEADLINES},
        **{name: report[name] for name in metrics.HEADLINES},
        "leak": (report["protocol"].get("leak_check") or {}).get("test_in_train", 0),
        "config": report["protocol"]["selection"],
    }


def summary(
    cells: Sequence[Cell],
    runs: Mapping[str, list[dict[str, Any]]],
    scored: Mapping[str, Sequence[Predictions]],
    by: str,
) -> dict[str, Any]:
    """Return the table, each cell against the first, and the answer.

    By the cell's name, `runs` have a `line` of each run and `scored` its predictions of the same test rows.
    """
    n = len(scored[cells[0].name][0].true)
    rows = []
    for cell in cells:
        row: dict[str, Any] = {"cell": cell.name, "options": dict(cell.options), "runs": runs[cell.name]}
        row["val"] = float(np.mean([run["val"][by] for run in runs[cell.name]]))
        for name in metrics.HEADLINES:
            values = [run[name] for run in runs[cell.name]]
            row[name] = {"mean": float(np.mean(values)), "interval": interval_over_seeds(values, n)}
        rows.append(row)
    first = cells[0].name
    for row in rows[1:]:
        row["against_first"] = against(runs[first], runs[row["cell"]], scored[first], scored[row["cell"]], by)
    corrected = confidence.holm([row["against_first"]["p"] for row in rows[1:]])
    for row, p in zip(rows[1:], corrected, strict=True):
        row["against_first"]["p_corrected"] = p
        row["against_first"]["real"] = answers.is_real(row["against_first"])
    result = {
        "by": by,
        "seeds": len(runs[first]),
        "n_test": n,
        "cells": rows,
        "best_on_val": max(rows, key=lambda row: row["val"])["cell"],
        "leak": max(run["leak"] for each in runs.values() for run in each),
    }
    result["warning"] = answers.uneven([run for each in runs.values() for run in each])
    result["answer"] = answers.answer(result)
    return result


def of_test(run: Path) -> Predictions:
    """Read a run's predictions on test, in order of their names."""
    rows = predictions.read(run / predictions.NAME)
    where = np.flatnonzero(rows.split == "test")
    return rows.at(where[np.argsort(rows.sample_id[where], kind="stable")])


def against(
    ours: Sequence[dict[str, Any]],
    theirs: Sequence[dict[str, Any]],
    a: Sequence[Predictions],
    b: Sequence[Predictions],
    by: str,
) -> dict[str, Any]:
    """Return the difference of two cells' mean figures, with an interval over seeds and one over test images.

    Over seeds: of the differences of equal seeds, as `interval_over_seeds` and `p_over_seeds` have them. Over images:
    the bootstrap of the difference of means on the same draws, and for accuracy the sign flips of each image's mean
    gain, since the bootstrap trusts a handful of images too much. Neither holds what the other does, so that both must
    be without 0, and `p` is the larger.
    """
    gains = [new[by] - old[by] for old, new in zip(ours, theirs, strict=True)]
    n = len(a[0].true)
    p_seeds = p_over_seeds(gains, n)
    _, drawn = paired(a, b, by, DRAWS)
    over_images = confidence.of_difference(drawn)
    p_images = two_sided(drawn)
    if by == "accuracy":
        gain = np.mean([gained(old, new) for old, new in zip(a, b, strict=True)], axis=0)
        p_images = sign_flips(gain, a[0].clusters)
    return {
        "difference": float(np.mean(gains)),
        "over_seeds": interval_over_seeds(gains, n),
        "over_images": over_images,
        "seeds_alike": alike(gains, n),
        "p_seeds": p_seeds,
        "p_images": p_images,
        "p": max(p_seeds, p_images),
    }


def interval_over_seeds(values: Sequence[float], n: int) -> list[float] | None:
    """Return the 95 % interval [low, high] of what seeds give, from a share of `n` test images each; None: too few.

    Student's of the mean, unless they are `alike`. Then their least and largest, which hold the median in
    1 - 2 / 2^seeds of all cases: at least 95 % from six seeds on.
    """
    if not alike(values, n):
        return confidence.student(values)[1]
    return [min(values), max(values)] if len(values) >= answers.enough(1) else None


def p_over_seeds(gains: Sequence[float], n: int) -> float:
    """Return the two-sided p of no difference, from each seed's gain on `n` test images; 1 for a single seed.

    Student's paired test, unless the gains are `alike`. Then the exact sign-flip test (Fisher 1935), which asks for no
    spread: its p is never below 2 / 2^seeds, as no p of so few may be (Phipson and Smyth 2010).
    """
    if len(gains) < 2:
        return 1.0
    if not alike(gains, n):
        return float(stats.ttest_1samp(gains, 0).pvalue)
    return float(stats.permutation_test((gains,), np.mean, permutation_type="samples", n_resamples=FLIPS).pvalue)


def alike(values: Sequence[float], n: int) -> bool:
    """Say whether values are nearer to one another than one of `n` test images can show.

    What spread they have is that of rounding to whole images, of which Student's would make certainty.
    """
    return bool(np.ptp(values) <= (1 + 1e-6) / n)


def _spread_words(rows: Sequence[dict[str, Any]], by: str) -> str:
    """Return what is drawn around the means."""
    without = sum(row[by]["interval"] is None for row in rows)
    if not without:
        return "with its 95 % interval over seeds"
    return "no interval from so few seeds" if without == len(rows) else "with its 95 % interval where seeds differ"


def write(folder: Path, report: dict[str, Any], plots: Sequence[str] = ()) -> None:
    """Write `ablation.json`, `ablation.md` and the chart `ablation`, as PNG and in the formats `plots`."""
    rows, by = report["cells"], report["by"]
    chart = partial(
        charts.spread,
        [row["cell"] for row in rows],
        [[run[by] for run in row["runs"]] for row in rows],
        [row[by]["mean"] for row in rows],
        [row[by]["interval"] for row in rows],
        f"{charts.name_of(folder)}: test, n = {report['n_test']:,}, {report['seeds']} seeds",
        f"test {metrics.CALLED[by]}; a dot: one run; a diamond: their mean, {_spread_words(rows, by)}",
    )
    style.write(folder, {"ablation": chart}, ("png", *plots))
    write_whole(folder / "ablation.md", answers.markdown(report))
    write_whole(folder / "ablation.json", as_json(report))
