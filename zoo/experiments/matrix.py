"""Which dataset to train on: a run on each, scored on the test of every one, and an answer in plain words.

A row of the matrix is what is trained on: each dataset that can be, on request two of them together, all together, all
but one. A column is a dataset's test. A run learns from the train split of its row's datasets alone, chooses its epoch
on their val, and is scored on the tests of all columns: on its own by the last step of training, on the others once,
by the same path, and what it said is kept beside it (`foreign.parquet`), so that the same command goes on where it was
stopped and computes nothing twice.

What would make a cell another question is the same in all of them, or told (`zoo.experiments.matrix_plan`). Every run
sees equally many images, whatever its set's size: as many as `images` says, or as the run on the largest set manages
within `budget`, which `plan.json` keeps. Patience is off, since it would end small sets early. All have one size in
pixels. The classes of a cell are those that both its train and its test have: rows of other classes are left out, and
the net may not answer with them (`zoo.experiments.matrix_cells`).
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ferdata.charts import style
from ferdata.charts.style import check_formats
from ferdata.errors import AlreadyExists, BadOption
from ferdata.manifest import Manifest
from ferdata.running.plain_file import read_plain
from ferdata.running.whole_file import write_whole
from zoo.evaluation import report
from zoo.evaluation.predictions import Predictions
from zoo.experiments import matrix_answer, matrix_cells, matrix_chart, matrix_plan, matrix_scores, run_or_reuse
from zoo.experiments.matrix_plan import Plan, Row
from zoo.options.recipes import parse_set
from zoo.run.run_folder import Folder
from zoo.training import resolve
from zoo.training.state import Run

PLAN = "plan.json"
RUNS = "runs"
# What the matrix sets itself, for every run.
OWN = ("manifest", "datasets", "fold", "time_limit", "images_seen", "train_images", "allow_leak")


@dataclass(frozen=True)
class Matrix:
    """A finished matrix: its folder, and what its `matrix.json` says."""

    path: Path
    report: dict[str, Any]


def matrix(
    manifest: str | Path,
    out: str | Path | None = None,
    train: Sequence[str] = (),
    test: Sequence[str] = (),
    add: Sequence[str] = (),
    seeds: int = 3,
    budget: float | None = None,
    images: int | None = None,
    equal_images: int | None = None,
    recipe: str = "default",
    size: int | None = None,
    channels: int | None = None,
    options: run_or_reuse.Options = (),
    allow_leak: bool = False,
    force: bool = False,
    plots: Sequence[str] = (),
    roots: Mapping[str, Path] | None = None,
    say: Callable[[str], None] | None = None,
) -> Matrix:
    """Train on each dataset of `manifest`, test on every one, and say which to train on.

    `train` and `test` name the datasets of rows and columns; all that can be, unless said. `add` has further rows: such
    as "A+B", or "pairs" for two of each, "all" for all together, "all-but-one" for each left out in turn. Each row has
    as many `seeds`. `budget`, in seconds, is what the run on the largest set may take; all others then see as many
    images as that one did, or as `images` says, or as the epochs of `options` or `recipe` make of the largest set.
    `equal_images` has every row learn from so many images of its train, to compare sets of one size. The same call
    goes on where it was stopped, and keeps what is finished.

    Writes `matrix.json`, `matrix.md`, and the heat map `matrix` as PNG, SVG and in the formats `plots`, to `out`, with
    the runs below `runs/`. Raises BadOption for what cannot be compared, Leak where a train has copies of a test unless
    `allow_leak`, AlreadyExists for runs of other options or of another manifest, unless `force`.
    """
    if seeds < 1:
        raise BadOption(f"--seeds is {seeds}.", "Give 3 or more: one run cannot tell an effect from noise.")
    if budget is not None and images is not None:
        raise BadOption("Both --budget and --images say how long a run is.", "Give one of them.")
    check_formats(plots)
    tell = say or _silent
    given, epochs = _of_all(options, size, channels)
    config = resolve.combine("", recipe, given, {})
    opened = Manifest(Path(manifest))
    plan = matrix_plan.plan(opened, train, test, add, config, equal_images, allow_leak)
    given |= {"size": plan.size, "train_images": equal_images}
    folder = Path(out or f"runs/{Path(manifest).stem}-matrix")
    numbers = range(config.seed, config.seed + seeds)
    for note in plan.notes:
        tell(note)
    tell(f"{len(plan.rows)} rows x {seeds} seeds: {len(plan.rows) * seeds} trainings, {len(plan.tests)} tests")
    job = _Job(opened, folder, recipe, given, allow_leak, force, roots, tell)
    length = _length(job, plan, numbers[0], budget, images, epochs or config.epochs or resolve.EPOCHS)
    scored: dict[str, list[dict[str, Predictions]]] = {row.name: [] for row in plan.rows}
    # Seed by seed, so that stopping early leaves every row with equally many.
    work = list(itertools.product(numbers, plan.rows))
    for done, (seed, row) in enumerate(work):
        try:
            run, kept = job.once(row, seed, length)
            scored[row.name].append(
                matrix_scores.answers(run.path, row, list(plan.tests), opened, roots, fresh=not kept)
            )
        except KeyboardInterrupt:
            whole = sum(run_or_reuse.finished(Folder(job.path(row, seed))) for seed, row in work)
            raise KeyboardInterrupt(
                f"{whole} of {len(work)} trainings are finished; the same command goes on."
            ) from None
        own = f"{run.report['accuracy']:.2%} at home"
        tell(f"{row.name}, seed {seed} ({done + 1} of {len(work)}){', kept' if kept else ''}: {own}")
    made = matrix_cells.summary(plan, scored, list(numbers))
    made |= {
        **{"manifest": str(manifest), "fingerprint": opened.fingerprint, "recipe": recipe},
        **{"options": {key: value for key, value in given.items() if value is not None}, "budget": budget},
        **{"images": length.images, "paced_by": length.paced_by, "equal_images": equal_images, "size": plan.size},
    }
    made["answer"] = matrix_answer.answer(made)
    write(folder, made, plots)
    return Matrix(folder, made)


def _silent(line: str) -> None:
    del line


def _of_all(options: run_or_reuse.Options, size: int | None, channels: int | None) -> tuple[dict[str, Any], int | None]:
    """Return the options of every run, and the epochs that were asked for, which become a number of images."""
    given = parse_set(options)
    if own := [key for key in given if key in OWN]:
        raise BadOption(f"--set {own[0]}: it is set by matrix itself.", "Leave it out.")
    named = {"size": size, "channels": channels}
    if twice := [key for key, value in named.items() if value is not None and key in given]:
        raise BadOption(f"--{twice[0]} and --set {twice[0]} are both given.", "Give one of them.")
    given |= {key: value for key, value in named.items() if value is not None}
    given.setdefault("patience", 0)
    return given, given.pop("epochs", None)


@dataclass(frozen=True)
class Length:
    """How long each run is: `images` seen; the run in the folder `paced_by` had the time `budget` instead."""

    images: int | None
    budget: float | None = None
    paced_by: str | None = None


@dataclass(frozen=True)
class _Job:
    """What all runs of a matrix have in common; `made` are those that this call has trained."""

    manifest: Manifest
    folder: Path
    recipe: str
    options: Mapping[str, Any]
    allow_leak: bool
    force: bool
    roots: Mapping[str, Path] | None
    say: Callable[[str], None]
    made: set[str] = field(default_factory=set)

    def once(self, row: Row, seed: int, length: Length) -> tuple[Run, bool]:
        """Return the run of a row and a seed, trained now unless it is there, and whether it was."""
        place = name_of(row, seed)
        timed = place == length.paced_by
        options = {**self.options, "images_seen": None if timed else length.images}
        named: dict[str, Any] = {"seed": seed, "datasets": row.datasets}
        named |= {"time_limit": length.budget} if timed else {}
        named |= {"allow_leak": True} if self.allow_leak else {}
        force = self.force and place not in self.made
        self.made.add(place)
        out = self.path(row, seed)
        return run_or_reuse.once(self.manifest.path, out, self.recipe, options, named, force, self.roots, self.say)

    def path(self, row: Row, seed: int) -> Path:
        """Return the folder of a run."""
        return self.folder / RUNS / name_of(row, seed)


def name_of(row: Row, seed: int) -> str:
    """Return the folder of a run below that of all runs."""
    return f"{'+'.join(row.datasets)}/seed-{seed}"


def _length(job: _Job, plan: Plan, seed: int, budget: float | None, images: int | None, epochs: int) -> Length:
    """Return how long runs are, after the run that sets the pace where there is a budget; keep it in `plan.json`.

    Raises AlreadyExists where the folder has runs on other rows.
    """
    file, print_ = job.folder / PLAN, job.manifest.fingerprint
    known = {} if job.force else _known(file)
    if known.get("fingerprint", print_) != print_:
        raise AlreadyExists(
            f"{job.folder} has runs on other rows: {job.manifest.path} has changed since, or is another manifest.",
            "Choose another --out, or add --force to train all of them anew.",
        )
    largest = max(plan.rows, key=lambda row: row.images)
    if budget is None:
        length = Length(images or epochs * largest.images)
    elif known.get("budget") == budget and known.get("images"):
        length = Length(known["images"], budget, known["paced_by"])
    else:
        pace = name_of(largest, seed)
        job.say(f"{largest.name} is the largest set: what it sees in {budget:,.0f} s, every other run will see")
        run, _ = job.once(largest, seed, Length(None, budget, pace))
        length = Length(run.report["training"]["images"], budget, pace)
    job.say(f"each run sees {length.images:,} images")
    job.folder.mkdir(parents=True, exist_ok=True)
    write_whole(file, report.as_json({"fingerprint": print_, **asdict(length)}))
    return length


def _known(file: Path) -> dict[str, Any]:
    """Return what an earlier call has kept; nothing where there was none, or its file is damaged."""
    try:
        found = json.loads(read_plain(file))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(folder: Path, made: dict[str, Any], plots: Sequence[str] = ()) -> None:
    """Write `matrix.json`, `matrix.md` and the heat map `matrix`, as PNG, SVG and in the formats `plots`."""
    style.write(folder, {"matrix": partial(matrix_chart.heat_map, made, folder)}, ("png", "svg", *plots))
    write_whole(folder / "matrix.md", matrix_answer.markdown(made))
    write_whole(folder / "matrix.json", report.as_json(made))
