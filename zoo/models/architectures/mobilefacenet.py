"""`mobilefacenet` and `mobilefacenet_x2`: small nets that faces are told apart with; their weights are a file's."""

import math
from typing import Any

from timm.models import generate_default_cfgs
from torch import Tensor, nn

from zoo.models.architectures.contract import Net, cfg, flat, make, register, side

SIZE, EMBEDDING, LAST = 112, 512, 512  # pixels, numbers that a face is described by, channels of the last map
default_cfgs = generate_default_cfgs(
    {name: cfg(SIZE, channels=3, classes=7, fixed_input_size=True) for name in ("mobilefacenet", "mobilefacenet_x2")}
)


def linear(inside: int, outside: int, kernel: int, groups: int = 1) -> nn.Sequential:
    """Convolution without padding and BatchNorm."""
    return nn.Sequential(nn.Conv2d(inside, outside, kernel, groups=groups, bias=False), nn.BatchNorm2d(outside))


def layer(inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution that keeps the side but for its stride, BatchNorm, PReLU."""
    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.PReLU(outside))


class Bottleneck(nn.Module):
    """Widen to `hidden`, one 3x3 kernel per channel, narrow again; beside a shortcut where the shape stays."""

    def __init__(self, inside: int, outside: int, hidden: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            layer(inside, hidden, 1), layer(hidden, hidden, 3, stride, hidden), linear(hidden, outside, 1)
        )
        self.adds = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, outside, H/stride, W/stride), rounded up."""
        return x + self.body(x) if self.adds else self.body(x)  # type: ignore[no-any-return]


class MobileFaceNet(Net):
    """MobileFaceNet (Chen et al. 2018, arXiv 1804.07573): 112 px, and a face in 512 numbers before the classes.

    `scale` multiplies the widths of the bottlenecks' ends, not what they widen to: 1 is the paper's (and
    github.com/TreB1eN/InsightFace_Pytorch's), 2 InsightFace's `mbf` (recognition/arcface_torch/backbones/
    mobilefacenet.py). One kernel a channel weighs the whole last map: weights fit at the size that they were learnt at
    alone.
    """

    def __init__(
        self,
        scale: int,
        num_classes: int = 7,
        in_chans: int = 3,
        img_size: int | tuple[int, int] = SIZE,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        narrow, wide = 64 * scale, 128 * scale

        def stage(depth: int, width: int, hidden: int) -> nn.Sequential:
            return nn.Sequential(*(Bottleneck(width, width, hidden, 1) for _ in range(depth)))

        features = nn.Sequential(
            *(layer(in_chans, narrow, 3, 2), layer(narrow, narrow, 3, groups=64)),
            *(Bottleneck(narrow, narrow, 128, 2), stage(4, narrow, 128)),
            *(Bottleneck(narrow, wide, 256, 2), stage(6, wide, 256)),
            *(Bottleneck(wide, wide, 512, 2), stage(2, wide, 256)),
            layer(wide, LAST, 1),
        )
        last = math.isqrt(flat(features, in_chans, side(img_size)) // LAST)
        neck = nn.Sequential(
            *(linear(LAST, LAST, last, groups=LAST), nn.Flatten()),
            *(nn.Linear(LAST, EMBEDDING, bias=False), nn.BatchNorm1d(EMBEDDING), nn.Dropout(drop_rate)),
        )
        self.assemble(features, neck, (LAST, EMBEDDING), num_classes)


@register
def mobilefacenet(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build the paper's MobileFaceNet."""
    return make(MobileFaceNet, "mobilefacenet", pretrained, scale=1, **given)


@register
def mobilefacenet_x2(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build InsightFace's MobileFaceNet of twice the width."""
    return make(MobileFaceNet, "mobilefacenet_x2", pretrained, scale=2, **given)
