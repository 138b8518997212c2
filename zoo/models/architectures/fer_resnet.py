"""`resnet_fer`: our own plain residual net for small faces."""

from typing import Any

import torch.nn.functional as F
from timm.models import generate_default_cfgs
from torch import Tensor, nn

from zoo.models.architectures.contract import Net, Pooled, cfg, make, register

default_cfgs = generate_default_cfgs({"resnet_fer": cfg(48)})


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


class ResNetFer(Net):
    """A plain residual net for faces of 40 to 64 px: 1.2 M parameters, most of its work at a quarter of the input.

    The stem halves the picture at once, which is what makes it fast on a CPU; widths are multiples of 32, since
    vector units work in such blocks (48 and 96 channels took twice the time of 64).
    """

    widths = (32, 64, 128, 256)
    depths = (1, 1, 1, 1)

    def __init__(self, num_classes: int = 8, in_chans: int = 1, drop_rate: float = 0.2) -> None:
        super().__init__()
        inside = self.widths[0]
        layers: list[nn.Module] = [
            nn.Sequential(
                nn.Conv2d(in_chans, inside, 3, 2, 1, bias=False), nn.BatchNorm2d(inside), nn.ReLU(inplace=True)
            )
        ]
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            for block in range(depth):
                layers.append(Residual(inside, width, 2 if stage and not block else 1))
                inside = width
        neck = nn.Sequential(Pooled(), nn.Dropout(drop_rate))
        self.assemble(nn.Sequential(*layers), neck, (inside, inside), num_classes)


@register
def resnet_fer(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build our own net of 1.2 M parameters."""
    return make(ResNetFer, "resnet_fer", pretrained, **given)
