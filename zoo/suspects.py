"""Out-of-fold predictions: what nets say of each labelled face that have seen neither it nor a copy of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata import near, progress
from ferdata.allot import NONE, Allotment
from ferdata.conflicts import APART_BY, TOLD_BY, pictures
from ferdata.errors import BadOption
from ferdata.lot import FOLDS
from ferdata.manifest import Manifest
from zoo import backbones, data, guards, loop, policies, prepare, settle, weights
from zoo.folder import Folder
from zoo.job import Job, Say, State, number_of
from zoo.predictions import Predictions, gather
from zoo.schedule import Schedule
from zoo.several import Place
from zoo.validate import averaged, probabilities


def folds_of(manifest: Manifest, folds: int, seed: int = 0) -> NDArray[np.int64]:
    table = manifest.table(*dict.fromkeys(("sample_id", "target", "phash", "group", *TOLD_BY, *APART_BY)))
    if table["group"].null_count:
        pairs = near.find([manifest], table)
        group = pictures(table, pairs)
    else:
        _, group = np.unique(table["group"].to_numpy(), return_inverse=True)
    draw = Allotment(table, group, seed, FOLDS)
    side = np.full(draw.count, NONE)
    for dataset in draw.datasets:
        draw.assign(side, draw.of(dataset), [1 / folds] * folds, every=True)
    return side[group]


def each_fold(manifest, *, folds=5, recipe="default", options=(), roots=None, say=None, seed=0, **named):
    opened = Manifest(Path(manifest))
    asked = settle.merge(str(manifest), recipe, options, {**named, "select": "last", "patience": 0, "seed": seed}, None)
    card = backbones.backbone(asked.backbone, asked.pretrained, asked.weights)
    policies.policy(asked.augment)
    rows = data.read_rows(opened, asked.datasets, None, asked.targets)
    first = weights.of_run(asked, rows.taxonomy)
    fold = folds_of(opened, folds, seed)
    for k in range(folds):
        sides = replace(rows, split=np.where(fold == k, "val", "train"), split_source="out of fold")
        where = {"train": sides.where("train", asked.targets), "val": sides.where("val", "hard")}
        config = settle.fill(asked, card, sides, where, first)
        ready = prepare.Ground(Path(manifest), sides, where, config, card, first, {}, [])
        with prepare.job(ready, Folder(Path("unused")), Schedule(None), Place(), roots, say or print, write=False) as (job, state):
            yield k, job, state


def epochs(job, state):
    batches = loop.begin_epoch(job, state)
    while not state.over:
        learnt = loop.learn_epoch(job, state, batches)
        state.epoch += 1
        batches = loop.begin_epoch(job, state)
        with averaged(state):
            yield learnt, probabilities(job, state)
        loop.move_on(job, state, {"epoch": state.epoch, "val_loss": 0.0, "val_accuracy": 0.0})
