"""Before the first step: read, refuse what cannot work, fill in the options, and build what the loop needs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ferdata.manifest import Manifest
from ferdata.running import progress
from zoo.augment import apply, policies
from zoo.data import rows as data
from zoo.data.batches import Loader
from zoo.data.rows import recorded
from zoo.evaluation.metrics import prior
from zoo.models import build, initial_weights
from zoo.models.build import Backbone
from zoo.options.options import TrainConfig
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder, write_whole
from zoo.training import freezing, losses, optimizer, resolve, resume_checkpoint, sanity_checks
from zoo.training.distributed import Place, fabric
from zoo.training.ema import Ema
from zoo.training.schedule import Schedule
from zoo.training.state import Job, Say, State

LOOKED_AT = 512  # images whose scale is checked


@dataclass(frozen=True)
class Ground:
    """What is known before a pixel is read: rows and splits, options filled in, leaks counted, things worth saying."""

    manifest: Path
    rows: data.Rows
    where: Mapping[str, NDArray[np.intp]]
    config: TrainConfig
    card: Backbone
    first: Meta | None
    leak: dict[str, int]
    notes: list[str]


def ground(asked: TrainConfig, manifest: Path, resumed: bool = False) -> Ground:
    """Read the rows, check them and the options, and fill in what was left open. Raises FerdataError's kinds.

    What a `resumed` run began with is not looked for: it may be gone.
    """
    card = build.backbone(asked.backbone, asked.pretrained, asked.weights)
    policies.policy(asked.augment)
    rows = data.read_rows(Manifest(manifest), asked.datasets, asked.fold, asked.targets)
    where = data.of_split(rows, asked.targets)
    sanity_checks.check_splits(rows, where)
    notes = [*sanity_checks.check_classes(rows, where), *sanity_checks.check_val(len(where["val"]), asked.select)]
    first = None if resumed else initial_weights.of_run(asked, rows.taxonomy)
    config = resolve.fill(asked, card, rows, where, first)
    sanity_checks.check_norm(config)
    leak = sanity_checks.check_leak(rows, where, config.allow_leak)
    return Ground(manifest, rows, where, config, card, first, leak, notes)


@contextmanager
def job(
    ready: Ground,
    folder: Folder,
    clock: Schedule,
    place: Place,
    roots: Mapping[str, Path] | None,
    say: Say,
    resumed: bool = False,
    write: bool = True,
) -> Iterator[tuple[Job, State]]:
    """Build net, data and optimiser, and only then clear the folder of an earlier run; end the loader afterwards.

    `resumed` puts back what `last.ckpt` holds. Without `write` nothing is written.
    """
    config, rows = ready.config, ready.rows
    saved = resume_checkpoint.read(folder.last) if resumed else None
    torch.manual_seed(config.seed)
    # A resumed run has its weights already; those that it began with may be gone.
    card = ready.card if saved is None else build.backbone(config.backbone)
    net, notes = initial_weights.build(config, card, rows.taxonomy, ready.first if saved is None else None)
    parts = data.load(rows, ready.where, config.size or 0, config.channels or 1, roots, config.trust_files)
    meta = _meta(ready, parts["train"].pixels) if saved is None else saved["meta"]
    resume_checkpoint.check_meta(meta, rows.manifest.fingerprint, folder.path)
    some = apply.as_float(parts["train"].pixels[:: max(1, len(parts["train"]) // LOOKED_AT)])
    sanity_checks.check_scale(apply.normalise(some, torch.tensor(meta.mean), torch.tensor(meta.std).clamp(min=1e-6)))
    blocks = build.blocks(net)
    stages = freezing.stages(config, len(blocks))
    freezing.check(config, stages)
    engine = fabric(config, place, folder.tensorboard if write and place.leads else None)
    with Loader(
        parts["train"],
        policies.policy(config.augment),
        meta.mean,
        meta.std,
        config.batch // config.devices,
        engine.device,
        config.engine,
        config.seed + place.rank,
        config.channels_last,
    ) as loader:
        built = Job(
            folder, config, rows, parts, dataset_ids(rows, parts["train"]), meta, engine, loader,
            _loss(config, parts["train"], engine.device), blocks, [], stages,
            prior(parts["val"].hard, len(meta.classes)), ready.leak, say, [*ready.notes, *notes],
        )  # fmt: skip
        state = _state(built, net, clock)
        if saved is not None:
            resume_checkpoint.restore(saved, built, state)
            freezing.set_open(state.bare, blocks, stages[state.stage].open)
        if write and place.leads:
            _begin_folder(built, state, new=saved is None)
        yield built, state


def _begin_folder(built: Job, state: State, new: bool) -> None:
    """Clear the folder of an earlier run, unless it is gone on with, and write down what is to be done."""
    if new:
        built.folder.clear()
        resume_checkpoint.save(built, state)  # first of all: from here on a kill costs no more than an epoch
    else:
        built.folder.tidy()
    write_whole(built.folder.config, built.config.toml())


def _state(built: Job, net: nn.Module, clock: Schedule) -> State:
    """Hand the net to Fabric, and return the loop's first state, its first stage opened."""
    config = built.config
    if config.devices > 1 and config.norm == "train" and built.fabric.device.type == "cuda":
        # Statistics of the whole batch, as on one device.
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call]
    if config.channels_last:
        net = net.to(memory_format=torch.channels_last)
    built.norms.extend(freezing.backbone_norms(net, built.blocks))
    moving: Any = torch.compile(net) if config.compile else net
    wrapped, optimiser = built.fabric.setup(moving, optimizer.build(net, built.blocks, config))
    if config.norm == "recalibrate":
        recalibrate(built, net)
    freezing.set_open(net, built.blocks, built.stages[0].open)
    clock.begin((config.epochs or 1) * built.steps)
    ema = Ema(net, config.ema) if config.ema else None
    sam = optimizer.Sam(net, config.sam) if config.sam else None
    return State(wrapped, net, optimiser, clock, ema, sam)


