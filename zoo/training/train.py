"""Train a backbone on a manifest: choose on val, score test once, say how it was done. The loop is in `loop`."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ferdata.charts.style import check_formats
from zoo.evaluation.report import draw
from zoo.options.options import NAMED, TrainConfig
from zoo.options.recipes import DEFAULT
from zoo.run.run_folder import Folder
from zoo.training.distributed import Place
from zoo.training.dry_run import rehearse
from zoo.training.launch import launch
from zoo.training.loop import run
from zoo.training.overrun import overrun
from zoo.training.resolve import Resolved, check_and_resolve, resolve
from zoo.training.resume_checkpoint import begin_folder, read
from zoo.training.schedule import Schedule
from zoo.training.setup import setup
from zoo.training.state import Run, Say

__all__ = ["Run", "train"]


def train(
    manifest: str | Path,
    out: str | Path | None = None,
    recipe: str = "default",
    options: Mapping[str, Any] | Sequence[str] = (),
    backbone: str | None = None,
    stem: str | None = None,
    head: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    pretrained: bool | None = None,
    weights: str | Path | None = None,
    init: str | Path | None = None,
    targets: str | None = None,
    loss: str | None = None,
    smoothing: float | None = None,
    class_weights: str | None = None,
    sampler: str | None = None,
    augment: str | Path | None = None,
    optimizer: str | None = None,
    lr: float | None = None,
    weight_decay: float | None = None,
    schedule: str | None = None,
    ema: float | None = None,
    unfreeze: str | None = None,
    norm: str | None = None,
    epochs: int | None = None,
    time_limit: float | None = None,
    patience: int | None = None,
    select: str | None = None,
    tta: str | None = None,
    batch: int | None = None,
    device: str | None = None,
    devices: int | None = None,
    precision: str | None = None,
    compile: bool | None = None,  # noqa: A002  # it is torch's word
    seed: int | None = None,
    datasets: Sequence[str] | None = None,
    fold: int | None = None,
    allow_leak: bool | None = None,
    allow_scale: bool | None = None,
    trust_files: bool | None = None,
    plots: Sequence[str] = (),
    resume: bool = False,
    dry_run: bool = False,
    force: bool = False,
    roots: Mapping[str, Path] | None = None,
    say: Say | None = None,
    begun: float | None = None,
) -> Run:
    """Train on the train split of `manifest`, choose on val, score test once; write it all to the folder `out`.

    Options are TrainConfig's, where they are explained: those of the recipe (a name of `zoo.options.recipes.names`, or
    a file), then `options` (a mapping, or "key=value" each), then the named ones, of which None was not given.
    `pretrained` False is from scratch, whatever the recipe says. `out` defaults to `runs/<manifest>-<backbone or
    recipe>`.

    `resume` goes on with the run in `out` from its last whole epoch, under the options that it began with: on a CPU, it
    ends with the weights of an undisturbed run. `dry_run` checks everything, learns from one batch, says what a run
    would take, and writes nothing. `time_limit` is in seconds, for the whole call, or from the moment `begun` of
    time.monotonic(). `plots` are formats, pdf or svg, that charts are written in beside PNG. `say` is given a line per
    epoch.

    On Ctrl-C the best checkpoint so far stays, test is not scored, and KeyboardInterrupt goes on, with a word on how
    to go on. Same seed, same CPU, no time limit: same weights. Raises FerdataError's kinds.
    """
    given = {key: value for key, value in locals().items() if key in NAMED}
    clock = Schedule(None, started=begun)
    folder = Folder(Path(out or default_out(manifest, recipe, given)))
    check_formats(plots)
    folder.check(force or dry_run, resume)
    ready = resolve(Path(manifest), folder, recipe, options, given, resume)
    clock.limit = ready.config.time_limit
    tell = say or (lambda _: None)
    if dry_run:
        return rehearse(ready, folder, clock, roots, tell)
    if ready.config.devices == 1:
        made = _learn(ready, folder, clock, roots, resume, Place(), tell)
    else:
        work = partial(_on_one_of_several, ready.config, Path(manifest), folder, clock.started, roots, resume)
        made = launch(ready.config, work, tell)
    draw(folder.path, plots)
    if words := overrun(ready.config.time_limit, clock.elapsed, made.report):
        tell(words)
    return made


def _on_one_of_several(
    config: TrainConfig,
    manifest: Path,
    folder: Folder,
    started: float,
    roots: Mapping[str, Path] | None,
    resume: bool,
    place: Place,
    say: Say,
) -> Run:
    """Train in a process that has the options alone; rows and checkpoint are read again, which is less than to send."""
    ready = check_and_resolve(config, manifest, read(folder.last) if resume else None)
    return _learn(ready, folder, Schedule(config.time_limit, started=started), roots, resume, place, say)


def _learn(
    ready: Resolved,
    folder: Folder,
    clock: Schedule,
    roots: Mapping[str, Path] | None,
    resume: bool,
    place: Place,
    say: Say,
) -> Run:
    """Train in this process, on its device; return the run, whose report only the leading process has."""
    with setup(ready, folder, clock, place, roots, say) as (context, state):
        begin_folder(context, state, resume)
        for note in context.notes:
            say(note)
        return run(context, state)


def default_out(manifest: str | Path, recipe: str, given: Mapping[str, Any]) -> str:
    """Return the run's folder where none is named."""
    file = Path(recipe)
    named = file.parent.name if file.name == "config.toml" else file.stem  # another run's own options
    what = given.get("backbone") or (TrainConfig.backbone if recipe == DEFAULT else named)
    fold = "" if given.get("fold") is None else f"-fold{given['fold']}"
    what = what.replace(":", "/").rstrip("/").rpartition("/")[-1]  # of hf-hub:owner/name the name
    return f"runs/{Path(manifest).stem}-{what}{fold}"
