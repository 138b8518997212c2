"""The options of a run: what a recipe, `--set` and the named options fill in, and what `config.toml` holds."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ferdata.errors import BadOption, choose_one

# The first is the default.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "stem": ("native", "small"),
    "head": ("linear", "mlp", "xgboost"),
    "targets": ("crossentropy", "majority", "probability", "multi_target"),
    "loss": ("cross_entropy", "focal"),
    "class_weights": ("none", "balanced", "effective"),
    "sampler": ("shuffle", "balanced", "sqrt", "dataset"),
    "schedule": ("one_cycle", "cosine", "plateau", "step", "exponential", "constant"),
    "unfreeze": ("all", "lp-ft", "gradual", "top", "head"),
    "norm": ("train", "frozen", "recalibrate"),
    "select": ("accuracy", "balanced_accuracy", "macro_f1", "loss", "last"),  # last: no selection
    "tta": ("none", "flip", "ten-crop"),
}
ABOVE_ZERO = (
    "size",
    "epochs",
    "time_limit",
    "batch",
    "lr",
    "head_lr",
    "accumulate",
    "devices",
    "step_every",
    "weight_cap",
    "images_seen",
    "train_images",
)
NOT_NEGATIVE = (
    *("weight_decay", "momentum", "head_l2", "focal_gamma", "logit_adjustment", "mixup", "cutmix", "sam", "clip"),
    *("warmup", "step_start", "plateau_patience", "min_lr", "head_epochs", "patience", "seed", "fold", "aux_weight"),
)
BELOW_ONE = ("smoothing", "dropout", "drop_path", "ema", "momentum")
AT_LEAST = {"batch": 2, "size": 8, "open_layers": 1}  # batch normalisation takes no batch of one
SHARES = ("layer_decay", "step_gamma", "plateau_factor")  # above 0, at most 1


@dataclass(frozen=True)
class TrainConfig:
    """Every option of a run, flat: a field is a recipe's key, and the KEY of `--set KEY=VALUE`.

    Lengths are in pixels, times in seconds, rates those of a whole batch. None means the backbone's own, or "not
    used"; what `config.toml` holds has the former filled in. `epochs` is the most that will run; under a `time_limit`
    the schedule ends with whichever comes first.
    """

    # Data.
    manifest: str = ""
    datasets: tuple[str, ...] | None = None  # None: all of them
    fold: int | None = None  # test on this fold, validate on the next, train on the others
    size: int | None = None
    channels: int | None = None
    train_images: int | None = None  # learn from so many of train's images, always the same ones; None: from all
    # Architecture.
    backbone: str = "resnet_fer"
    stem: str = "native"
    head: str = "linear"
    head_widths: tuple[int, ...] = ()
    head_dropout: tuple[float, ...] = ()  # one per hidden layer
    head_norm: bool = False
    head_l2: float = 0.0
    dropout: float | None = None  # before the last layer
    drop_path: float = 0.0
    aux_weight: float = 0.0  # of an auxiliary classifier's loss, where the backbone has one
    # Initial weights: random, unless one of these is given.
    pretrained: bool = False
    weights: str | None = None  # a file
    init: str | None = None  # a run
    # Targets and loss.
    targets: str = "crossentropy"
    loss: str = "cross_entropy"
    focal_gamma: float = 2.0
    smoothing: float = 0.0
    logit_adjustment: float = 0.0  # tau of Menon et al.
    class_weights: str = "none"
    weight_cap: float | None = None
    sampler: str = "shuffle"
    # Augmentation: a policy, and ranges in place of its own (zoo/augment/policies.py); None leaves the policy's.
    augment: str = "standard"
    scale: tuple[float, ...] | None = None
    rotation: float | None = None
    shear: float | None = None
    rotation_chance: float | None = None
    shift: float | None = None
    shift_chance: float | None = None
    crop: tuple[float, ...] | None = None
    crop_aspect: tuple[float, ...] | None = None
    flip: float | None = None
    brightness: tuple[float, ...] | None = None
    contrast: tuple[float, ...] | None = None
    tone_chance: float | None = None
    erase: float | None = None
    erase_area: tuple[float, ...] | None = None
    erase_aspect: tuple[float, ...] | None = None
    engine: str = "auto"
    mixup: float = 0.0  # alpha of the beta distribution
    cutmix: float = 0.0
    # Optimisation.
    optimizer: str | None = None
    lr: float | None = None  # peak; None: the backbone's, scaled by batch times accumulate (docs/training.md)
    momentum: float = 0.9
    weight_decay: float | None = None
    layer_decay: float = 1.0
    sam: float = 0.0  # rho
    clip: float = 0.0  # largest gradient norm
    accumulate: int = 1
    ema: float = 0.0  # decay
    schedule: str = "one_cycle"
    warmup: float | None = None  # epochs; None: a quarter of a one_cycle, none of the others
    step_start: int = 0
    step_every: int = 10
    step_gamma: float = 0.1
    step_at: tuple[int, ...] = ()  # epochs after which the rate is step_factors times lr, instead of the three above
    step_factors: tuple[float, ...] = ()
    plateau_factor: float = 0.5
    plateau_patience: int = 3
    min_lr: float = 0.0
    # Fine-tuning.
    unfreeze: str = "all"
    head_epochs: int = 3
    head_lr: float | None = None  # None: lr; over published weights ten times the backbone's, unless lr is given
    block_epochs: int = 1
    open_layers: int = 20  # before the head, as Keras counts them (zoo.models.keras_layers)
    norm: str = "train"
    # Length and model selection.
    epochs: int | None = None
    images_seen: int | None = None  # end after so many images, each counted as often as it is seen; not after epochs
    time_limit: float | None = None
    patience: int = 20
    select: str = "accuracy"
    tta: str = "flip"
    # Machine.
    batch: int = 128
    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    channels_last: bool = True
    compile: bool = False
    seed: int = 0
    allow_leak: bool = False
    allow_scale: bool = False  # pixels of another scale than nets are initialised for
    trust_files: bool = False

    def __post_init__(self) -> None:
        """Raise BadOption for a value that cannot work."""
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise BadOption(f"{spelt(name)} cannot be {value!r}.", choose_one(value, choices))
        bounds: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (
            (ABOVE_ZERO, lambda v: v > 0, "above 0"),
            (NOT_NEGATIVE, lambda v: v >= 0, "0 or more"),
            (BELOW_ONE, lambda v: 0 <= v < 1, "at least 0 and below 1"),
            (SHARES, lambda v: 0 < v <= 1, "above 0 and at most 1"),
        )
        for names, fits, words in bounds:
            for name in names:
                value = getattr(self, name)
                if value is not None and not (math.isfinite(value) and fits(value)):
                    raise BadOption(f"{spelt(name)} is {value}.", f"It must be {words}.")
        for name, least in AT_LEAST.items():
            if (value := getattr(self, name)) is not None and value < least:
                raise BadOption(f"{spelt(name)} is {value}.", f"It must be {least} or more.")
        self._check_pairs()

    def _check_pairs(self) -> None:
        """Raise BadOption for options that contradict one another."""
        if self.channels not in (None, 1, 3):
            raise BadOption(f"{spelt('channels')} is {self.channels}.", "Give 1 for grey or 3 for colour.")
        first = [name for name in ("pretrained", "weights", "init") if getattr(self, name)]
        if len(first) > 1:
            raise BadOption(
                f"The initial weights are given {len(first)} times: {', '.join(map(spelt, first))}.",
                "Give one of them.",
            )
        if len(self.step_at) != len(self.step_factors) or list(self.step_at) != sorted(set(self.step_at)):
            raise BadOption(
                f"step_at is {list(self.step_at)} and step_factors {list(self.step_factors)}.",
                "Give increasing epochs, and one factor for each of them.",
            )
        if self.head_dropout and len(self.head_dropout) != len(self.head_widths):
            raise BadOption(
                f"There are {len(self.head_widths)} head_widths, but {len(self.head_dropout)} head_dropout.",
                "Give one dropout rate per hidden layer.",
            )
        if self.unfreeze == "gradual" and self.block_epochs < 1:
            raise BadOption(f"block_epochs is {self.block_epochs}.", "Give at least one epoch per block.")

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)

    def toml(self) -> str:
        """Return the options as TOML; what is None is left out, since TOML has no word for it."""
        # JSON's strings, numbers, booleans and arrays are TOML's too.
        lines = [f"{key} = {json.dumps(value)}" for key, value in self.as_dict().items() if value is not None]
        about = "# The options of this run, with defaults filled in. It is also a recipe: ferdata train --recipe FILE"
        return "\n".join([about, "[options]", *lines, ""])


KEYS = tuple(field.name for field in fields(TrainConfig))


def spelt(name: str) -> str:
    """Return the option as a person types it on the command line."""
    return f"--{name.replace('_', '-')}" if name in NAMED else f"--set {name}=..."


# Those that have an option of their own; the others are given with `--set`.
NAMED = (
    *("backbone", "size", "channels", "targets", "epochs", "time_limit", "batch", "lr", "weight_decay", "augment"),
    *("class_weights", "select", "patience", "tta", "device", "devices", "precision", "seed", "datasets", "fold"),
    *("pretrained", "weights", "init", "head", "stem", "unfreeze", "norm", "loss", "smoothing", "sampler", "optimizer"),
    *("schedule", "ema", "compile", "allow_leak", "allow_scale", "trust_files"),
)

Works = Callable[[TrainConfig], bool]
# Options that do something under some of the others alone: which, when, and in words.
NEEDS: tuple[tuple[tuple[str, ...], Works, str], ...] = (
    (("focal_gamma",), lambda c: c.loss == "focal", "--loss focal"),
    (("weight_cap",), lambda c: c.class_weights != "none", "--class-weights balanced or effective"),
    (("plateau_factor", "plateau_patience"), lambda c: c.schedule == "plateau", "--schedule plateau"),
    (
        ("step_start", "step_every", "step_gamma"),
        lambda c: c.schedule == "exponential" or (c.schedule == "step" and not c.step_at),
        "--schedule exponential, or step without a table step_at",
    ),
    (("step_at", "step_factors"), lambda c: c.schedule == "step", "--schedule step"),
    (("min_lr",), lambda c: c.schedule != "constant", "a --schedule other than constant"),
    (("head_epochs",), lambda c: c.unfreeze == "lp-ft", "--unfreeze lp-ft"),
    (("head_lr",), lambda c: c.unfreeze in ("lp-ft", "head"), "--unfreeze lp-ft or head"),
    (("block_epochs",), lambda c: c.unfreeze == "gradual", "--unfreeze gradual"),
    (("open_layers",), lambda c: c.unfreeze == "top", "--unfreeze top"),
    (("layer_decay",), lambda c: c.unfreeze != "head", "an --unfreeze other than head"),
    (("head_widths", "head_dropout", "head_norm"), lambda c: c.head == "mlp", "--head mlp"),
    (("epochs",), lambda c: c.images_seen is None, "to stand without images_seen"),
    (("patience",), lambda c: c.select != "last", "a --select other than last"),
)


def idle(config: TrainConfig, given: Iterable[str]) -> dict[str, str]:
    """Return those options of `given` that do nothing under the others of `config`, each with what it needs, in words.

    What is turned off (0, false, none, an empty list) asks for nothing, and is never idle.
    """
    needs = {name: (works, words) for names, works, words in NEEDS for name in names}
    asked = [name for name in given if name in needs and getattr(config, name)]
    return {name: needs[name][1] for name in asked if not needs[name][0](config)}


def refuse_idle(found: Mapping[str, str]) -> None:
    """Raise BadOption if there is an option that does nothing: `found` has each with what it needs, as of `idle`."""
    if found:
        told = "; ".join(f"{spelt(name)} needs {words}" for name, words in found.items())
        raise BadOption(f"{', '.join(found)} would have no effect: {told}.", "Leave it out, or add what it needs.")
