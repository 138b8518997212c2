"""Which part of a net moves when, and one policy of batch normalisation for all of it.

What a loop of Keras' `fit` does wrong, and this does not: it makes a new optimizer, and loses its moments, at each
stage; switches normalisation from kept to batch statistics in the middle of the run; and lets one early stopping end
all stages (keras.io "Image classification via fine-tuning with EfficientNet"; Kumar et al. 2022, arXiv 2202.10054, for
lp-ft; Howard and Ruder 2018, arXiv 1801.06146, for gradual). Parts are whole blocks, but for "top", which counts layers
as such a loop does, wherever that cuts a block.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ferdata.errors import BadOption
from zoo.models.build import blocks
from zoo.models.keras_layers import keras_layers, last_layers
from zoo.options.options import TrainConfig

Blocks = Sequence[Sequence[str]]  # names of parameters, from stem to head


@dataclass(frozen=True)
class Stage:
    """A part of the run in which the last `open` blocks train; `epochs` None means to the end.

    `flat` keeps the rate at `lr`; else the schedule runs, with its warm-up from the start where `fresh` and as it
    stands where not. Plateau and patience begin anew in each: val's score under other open blocks is another matter.
    """

    name: str
    open: int
    epochs: int | None
    lr: float
    flat: bool = False
    fresh: bool = False


def parts(net: nn.Module, config: TrainConfig) -> tuple[Blocks, int]:
    """Return the net's parts that move at once, from stem to head, and how many of them the last open_layers are.

    They are its blocks. Under "top" the block that the line runs through is cut, what moves stands behind what does
    not, and the head is counted with it. Raises BadOption for more layers than the net has.
    """
    whole = blocks(net)
    if config.unfreeze != "top":
        return whole, len(whole)
    if config.open_layers > (all_layers := len(keras_layers(net))):
        raise BadOption(
            f"open_layers is {config.open_layers}, and {config.backbone} has {all_layers} layers before its head.",
            f"Give fewer, such as --set open_layers={all_layers // 2}; or train all of them: --unfreeze all.",
        )
    moving = last_layers(net, config.open_layers)
    still = [[name for name in block if name not in moving] for block in whole[:-1]]
    behind = [[name for name in block if name in moving] for block in whole[:-1]]
    front, back = ([part for part in half if part] for half in (still, behind))
    return [*front, *back, whole[-1]], len(back) + 1


def stages(config: TrainConfig, count: int, top: int) -> tuple[Stage, ...]:
    """Return the stages of a run over a net of `count` parts, of which "top" opens `top`.

    `config` has lr and epochs filled in.

    "lp-ft": the head alone for head_epochs at head_lr, then everything. "gradual": the head, and every block_epochs
    one block more from the top, all unfrozen ones training on. "top": the head and the last open_layers before it, as
    Keras counts them. "head": the head alone.
    """
    lr, last = config.lr or 0.0, count
    if config.unfreeze == "head":
        return (Stage("the head", 1, None, config.head_lr or lr),)
    if config.unfreeze == "top":
        return (Stage(f"the head and the last {config.open_layers} layers", top, None, lr),)
    if config.unfreeze == "lp-ft" and config.head_epochs:
        head = Stage("the head", 1, config.head_epochs, config.head_lr or lr, flat=True)
        return head, Stage("everything", last, None, lr, fresh=True)
    if config.unfreeze == "gradual":
        each = [Stage(f"the top {n} of {last} blocks", n, config.block_epochs, lr) for n in range(1, last)]
        return *each, Stage("everything", last, None, lr)
    return (Stage("everything", last, None, lr),)


def check(config: TrainConfig, plan: Sequence[Stage]) -> None:
    """Raise BadOption if the epochs end before the last stage begins: some blocks would never move."""
    before = sum(stage.epochs or 0 for stage in plan)
    if config.epochs is not None and before >= config.epochs:
        key, epochs = (
            ("head_epochs", config.head_epochs) if config.unfreeze == "lp-ft" else ("block_epochs", config.block_epochs)
        )
        shorter = f", or shorter stages: --set {key}=1" if epochs > 1 else ""
        raise BadOption(
            f"--unfreeze {config.unfreeze} opens the last block after {before} epochs, and there are {config.epochs}.",
            f"Give --epochs more than {before}{shorter}.",
        )


def set_open(net: nn.Module, blocks: Blocks, count: int) -> None:
    """Let the last `count` of `blocks` (of `parts`) move, and no other, by the parameters' names."""
    moving = {name for block in blocks[len(blocks) - count :] for name in block}
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name in moving)
        if name not in moving:
            parameter.grad = None


def backbone_norms(net: nn.Module, blocks: Blocks) -> list[_BatchNorm]:
    """Return the batch normalisations that the policy is about: all but those of the head, which start from nothing."""
    head = set(blocks[-1])
    names = dict(net.named_modules())
    return [
        module
        for name, module in names.items()
        if isinstance(module, _BatchNorm)
        and module.track_running_stats
        and not {f"{name}.weight", f"{name}.bias"} & head
    ]


def train_mode(net: nn.Module, norms: Sequence[_BatchNorm], policy: str) -> None:
    """Put `net` into training mode under the policy: the one place where `.train()` is called.

    "train": every normalisation uses and updates batch statistics, in blocks that stand still too, for the whole run.
    "frozen" and "recalibrate": those of the backbone keep their statistics, for the whole run.
    """
    net.train()
    if policy != "train":
        for module in norms:
            module.eval()


@contextmanager
def recalibrating(net: nn.Module, norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Re-estimate the statistics of `norms` as the plain mean over the batches that are run through `net` inside."""
    momenta = [module.momentum for module in norms]
    net.eval()
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # a cumulative average, PyTorch's nn.BatchNorm2d
        module.train()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, momentum in zip(norms, momenta, strict=True):
            module.momentum = momentum
            module.eval()
