"""The options of a run, resolved: what `config.toml` and the checkpoint carry."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from ferdata.errors import BadOption

TARGETS = ("soft", "hard")
CLASS_WEIGHTS = ("none", "balanced", "effective")
SELECT = ("accuracy", "macro_f1")


@dataclass(frozen=True)
class TrainConfig:
    """Every option after defaults were filled in; lengths in pixels, times in seconds.

    `epochs` is the most that will run; under a `time_limit` the schedule ends with whichever comes first.
    """

    manifest: str
    backbone: str
    size: int
    channels: int
    targets: str
    epochs: int
    time_limit: float | None
    batch: int
    optimiser: str
    lr: float
    weight_decay: float
    smoothing: float
    augment: str
    class_weights: str
    select: str
    patience: int
    tta: bool
    device: str
    precision: str
    seed: int
    datasets: tuple[str, ...] | None
    allow_leak: bool
    pretrained: bool

    def __post_init__(self) -> None:
        """Raise BadOption for a value that cannot work."""
        for name, value, choices in (
            ("targets", self.targets, TARGETS),
            ("class-weights", self.class_weights, CLASS_WEIGHTS),
            ("select", self.select, SELECT),
        ):
            if value not in choices:
                raise BadOption(f"--{name} cannot be {value!r}.", f"Choose one of {', '.join(choices)}.")
        for name, number in (("epochs", self.epochs), ("batch", self.batch), ("lr", self.lr)):
            if not number > 0:
                raise BadOption(f"--{name} is {number}.", "It must be above 0.")
        if self.time_limit is not None and not self.time_limit > 0:
            raise BadOption(f"--time-limit is {self.time_limit} s.", "Give a time such as 10m.")
        if not 0 <= self.smoothing < 1:
            raise BadOption(f"--smoothing is {self.smoothing}.", "It must be at least 0 and below 1.")
        if self.weight_decay < 0 or self.patience < 0:
            raise BadOption("--weight-decay or --patience is negative.", "Give 0 to switch either off.")

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)

    def toml(self) -> str:
        """Return the options as TOML; what is None is left out, since TOML has no word for it."""
        # JSON's strings, numbers, booleans and arrays are TOML's too.
        lines = [f"{key} = {json.dumps(value)}" for key, value in self.as_dict().items() if value is not None]
        return "\n".join(["# The options of this run, with defaults filled in.", *lines, ""])
