"""`iresnet18` and `iresnet50`: the residual nets that faces are told apart with; their weights are a file's."""

from typing import Any, ClassVar

from timm.models import generate_default_cfgs
from torch import Tensor, nn

from zoo.models.architectures.contract import BLOCKS, Net, cfg, flat, make, register, side

SIZE, EMBEDDING = 112, 512  # pixels, and numbers that a face is described by
default_cfgs = generate_default_cfgs(
    {name: cfg(SIZE, channels=3, classes=7, fixed_input_size=True) for name in ("iresnet18", "iresnet50")}
)


class Block(nn.Module):
    """Normalise, 3x3, normalise, PReLU, 3x3, normalise; nothing after the sum (He et al. 2016; Deng et al. 2019)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inside),
            *(nn.Conv2d(inside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside), nn.PReLU(outside)),
            *(nn.Conv2d(outside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside)),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, outside, H/stride, W/stride), rounded up."""
        return self.body(x) + self.shortcut(x)  # type: ignore[no-any-return]


class IResNet(Net):
    """InsightFace's IResNet: 112 px, four stages that halve the side, and a face in 512 numbers before the classes.

    Deng et al. 2019 (arXiv 1801.07698; github.com/deepinsight/insightface, recognition/arcface_torch/backbones/
    iresnet.py). The layer before the 512 numbers reads the whole last map: weights fit at the size that they were
    learnt at alone.
    """

    groups: ClassVar[dict[str, Any]] = {"blocks": BLOCKS, "neck": r"^neck"}

    def __init__(
        self,
        depths: tuple[int, ...],
        num_classes: int = 7,
        in_chans: int = 3,
        img_size: int | tuple[int, int] = SIZE,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        stem = (nn.Conv2d(in_chans, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        features, inside = nn.Sequential(nn.Sequential(*stem)), 64
        for depth, width in zip(depths, (64, 128, 256, 512), strict=True):
            stage = [Block(inside, width, 2), *(Block(width, width, 1) for _ in range(depth - 1))]
            features.append(nn.Sequential(*stage))
            inside = width
        hidden = flat(features, in_chans, side(img_size))
        neck = nn.Sequential(
            *(nn.BatchNorm2d(inside), nn.Flatten(), nn.Dropout(drop_rate)),
            *(nn.Linear(hidden, EMBEDDING), nn.BatchNorm1d(EMBEDDING)),
        )
        self.assemble(features, neck, (inside, EMBEDDING), num_classes)


@register
def iresnet18(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build the IResNet of 2, 2, 2, 2 blocks."""
    return make(IResNet, "iresnet18", pretrained, depths=(2, 2, 2, 2), **given)


@register
def iresnet50(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build the IResNet of 3, 4, 14, 3 blocks."""
    return make(IResNet, "iresnet50", pretrained, depths=(3, 4, 14, 3), **given)
