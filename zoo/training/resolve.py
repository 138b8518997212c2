"""From what was asked for to the whole options of a run, checked on the manifest's rows before a pixel is read."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import timm.optim
import torch
from numpy.typing import NDArray
from timm.optim import get_optimizer_info

from ferdata.errors import BadOption, did_you_mean
from ferdata.manifest import Manifest
from zoo.augment import own_ranges
from zoo.data.rows import Rows, all_grey, natural_size, of_split, read_rows
from zoo.models import initial_weights
from zoo.models.build import Backbone, backbone, has_depthwise
from zoo.options import options as run_options
from zoo.options import recipes
from zoo.options.options import KEYS, TrainConfig
from zoo.run import device
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder
from zoo.training import sanity_checks
from zoo.training.optimizer import names
from zoo.training.resume_checkpoint import check_manifest, read

EPOCHS = 30  # where neither epochs nor a time limit is given
MOST_EPOCHS = 60  # where only the limit is: on a fast machine more would only overfit
USUAL = 128  # the batch that a backbone's rate is for
# Peak rates, at that batch, for an optimizer that is not the backbone's own.
ADAPTIVE, PLAIN = 1e-3, 0.05
HEAD = 10  # times that of a net with published weights, for the head alone (EmotiEffLib: 1e-3 and 1e-4)
SGD = (torch.optim.SGD, timm.optim.SGDW, timm.optim.SGDP)


@dataclass(frozen=True)
class Resolved:
    """What is known before a pixel is read: rows and splits, the whole options, leaks counted, things worth saying.

    `first` is the metadata of the run that `init` names, `saved` the checkpoint that is resumed from.
    """

    rows: Rows
    where: Mapping[str, NDArray[np.intp]]
    config: TrainConfig
    card: Backbone
    first: Meta | None = None
    saved: dict[str, Any] | None = None
    leak: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def resolve(
    manifest: Path,
    folder: Folder,
    recipe: str,
    options: Mapping[str, Any] | Sequence[str],
    named: Mapping[str, Any],
    resume: bool = False,
) -> Resolved:
    """Return the options of a run in `folder`, from those asked for and what rows, backbone and machine fill in.

    They are asked for as `merge` takes them. With `resume` they start from those of the run that is in `folder`, and
    may not differ from them. Raises FerdataError's kinds.
    """
    saved = read(folder.last) if resume else None
    before = None if saved is None else saved["config"]
    asked = merge(folder.relative(manifest), recipe, options, named, before)
    ready = check_and_resolve(asked, manifest, saved)
    if saved is not None:
        check_same(saved["config"], ready.config, folder.path)
        check_manifest(saved["meta"], ready.rows.manifest.fingerprint, folder.path)
    return ready


def merge(
    manifest: str,
    name: str,
    options: Mapping[str, Any] | Sequence[str],
    named: Mapping[str, Any],
    before: TrainConfig | None,
) -> TrainConfig:
    """Return the options as asked for: the dataclass's defaults < recipe `name` < `options` < `named`.

    Of `named`, what is None was not given. `before` are those of the run that is resumed: they take the defaults' and
    the default recipe's place. Raises BadOption for a key that is none, and for an option that does nothing under the
    others, unless it comes from the recipe.
    """
    config = combine(manifest, name, options, named, before)
    given = [*recipes.parse_set(options), *(key for key, value in named.items() if value is not None)]
    run_options.refuse_idle(idle(config, given))
    return config


def idle(config: TrainConfig, given: Iterable[str]) -> dict[str, str]:
    """Return those options of `given` that do nothing under the others of `config`, each with what it needs."""
    return run_options.idle(config, given) | own_ranges.idle(config, given)


def combine(
    manifest: str,
    name: str,
    options: Mapping[str, Any] | Sequence[str],
    named: Mapping[str, Any],
    before: TrainConfig | None = None,
) -> TrainConfig:
    """Return the options as `merge` does, whatever comes of them. Raises BadOption for a key that is none."""
    recipe = recipes.load(name) if before is None or name != "default" else recipes.Recipe(name, {}, {})
    wanted = dict(recipe.options)
    asked = recipes.parse_set(options)
    given = {key: value for key, value in named.items() if value is not None}
    if given.get("pretrained") is False:  # from scratch, whatever the recipe says
        if both := [name for name in ("weights", "init") if given.get(name)]:
            raise BadOption(
                f"--from-scratch means random initialisation, and --{both[0]} gives initial weights.", "Leave one out."
            )
        asked |= {"weights": None, "init": None}
    elif {"pretrained", "weights", "init"} & set(given):  # one source of first weights takes another's place
        asked |= {"pretrained": False, "weights": None, "init": None}
    recipes.refuse_places(recipe, {key: value for key, value in wanted.items() if key not in asked | given})
    wanted = own_ranges.lay_over(wanted, asked | given) | {"manifest": manifest}
    strangers = sorted(set(wanted) - set(KEYS))
    if strangers:
        raise BadOption(
            f"There is no option {', '.join(strangers)}.",
            f"{did_you_mean(strangers[0], KEYS)}There are {', '.join(KEYS)}.",
        )
    tuples = {f.name for f in fields(TrainConfig) if "tuple" in str(f.type)}
    wanted |= {key: tuple(wanted[key]) for key in tuples & set(wanted) if wanted[key] is not None}
    for key in ("weights", "init"):
        if wanted.get(key):
            wanted[key] = os.fspath(wanted[key])
    return TrainConfig(**wanted) if before is None else replace(before, **wanted)


def check_and_resolve(asked: TrainConfig, manifest: Path, saved: dict[str, Any] | None = None) -> Resolved:
    """Read the rows, check them and the options, and fill in what was left open. Raises FerdataError's kinds.

    A run that is resumed, from the checkpoint `saved`, has its weights: those that it began with may be gone.
    """
    card = (
        check_names(asked)
        if saved is None
        else replace(backbone(saved["meta"].backbone), arguments=saved["meta"].arguments)
    )
    rows = read_rows(Manifest(manifest), asked.datasets, asked.fold, asked.targets)
    where = of_split(rows, asked.targets, asked.train_images)
    sanity_checks.check_splits(rows, where)
    notes = [
        *sanity_checks.check_classes(rows, where),
        *sanity_checks.check_scenes(rows, where),
        *sanity_checks.check_val(rows, len(where["val"]), asked.select),
        *sanity_checks.check_contamination(rows, where),
        *sanity_checks.check_proposals(rows, where),
    ]
    first = None if saved is not None else initial_weights.of_run(asked, rows.taxonomy)
    config = resolve_defaults(asked, card, rows, where, first)
    leak = sanity_checks.check_leak(rows, where, config.allow_leak)
    return Resolved(rows, where, config, card, first, saved, leak, notes)


def check_names(asked: TrainConfig) -> Backbone:
    """Return the backbone's card. Raises BadOption for a backbone or an augmentation that there is not."""
    own_ranges.of_run(asked)
    return backbone(asked.backbone, asked.pretrained, asked.weights)


