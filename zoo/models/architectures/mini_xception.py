"""`mini_xception`: separable convolutions, and so few weights that it runs anywhere."""

from typing import Any

from timm.models import generate_default_cfgs
from torch import Tensor, nn

from zoo.models.architectures.contract import Net, Pooled, cfg, make, register

default_cfgs = generate_default_cfgs({"mini_xception": cfg(64, classes=7)})


def separable(inside: int, outside: int) -> list[nn.Module]:
    """One 3x3 kernel per channel, a 1x1 convolution, BatchNorm."""
    each = nn.Conv2d(inside, inside, 3, padding=1, groups=inside, bias=False)
    return [each, nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside)]


class Module(nn.Module):
    """Two separable convolutions and a pool beside a 1x1 shortcut; the side is halved, rounded up."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(*separable(inside, outside), nn.ReLU(inplace=True)),
            *(*separable(outside, outside), nn.MaxPool2d(3, 2, 1)),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, 2, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, outside, H/2, W/2)."""
        return self.body(x) + self.shortcut(x)  # type: ignore[no-any-return]


class MiniXception(Net):
    """56,951 parameters for 7 classes, grey (Arriaga et al. 2017, arXiv 1710.07557; oarriaga/face_classification).

    Its last layer is a 3x3 convolution whose maps are averaged, one map a class.
    """

    def __init__(self, num_classes: int = 7, in_chans: int = 1, drop_rate: float = 0.0) -> None:
        super().__init__()

        def layer(inside: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(inside, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))

        features = nn.Sequential(
            *(layer(in_chans), layer(8)), *(Module(8, 16), Module(16, 32), Module(32, 64), Module(64, 128))
        )
        self.assemble(features, nn.Sequential(nn.Dropout(drop_rate)), (128, 128), num_classes)
        self.pool = Pooled()

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map the last map to logits, or with `pre_logits` to its mean (B, 128)."""
        x = self.neck(x)
        return self.pool(x if pre_logits else self.classifier(x))  # type: ignore[no-any-return]

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:  # noqa: ARG002  # timm's
        """Put a new last layer in; 0 classes: none."""
        self.num_classes = num_classes
        self.classifier = nn.Conv2d(128, num_classes, 3, padding=1) if num_classes else nn.Identity()


@register
def mini_xception(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build mini-Xception."""
    return make(MiniXception, "mini_xception", pretrained, **given)
