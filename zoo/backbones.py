"""Backbones by name: two nets of our own for 40 to 64 px, and any classifier that timm can build."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ferdata.errors import BadOption

Statistics = tuple[float, ...]


@dataclass(frozen=True)
class Backbone:
    """What training must know of a net before it is built.

    `size` is its own input side in pixels (None: it takes the images as they come); `lr` and `weight_decay` suit
    `optimiser` at a batch of 128. `mean` and `std`, in 0..1, are those that pretrained weights were made with.
    """

    name: str
    build: Callable[[int, int, int], nn.Module]  # channels, classes, size
    size: int | None
    smallest: int
    optimiser: str
    lr: float
    weight_decay: float
    mean: Statistics | None = None
    std: Statistics | None = None


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2015, arXiv 1512.03385; shortcut pooled as in ResNet-D)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(inplace=True),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            pool = nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, outside, H/stride, W/stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


class ResNetFer(nn.Module):
    """A plain residual net for faces of 40 to 64 px: 1.2 M parameters, most of its work at a quarter of the input.

    The stem halves the picture at once, which is what makes it fast on a CPU; widths are multiples of 32, since
    vector units work in such blocks (48 and 96 channels took twice the time of 64).
    """

    widths = (32, 64, 128, 256)
    depths = (1, 1, 1, 1)

    def __init__(self, channels: int, classes: int, dropout: float = 0.2) -> None:
        super().__init__()
        inside = self.widths[0]
        layers: list[nn.Module] = [
            nn.Conv2d(channels, inside, 3, 2, 1, bias=False),
            nn.BatchNorm2d(inside),
            nn.ReLU(inplace=True),
        ]
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            for block in range(depth):
                layers.append(Residual(inside, width, 2 if stage and not block else 1))
                inside = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(inside, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) to logits (B, classes)."""
        return self.head(self.features(x).mean((2, 3)))  # type: ignore[no-any-return]


class Vgg13FerPlus(nn.Module):
    """The net of Barsoum et al. 2016 (arXiv 1608.01041; microsoft/FERPlus, src/models.py): 8.76 M at 64 px.

    No batch normalisation, Glorot-uniform weights, dropout 0.25 after each block and 0.5 in the head.
    """

    blocks = ((64, 2), (128, 2), (256, 3), (256, 3))

    def __init__(self, channels: int, classes: int, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = channels
        for width, depth in self.blocks:
            for _ in range(depth):
                layers += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU(inplace=True)]
                inside = width
            layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
        self.features = nn.Sequential(*layers)
        flat = inside * (size // 16) ** 2
        self.head = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(flat, 1024), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            *(nn.Linear(1024, 1024), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            nn.Linear(1024, classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, C, size, size) to logits (B, classes)."""
        return self.head(self.features(x))  # type: ignore[no-any-return]


OWN = {
    "resnet_fer": Backbone(
        "resnet_fer",
        lambda channels, classes, _: ResNetFer(channels, classes),
        size=48,
        smallest=32,
        optimiser="sgd",
        lr=0.1,
        weight_decay=5e-4,
    ),
    "vgg13_ferplus": Backbone(
        "vgg13_ferplus", Vgg13FerPlus, size=64, smallest=32, optimiser="sgd", lr=0.05, weight_decay=1e-4
    ),
}


def backbone(name: str, pretrained: bool = False) -> Backbone:
    """Return what is known of the backbone `name`, ours or timm's.

    `pretrained` asks timm for weights (a download). Raises BadOption for an unknown name, with the close ones, and
    for weights that there are none of.
    """
    if name in OWN:
        if pretrained:
            raise BadOption(f"There are no pretrained weights of {name}.", "Leave out --pretrained.")
        return OWN[name]
    import timm  # a second, which our own nets need not wait for

    if not timm.is_model(name.partition(".")[0]):
        close = difflib.get_close_matches(name, [*OWN, *timm.list_models()], n=4, cutoff=0.5)
        raise BadOption(
            f"There is no backbone {name!r}.",
            f"Did you mean {', '.join(close)}?" if close else f"Take {', '.join(OWN)} or a name that timm knows.",
        )
    return _from_timm(name, pretrained)


def _from_timm(name: str, pretrained: bool) -> Backbone:
    import timm

    try:
        known = timm.models.get_pretrained_cfg(name)
    except (RuntimeError, ValueError) as error:
        raise BadOption(f"timm cannot build {name!r}: {error}.", "Leave out the part behind the dot.") from None
    if pretrained and (known is None or not known.has_weights):
        raise BadOption(f"timm has no weights of {name}.", "Leave out --pretrained, or name another tag.")

    def build(channels: int, classes: int, size: int) -> nn.Module:  # noqa: ARG001  # timm's nets read it off the input
        net: nn.Module = timm.create_model(name, pretrained=pretrained, in_chans=channels, num_classes=classes)
        return net

    own_size = known.input_size[-1] if known and (pretrained or known.fixed_input_size) else None
    return Backbone(
        name,
        build,
        size=own_size,
        smallest=16,
        optimiser="adamw",
        lr=3e-4 if pretrained else 1e-3,
        weight_decay=0.05,
        mean=tuple(known.mean) if known and pretrained else None,
        std=tuple(known.std) if known and pretrained else None,
    )


def build(card: Backbone, channels: int, classes: int, size: int) -> nn.Module:
    """Build the net and try it on two blank images. Raises BadOption if it cannot take that input."""
    wish = f"Try --size {card.size or 2 * size}."
    if size < card.smallest:
        raise BadOption(f"{card.name} needs at least {card.smallest} px, not {size}.", wish)
    try:
        net = card.build(channels, classes, size)
    except OSError as error:  # timm fetches weights
        raise BadOption(
            f"The weights of {card.name} could not be fetched: {error}.", "Leave out --pretrained."
        ) from None
    try:
        with torch.inference_mode():
            shape = tuple(net.eval()(torch.zeros(2, channels, size, size)).shape)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadOption(f"{card.name} cannot take {size} px with {channels} channels: {reason}", wish) from None
    if shape != (2, classes):
        raise BadOption(f"{card.name} gives {shape}, not logits.", "Choose a classifier.")
    return net


def parameters(net: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