def resolve_defaults(
    config: TrainConfig, card: Backbone, rows: Rows, where: Mapping[str, NDArray[np.intp]], first: Meta | None
) -> TrainConfig:
    """Return `config` with all that was left open filled in by the backbone, the images, and the weights begun with.

    `first` is the metadata of the run that `init` names. Raises BadOption for what does not go together.
    """
    everything = np.concatenate(list(where.values()))
    chosen, precision = device.resolve(config.device, config.precision)
    if config.precision == "auto" and (chosen, precision) == ("cpu", "bf16-mixed") and has_depthwise(card):
        precision = (
            "32-true"  # on an EPYC with AVX-512 BF16 a step took half as long: benchmarks/results/precision-*.md
        )
    images = len(where["train"])
    batch, accumulate = _batch(config, images)
    own = card.optimizer if config.optimizer is None else config.optimizer
    if own == "sgd" and not config.momentum:
        own = "momentum"  # timm's plain one: Nesterov's look ahead is along a momentum
    lr = config.lr
    if lr is None:
        usual = card.lr if config.optimizer in (None, card.optimizer) else PLAIN if is_plain(own) else ADAPTIVE
        lr = scaled(usual, own, batch * accumulate)
    decay = card.weight_decay if config.weight_decay is None else config.weight_decay
    size = config.size or (first.size if first else card.size) or natural_size(rows, everything)
    foreign = config.pretrained or config.weights is not None
    channels = config.channels or (
        first.channels if first else card.known.input_size[0] if foreign else _channels(rows, everything)
    )
    alone = config.unfreeze in ("head", "lp-ft")
    filled = replace(
        config,
        size=size,
        channels=channels,
        batch=batch,
        accumulate=accumulate,
        optimizer=own,
        lr=lr,
        head_lr=config.head_lr or (lr * HEAD if alone and foreign and config.lr is None else lr),
        weight_decay=decay,
        epochs=_epochs(config, images - images % (batch * accumulate)),
        device=chosen,
        precision=precision,
    )
    device.check_devices(chosen, config.devices)
    sanity_checks.check_norm(filled)
    return filled


def scaled(rate: float, optimizer: str, batch: int) -> float:
    """Return the rate for a step of `batch` images, from the `rate` for one of USUAL.

    Stochastic gradient descent's grows with the batch (Goyal et al. 2017, arXiv 1706.02677), any other optimizer's with
    the square root of it: they divide by a gradient's own size, which shrinks as its noise does (Krizhevsky 2014, arXiv
    1404.5997; Malladi et al. 2022, arXiv 2205.10782, for Adam and RMSprop). Muon's steps have one size whatever the
    gradient's, so that it is taken for one of these; nobody has shown that.
    """
    times = batch / USUAL
    return rate * (times if is_plain(optimizer) else math.sqrt(times))


def is_plain(optimizer: str) -> bool:
    """Say whether it is stochastic gradient descent, whose steps are as large as the gradients are.

    Of a name that there is not it is not said here: `optimizer.build` refuses that.
    """
    return optimizer in names() and get_optimizer_info(optimizer).opt_class in SGD


def _epochs(config: TrainConfig, images: int) -> int:
    """Return the most epochs that will run, each of so many `images`: what is too few for a step is left out."""
    if config.images_seen:
        return math.ceil(config.images_seen / images)
    return config.epochs or (EPOCHS if config.time_limit is None else MOST_EPOCHS)


def _batch(config: TrainConfig, images: int) -> tuple[int, int]:
    """Return the batch, at most all images and the same for each device, and how many of them make a step."""
    batch = min(config.batch, images)
    if batch % config.devices:
        raise BadOption(
            f"A batch of {batch} cannot be shared by {config.devices} devices.",
            f"Give --batch {max(1, batch // config.devices) * config.devices}.",
        )
    return batch, min(config.accumulate, images // batch)


def _channels(rows: Rows, where: NDArray[np.intp]) -> int:
    return 1 if all_grey(rows, where) else 3


def check_same(before: TrainConfig, now: TrainConfig, folder: Path) -> None:
    """Raise BadOption, with the names, unless a run is resumed under the options that it began with."""
    old, new = before.as_dict(), now.as_dict()
    other = [f"{key} (was {old[key]}, now {new[key]})" for key in KEYS if old[key] != new[key]]
    if other:
        raise BadOption(
            f"The run in {folder} began with other options: {', '.join(other)}.",
            "Resume it without them, or begin another run with another --out.",
        )
