"""`emotionnet2`: a ResNet of basic blocks, as deep as ResNet-101 has bottlenecks."""

from typing import Any

from timm.models import generate_default_cfgs
from timm.models.resnet import BasicBlock, ResNet
from torch import nn

from zoo.models.architectures.contract import cfg, make, register

default_cfgs = generate_default_cfgs(
    {"emotionnet2": cfg(224, channels=3, classes=7, first_conv="conv1", classifier="fc")}
)


@register
def emotionnet2(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build EmotionNet2: [3, 4, 23, 3] basic blocks, 41.36 M parameters (github.com/co60ca/EmotionNet2, README)."""
    plan = {"block": BasicBlock, "layers": (3, 4, 23, 3), "zero_init_last": False}
    return make(ResNet, "emotionnet2", pretrained, **plan, **given)
