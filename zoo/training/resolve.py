"""From what was asked for to the options of a run: recipe, `--set`, named options in order, then what is left open."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BadOption
from zoo.data import rows as data
from zoo.models.build import Backbone
from zoo.options import recipes
from zoo.options.options import KEYS, TrainConfig
from zoo.run import device
from zoo.run.model_file import Meta

EPOCHS = 30  # where neither epochs nor a time limit is given
MOST_EPOCHS = 60  # where only the limit is: on a fast machine more would only overfit
USUAL = 128  # the batch that a backbone's rate is for
# Peak rates for an optimiser that is not the backbone's own.
ADAPTIVE, PLAIN = 1e-3, 0.05


def merge(
    manifest: str,
    name: str,
    options: Mapping[str, Any] | Sequence[str],
    named: Mapping[str, Any],
    before: TrainConfig | None,
) -> TrainConfig:
    """Return the options as asked for: the dataclass's defaults < recipe `name` < `options` < `named`.

    Of `named`, what is None was not given. `before` are those of the run that is resumed: they take the defaults' and
    the default recipe's place. Raises BadOption for a key that is none.
    """
    wanted = dict(recipes.load(name).options) if before is None or name != "default" else {}
    wanted |= recipes.parse_set(options)
    given = {key: value for key, value in named.items() if value is not None}
    if given.get("pretrained") is False:  # from scratch, whatever the recipe says
        wanted |= {"weights": None, "init": None}
    elif {"pretrained", "weights", "init"} & set(given):  # one source of first weights takes another's place
        wanted |= {"pretrained": False, "weights": None, "init": None}
    wanted |= given | {"manifest": manifest}
    strangers = sorted(set(wanted) - set(KEYS))
    if strangers:
        raise BadOption(f"There is no option {', '.join(strangers)}.", f"There are {', '.join(KEYS)}.")
    tuples = {f.name for f in fields(TrainConfig) if "tuple" in str(f.type)}
    wanted |= {key: tuple(wanted[key]) for key in tuples & set(wanted) if wanted[key] is not None}
    for key in ("weights", "init"):
        if wanted.get(key):
            wanted[key] = os.fspath(wanted[key])
    return TrainConfig(**wanted) if before is None else replace(before, **wanted)


def fill(
    config: TrainConfig, card: Backbone, rows: data.Rows, where: Mapping[str, NDArray[np.intp]], first: Meta | None
) -> TrainConfig:
    """Return `config` with all that was left open filled in by the backbone, the images, and the weights begun with.

    `first` is the metadata of the run that `init` names. Raises BadOption for what does not go together.
    """
    everything = np.concatenate(list(where.values()))
    chosen, precision = device.resolve(config.device, config.precision)
    batch, accumulate = _batch(config, len(where["train"]))
    own = card.optimiser if config.optimiser is None else config.optimiser
    if own == "sgd" and not config.momentum:
        own = "momentum"  # timm's plain one: Nesterov's look ahead is along a momentum
    lr = config.lr
    if lr is None:
        usual = (
            card.lr if config.optimiser in (None, card.optimiser) else PLAIN if own in ("sgd", "momentum") else ADAPTIVE
        )
        lr = usual * batch * accumulate / USUAL
    decay = card.weight_decay if config.weight_decay is None else config.weight_decay
    size = config.size or (first.size if first else card.size) or data.natural_size(rows, everything)
    foreign = config.pretrained or config.weights is not None
    channels = config.channels or (first.channels if first else 3 if foreign else _channels(rows, everything))
    filled = replace(
        config,
        size=size,
        channels=channels,
        batch=batch,
        accumulate=accumulate,
        optimiser=own,
        lr=lr,
        head_lr=config.head_lr or lr,
        weight_decay=decay,
        epochs=config.epochs or (EPOCHS if config.time_limit is None else MOST_EPOCHS),
        device=chosen,
        precision=precision,
    )
    device.check_devices(chosen, config.devices)
    return filled


def _batch(config: TrainConfig, images: int) -> tuple[int, int]:
    """Return the batch, at most all images and the same for each device, and how many of them make a step."""
    batch = min(config.batch, images)
    if batch % config.devices:
        raise BadOption(
            f"A batch of {batch} cannot be shared by {config.devices} devices.",
            f"Give --batch {max(1, batch // config.devices) * config.devices}.",
        )
    return batch, min(config.accumulate, images // batch)


def _channels(rows: data.Rows, where: NDArray[np.intp]) -> int:
    return 1 if data.all_grey(rows, where) else 3


def check_same(before: TrainConfig, now: TrainConfig, folder: Path) -> None:
    """Raise BadOption, with the names, unless a run is resumed under the options that it began with."""
    old, new = before.as_dict(), now.as_dict()
    other = [f"{key} (was {old[key]}, now {new[key]})" for key in KEYS if old[key] != new[key]]
    if other:
        raise BadOption(
            f"The run in {folder} began with other options: {', '.join(other)}.",
            "Resume it without them, or begin another run with another --out.",
        )
