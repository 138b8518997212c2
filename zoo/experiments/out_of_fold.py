"""Out-of-fold predictions: what nets say of each labelled face that have seen neither it nor a copy of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferdata.duplicates.groups import GROUP_COLUMNS, group_rows
from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.splitting.seeded_order import FOLDS
from ferdata.splitting.stratify import NONE, Allotment
from zoo.augment import own_ranges
from zoo.data.rows import Rows, read_rows
from zoo.evaluation import predictions
from zoo.evaluation.inference import score
from zoo.evaluation.predictions import Predictions
from zoo.models import build, initial_weights
from zoo.run import model_file
from zoo.training import resolve, sanity_checks
from zoo.training.distributed import Place
from zoo.training.loop import fit
from zoo.training.resolve import Resolved
from zoo.training.schedule import Schedule
from zoo.training.setup import setup
from zoo.training.state import RunContext, Say, TrainState
from zoo.training.validation import averaged

# Epochs of each net, where neither `epochs` nor a recipe says more: enough to rank labels, too few to learn wrong ones.
EPOCHS = 8
MOST_FOLDS = 20


def out_of_fold(
    manifest: str | Path,
    *,
    folds: int = 5,
    recipe: str = "default",
    options: Mapping[str, Any] | Sequence[str] = (),
    backbone: str | None = None,
    epochs: int | None = None,
    device: str | None = None,
    seed: int = 0,
    save: str | Path | None = None,
    roots: Mapping[str, Path] | None = None,
    say: Say | None = None,
) -> Predictions:
    """Return the probabilities of every row that has a class, each by a net that was trained on the other folds.

    Groups are never torn, so that no copy of a row, nor its person or clip, is in its own training part; in a manifest
    without groups, equal pixels and near copies are found first. Splits are passed over: labels of every split are
    judged. Each net trains as `zoo.training.train.train` would, without choosing among epochs, since there is nothing
    to choose on; its last weights judge. (Means over epochs, neighbours among the features, and a regression on all of
    them ranked flipped labels of FER+ no better.) `save` writes the predictions. Raises FerdataError's kinds.
    """
    if not 2 <= folds <= MOST_FOLDS:
        raise BadOption(f"--folds cannot be {folds}.", f"Use 2 to {MOST_FOLDS}; 5 is usual.")
    tell, opened = say or _silent, Manifest(Path(manifest))
    asked = resolve.merge(str(manifest), recipe, options, _named(backbone, epochs, device, seed), None)
    if asked.head == "xgboost" or asked.devices > 1:
        raise BadOption("Out-of-fold nets have no trees, and train on one device.", "Choose another --recipe.")
    asked = replace(asked, epochs=asked.epochs or EPOCHS)
    card = build.backbone(asked.backbone, asked.pretrained, asked.weights)
    own_ranges.of_run(asked)
    rows = read_rows(opened, asked.datasets, None, asked.targets)
    first = initial_weights.of_run(asked, rows.taxonomy)
    fold = assign(opened, folds, seed)
    parts: list[tuple[NDArray[np.intp], NDArray[np.float32]]] = []
    meta = None
    for k in range(folds):
        sides = replace(rows, split=np.where(fold == k, "val", "train"), split_source="out of fold")
        where = {"train": sides.where("train", asked.targets), "val": sides.where("val", "hard")}
        if not len(where["val"]):
            continue
        _check(sides, where)
        config = resolve.resolve_defaults(asked, card, sides, where, first)
        ready = Resolved(sides, where, config, card, first)
        clock = Schedule(None)
        with (
            setup(ready, None, clock, Place(), roots, tell) as (context, state),
            sanity_checks.memory(config),
        ):
            p = _learn(context, state)
            parts.append((context.parts["val"].where, p))
            right = float((p.argmax(1) == context.parts["val"].hard.numpy()).mean())
            meta = context.meta
        tell(f"fold {k + 1} of {folds}: {len(p):,} rows, {right:.2%} as labelled, {clock.elapsed:.0f} s")
    if meta is None:
        raise BadOption(f"{manifest} has no labelled rows.", "Ingest or merge a dataset with labels.")
    found = _gathered(meta, rows, parts)
    if save is not None:
        predictions.save(Path(save), found)
    return found


def assign(manifest: Manifest, folds: int, seed: int = 0) -> NDArray[np.int64]:
    """Return each row's fold, int64 (n,), 0 to `folds` - 1: whole groups, class by class."""
    table = manifest.table(*GROUP_COLUMNS, "target", "group")
    # `group` holds what merge or group found; where it is not filled, what can be found by looking.
    known = not table["group"].null_count
    numbers = table["group"].to_numpy() if known else group_rows([manifest], table, most=1).group
    _, group = np.unique(numbers, return_inverse=True)
    draw = Allotment(table, group, seed, FOLDS)
    side = np.full(draw.count, NONE)
    for dataset in draw.datasets:
        draw.assign(side, draw.of(dataset), [1 / folds] * folds, every=True)
    return np.asarray(side[group], np.int64)


def _named(backbone: str | None, epochs: int | None, device: str | None, seed: int) -> dict[str, Any]:
    fixed = {"seed": seed, "select": "last", "patience": 0, "time_limit": None}
    return {"backbone": backbone, "epochs": epochs, "device": device, **fixed}


def _check(rows: Rows, where: Mapping[str, NDArray[np.intp]]) -> None:
    """Raise BadOption where the other folds have fewer than two classes to tell apart."""
    if len(where["train"]) == 0 or int((rows.soft[where["train"]].sum(0) > 0).sum()) < 2:
        raise BadOption(
            f"{rows.manifest.path} has too few labelled rows: without one fold fewer than two classes are left.",
            "Merge more rows, or use more --folds.",
        )


def _learn(context: RunContext, state: TrainState) -> NDArray[np.float32]:
    """Train to the end; return what the last weights say of the held-out rows, float32 (n, classes)."""
    fit(context, state, validation=False)
    held_out, meta = context.parts["val"], context.meta
    with averaged(state):
        return score(state.net, held_out.pixels, meta.mean, meta.std, context.config.tta, what="Judging")


def _gathered(
    meta: model_file.Meta, rows: Rows, parts: Sequence[tuple[NDArray[np.intp], NDArray[np.float32]]]
) -> Predictions:
    """Return all parts in the manifest's order, with each row's own split."""
    where = np.concatenate([at for at, _ in parts])
    order = np.argsort(where)
    p = np.concatenate([p for _, p in parts])[order]
    found = predictions.gather(meta, rows, {"": (where[order], p)})
    return replace(found, split=rows.split[where[order]], facts={**found.facts, "out_of_fold": True})


def _silent(line: str) -> None:
    del line
