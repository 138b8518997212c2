"""Heads: what turns a backbone's features into classes. A last layer, hidden layers before it, or trees behind it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ferdata.errors import BadOption, choose_one

KINDS = ("linear", "mlp", "xgboost")


@dataclass(frozen=True)
class Head:
    """A head, resolved: `widths` and `dropout` have one number per hidden layer; `norm` puts BatchNorm in each.

    `l2` is a penalty on the head's own weights (not its biases), as Keras' `kernel_regularizer` has it: `penalty` adds
    l2 times the sum of their squares to the loss, so that it is felt under any optimizer. A net under "xgboost" is
    trained with a linear head; the trees (zoo.models.xgboost_head) are then fitted on its features.
    """

    kind: str = "linear"
    widths: tuple[int, ...] = ()
    dropout: tuple[float, ...] = ()
    norm: bool = False
    l2: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the form that a model file's metadata carry."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def __post_init__(self) -> None:
        """Raise BadOption for a head that cannot be built."""
        if self.kind not in KINDS:
            raise BadOption(f"There is no head {self.kind!r}.", choose_one(self.kind, KINDS))
        if self.kind == "mlp" and not self.widths:
            raise BadOption("An mlp head has no hidden layers.", "Give their widths: --set head_widths=512,256")
        if self.kind != "mlp" and (self.widths or self.dropout or self.norm):
            raise BadOption(
                f"A {self.kind} head has no hidden layers to give widths, dropout or norm.", "Add --set head=mlp"
            )
        if self.dropout and len(self.dropout) != len(self.widths):
            raise BadOption(
                f"{len(self.dropout)} rates of dropout for {len(self.widths)} hidden layers.",
                "Give one for each, 0 for none.",
            )
        if any(width < 1 for width in self.widths):
            raise BadOption(f"Hidden layers of {self.widths} units.", "Each width must be above 0.")
        if any(not 0 <= rate < 1 for rate in self.dropout) or self.l2 < 0:
            raise BadOption(f"Dropout {self.dropout}, l2 {self.l2}.", "Dropout is 0 to below 1, l2 at least 0.")


LINEAR = Head()


class Norm(nn.BatchNorm1d):
    """Batch normalisation that takes a batch of one image while training: by its running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C) per column."""
        if self.training and len(x) == 1:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class Mlp(nn.Sequential):
    """Hidden layers, each Dense, ReLU, BatchNorm, Dropout in this order, then the last layer.

    The order is that of github.com/Chorko/Emotion-recognition-using-efficientnet; without `norm` and with one layer of
    128 it is that of github.com/amrkld/Facial_Expression_Recognizer_Fine-Tuning.
    """

    def __init__(self, inside: int, head: Head, classes: int) -> None:
        layers: list[nn.Module] = []
        for width, rate in zip(head.widths, head.dropout or (0.0,) * len(head.widths), strict=True):
            layers += [nn.Linear(inside, width), nn.ReLU(inplace=True)]
            if head.norm:
                layers.append(Norm(width))
            if rate:
                layers.append(nn.Dropout(rate))
            inside = width
        super().__init__(*layers, nn.Linear(inside, classes))


def attach(net: nn.Module, head: Head, classes: int) -> None:
    """Give a net of timm's contract the head, in the place of its last layer; it has `classes` outputs already.

    Raises BadOption for hidden layers behind a net whose last layer is no single linear one, and for trees behind one
    that has several.
    """
    last = net.get_classifier()  # type: ignore[operator]  # timm's contract
    name = next((name for name, module in net.named_modules() if module is last), None)
    if head.kind == "xgboost" and (name is None or isinstance(last, nn.ModuleList)):
        raise BadOption(
            f"{type(net).__name__} has several last layers, which read different features.",
            "Take --set head=linear, or another backbone.",
        )
    if head.kind == "mlp":
        if name is None or not isinstance(last, nn.Linear):
            raise BadOption(
                f"{type(net).__name__} ends in a {type(last).__name__}, behind which an mlp head does not fit.",
                "Take --set head=linear, or another backbone.",
            )
        last = Mlp(last.in_features, head, classes)
        net.set_submodule(name, last)
    for part in last if isinstance(last, tuple | list) else (last,):
        for layer in part.modules() if head.l2 else ():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                object.__setattr__(layer, "l2", head.l2)


def redraw(net: nn.Module) -> None:
    """Draw the last layer of a net of timm's contract anew, by PyTorch's own rule for a linear layer.

    timm's rules for EfficientNet, MobileNetV3 and Inception V3 draw it so wide for a few classes that training begins
    with a loss of 3 to 6 nats, where no opinion is ln 8 = 2.1: the gradients of that would spoil weights that were
    loaded.
    """
    last = net.get_classifier()  # type: ignore[operator]  # timm's contract
    for part in last if isinstance(last, tuple | list) else (last,):
        for layer in part.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.reset_parameters()


def penalty(net: nn.Module) -> Tensor | None:
    """Return the sum over the head's weights of l2 times their square, to be added to the loss; None without l2."""
    terms = list(_terms(net))
    return torch.stack(terms).sum() if terms else None


def _terms(net: nn.Module) -> Iterator[Tensor]:
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and (l2 := getattr(layer, "l2", 0.0)):
            yield l2 * layer.weight.float().square().sum()
