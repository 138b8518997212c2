"""Before the first step: build net, data and optimizer, and whatever else the loop needs, from resolved options."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn

from ferdata.running import progress
from zoo.augment import apply, own_ranges, policies
from zoo.data.batches import Loader
from zoo.data.rows import Images, Rows, class_weights, load, recorded, statistics
from zoo.evaluation.metrics import prior
from zoo.models import build, initial_weights
from zoo.options.options import TrainConfig
from zoo.run.device import fast
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder
from zoo.training import freezing, losses, resume_checkpoint, sanity_checks, validation
from zoo.training.distributed import Place, fabric
from zoo.training.ema import Ema
from zoo.training.optimizer import Sam, can_be_recorded, rates_on
from zoo.training.optimizer import build as build_optimizer
from zoo.training.recorded import recorder
from zoo.training.resolve import Resolved
from zoo.training.schedule import Schedule
from zoo.training.state import RunContext, Say, TrainState, number_of

LOOKED_AT = 512  # images whose scale is checked


@contextmanager
def setup(
    ready: Resolved,
    folder: Folder | None,
    clock: Schedule,
    place: Place,
    roots: Mapping[str, Path] | None,
    say: Say,
) -> Iterator[tuple[RunContext, TrainState]]:
    """Build net, data and optimizer, and yield what the loop needs; end the loader afterwards. Nothing is written yet.

    A run that is resumed stands where its checkpoint does. Without a `folder` nothing is written later on either.
    Raises BadOption where memory is not enough, inside the block too, for what stands in no guard of its own.
    """
    config, rows = ready.config, ready.rows
    with sanity_checks.memory_to_begin(config):
        torch.manual_seed(config.seed)
        begun = initial_weights.build(config, ready.card, rows.taxonomy, ready.first)
        net = begun.net
        parts = load(rows, ready.where, config.size or 0, config.channels or 1, roots, config.trust_files)
        meta: Meta = _meta(ready, begun, parts["train"].pixels) if ready.saved is None else ready.saved["meta"]
        some = apply.as_float(parts["train"].pixels[:: max(1, len(parts["train"]) // LOOKED_AT)])
        mean, std = torch.tensor(meta.mean), torch.tensor(meta.std).clamp(min=1e-6)
        scale_notes = sanity_checks.check_scale(apply.normalise(some, mean, std), config.allow_scale)
        blocks, top = freezing.parts(net, config)
        stages = freezing.stages(config, len(blocks), top)
        freezing.check(config, stages)
        engine = fabric(config, place, folder.tensorboard if folder is not None and place.leads else None)
        net = _laid_out(net, config, engine.device)
        loader = Loader(
            parts["train"],
            own_ranges.of_run(config),
            meta.mean,
            meta.std,
            config.batch // config.devices,
            engine.device,
            config.engine,
            loader_seed(config.seed, place.rank),
            config.channels_last,
        )
        with loader, fast(engine.device):
            context = RunContext(
                out=folder,
                config=config,
                rows=rows,
                parts=parts,
                dataset_ids=dataset_ids(rows, parts["train"]),
                val_pixels=validation.held(parts["val"].pixels, config, place.rank, loader),
                meta=meta,
                fabric=engine,
                loader=loader,
                loss=_loss(config, parts["train"], engine.device),
                blocks=blocks,
                norms=freezing.backbone_norms(net, blocks),
                stages=stages,
                baseline=prior(parts["val"].hard, len(meta.classes)),
                leak=ready.leak,
                say=say,
                notes=[*ready.notes, *begun.notes, *scale_notes],
            )
            yield context, _first_state(context, net, clock, ready.saved)


def loader_seed(seed: int, rank: int) -> int:
    """Return what a device's pictures are drawn from: that of no other device of any seed."""
    return number_of(seed, rank) if rank else seed


def _laid_out(net: nn.Module, config: TrainConfig, device: torch.device) -> nn.Module:
    """Return the net with its memory, and its batch normalisation over several GPUs, as the options want them."""
    if config.devices > 1 and config.norm == "train" and device.type == "cuda":
        # Statistics of the whole batch, as on one device. torch's own converter forgets the activation that timm's
        # normalisation layers hold, and with it EfficientNet, MobileNet, DenseNet and their like become linear.
        net = convert_sync_batchnorm(net)
    return net.to(memory_format=torch.channels_last) if config.channels_last else net


def _first_state(context: RunContext, net: nn.Module, clock: Schedule, saved: Mapping[str, Any] | None) -> TrainState:
    """Hand the net to Fabric, and return the state that the loop starts from: the first one, or the `saved` one."""
    config = context.config
    moving: Any = torch.compile(net) if config.compile else net
    wrapped, optimizer = context.fabric.setup(moving, build_optimizer(net, context.blocks, config))
    if config.norm == "recalibrate":
        with sanity_checks.memory_to_recalibrate(config):
            recalibrate(context, net)
    clock.begin(_steps(config, context.steps))
    ema = Ema(net, config.ema) if config.ema else None
    sam = Sam(net, config.sam) if config.sam else None
    state = TrainState(wrapped, net, optimizer, clock, ema, sam, recorder(config))
    if saved is not None:
        resume_checkpoint.restore(saved, context, state)
    if state.recorder is not None and can_be_recorded(optimizer):
        rates_on(optimizer, context.fabric.device)
    freezing.set_open(net, context.blocks, context.stages[state.stage].open)
    return state


def _steps(config: TrainConfig, an_epoch: int) -> int:
    """Return how many steps a run has at most: those of its epochs, or of `images_seen`, rounded up."""
    if config.images_seen:
        return math.ceil(config.images_seen / config.batch)
    return (config.epochs or 1) * an_epoch


def recalibrate(context: RunContext, net: nn.Module) -> None:
    """Estimate the backbone's statistics anew on the train images, un-augmented."""
    train, config, meta = context.parts["train"], context.config, context.meta
    plain = Loader(train, policies.POLICIES["none"], meta.mean, meta.std, config.batch, context.fabric.device)
    with plain, freezing.recalibrating(net, context.norms), progress.bar("Statistics", len(train), "images") as advance:
        for batch in plain.epoch(torch.arange(len(train)), 0):
            net(batch.x)
            advance(len(batch.x))


def _meta(ready: Resolved, begun: build.Begun, pixels: Tensor) -> Meta:
    """Return what travels with the weights; mean and std are those that the first weights were made with, if any."""
    config, rows = ready.config, ready.rows
    mean, std = begun.statistics or statistics(pixels)
    return Meta(
        backbone=ready.card.name,
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
        arguments=ready.card.arguments,
        origin=begun.origin.as_dict() if begun.origin else None,
    )


def _loss(config: TrainConfig, train: Images, device: torch.device) -> losses.Loss:
    """Return the loss, with the class weights and the prior of the train images."""
    counts = train.soft.sum(0)
    found = class_weights(train.soft, config.class_weights, config.weight_cap)
    weights = None if found is None else found.to(device)
    return losses.build(config, weights, (counts / counts.sum().clamp(min=1e-12)).to(device))


def dataset_ids(rows: Rows, images: Images) -> Tensor:
    """Return a number for the dataset of each image, int64 (n,)."""
    names = rows.table["dataset"].combine_chunks().take(pa.array(images.where)).dictionary_encode()
    return torch.from_numpy(names.indices.to_numpy(zero_copy_only=False).astype(np.int64))