def recalibrate(built: Job, net: nn.Module) -> None:
    """Estimate the backbone's statistics anew on the train images, un-augmented."""
    train, config, meta = built.parts["train"], built.config, built.meta
    plain = Loader(train, policies.POLICIES["none"], meta.mean, meta.std, config.batch, built.fabric.device)
    with plain, freezing.recalibrating(net, built.norms), progress.bar("Statistics", len(train), "images") as advance:
        for batch in plain.epoch(torch.arange(len(train)), 0):
            net(batch.x)
            advance(len(batch.x))


def _meta(ready: Ground, pixels: Tensor) -> Meta:
    """Return what travels with the weights; mean and std are those that the first weights were made with, if any."""
    config, rows, first = ready.config, ready.rows, ready.first
    own = ready.card.statistics(config.channels or 1) if first is None else (first.mean, first.std)
    mean, std = own or data.statistics(pixels)
    return Meta(
        backbone=config.backbone,
        classes=rows.taxonomy.classes,
        taxonomy=rows.taxonomy.as_dict(),
        mean=mean,
        std=std,
        size=config.size or 0,
        channels=config.channels or 1,
        tta=config.tta,
        manifest=config.manifest,
        fingerprint=rows.manifest.fingerprint,
        chosen={},
        config=config.as_dict(),
        head=initial_weights.head_of(config).as_dict(),
        stem=config.stem,
        dropout=config.dropout,
        drop_path=config.drop_path,
        aux=config.aux_weight > 0,
        alignment=recorded(rows.manifest, config.datasets),
    )


def _loss(config: TrainConfig, train: data.Images, device: torch.device) -> losses.Loss:
    """Return the loss, with the class weights and the prior of the train images."""
    counts = train.soft.sum(0)
    found = data.class_weights(train.soft, config.class_weights)
    if found is not None:
        if config.weight_cap is not None:
            found = found.clamp(max=config.weight_cap)
        found = found.to(device)
    return losses.build(config, found, (counts / counts.sum().clamp(min=1e-12)).to(device))


def dataset_ids(rows: data.Rows, images: data.Images) -> Tensor:
    """Return a number for the dataset of each image, int64 (n,)."""
    names = rows.table["dataset"].combine_chunks().take(pa.array(images.where)).dictionary_encode()
    return torch.from_numpy(names.indices.to_numpy(zero_copy_only=False).astype(np.int64))
