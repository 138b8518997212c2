"""`resemotenet`: three layers, squeeze and excitation, and three very wide residual blocks."""

from typing import Any

import torch.nn.functional as F
from timm.models import generate_default_cfgs
from torch import Tensor, nn

from zoo.models.architectures.contract import Net, Pooled, cfg, make, register

default_cfgs = generate_default_cfgs({"resemotenet": cfg(64, channels=3, classes=7)})


class Excite(nn.Module):
    """Weigh channels by what all of them say on average (Hu et al. 2018)."""

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            *(Pooled(), nn.Linear(width, width // reduction, bias=False), nn.ReLU(inplace=True)),
            *(nn.Linear(width // reduction, width, bias=False), nn.Sigmoid()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        weights: Tensor = self.weigh(x)
        return x * weights[:, :, None, None]


class Residual(nn.Module):
    """Two 3x3 convolutions, the first of which halves the side, beside a 1x1 shortcut; all with biases."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(inside, outside, 3, 2, 1), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)),
            *(nn.Conv2d(outside, outside, 3, 1, 1), nn.BatchNorm2d(outside)),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, 2), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, outside, H/2, W/2)."""
        return F.relu(self.body(x) + self.shortcut(x))


class ResEmoteNet(Net):
    """80.2 M parameters for 64 px, of the architecture of github.com/ArnabKumarRoy02/ResEmoteNet (approach/).

    `drop_rate` is that of the three hidden layers; after the first two layers it is 0.2.
    """

    def __init__(self, num_classes: int = 7, in_chans: int = 3, drop_rate: float = 0.5) -> None:
        super().__init__()

        def layer(inside: int, outside: int, *after: nn.Module) -> nn.Sequential:
            conv = nn.Conv2d(inside, outside, 3, padding=1)
            return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU(inplace=True), nn.MaxPool2d(2), *after)

        features = nn.Sequential(
            *(layer(in_chans, 64, nn.Dropout(0.2)), layer(64, 128, nn.Dropout(0.2)), layer(128, 256, Excite(256))),
            *(Residual(256, 512), Residual(512, 1024), Residual(1024, 2048)),
        )
        neck: list[nn.Module] = [Pooled()]
        for inside, outside in ((2048, 1024), (1024, 512), (512, 256)):
            neck += [nn.Linear(inside, outside), nn.ReLU(inplace=True), nn.Dropout(drop_rate)]
        self.assemble(features, nn.Sequential(*neck), (2048, 256), num_classes)


@register
def resemotenet(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build ResEmoteNet."""
    return make(ResEmoteNet, "resemotenet", pretrained, **given)
