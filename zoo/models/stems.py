"""The stem, where a net first looks: as published, or looking at every pixel, for faces of 40 to 64 px."""

from typing import Any

from timm.models.efficientnet import EfficientNet
from timm.models.mobilenetv3 import MobileNetV3
from timm.models.resnet import ResNet
from torch import nn

from ferdata.errors import BadOption, choose_one

NATIVE, SMALL = STEMS = ("native", "small")


def set_stem(net: nn.Module, stem: str, name: str) -> bool:
    """Make the stem of a net "small": stride 1, no pooling; return whether its first weights were given up for that.

    "native" leaves it alone. EfficientNets and MobileNets keep their stem's weights, and ResNets of the "d" kind those
    of their three 3x3 layers; the 7x7 layer of a plain ResNet becomes a 3x3 one whose weights are drawn anew, since
    there are none of that shape. Raises BadOption for any other net.
    """
    if stem == NATIVE:
        return False
    if stem != SMALL:
        raise BadOption(f"There is no stem {stem!r}.", choose_one(stem, STEMS))
    if isinstance(net, EfficientNet | MobileNetV3):
        first: Any = net.conv_stem
        first.stride = (1, 1)
        return False
    if isinstance(net, ResNet):
        return _resnet(net)
    raise BadOption(
        f"{name} has no small stem: that is for timm's ResNets, EfficientNets and MobileNets.",
        "Leave out --stem; where faces get too small for it, raise --size.",
    )


def _resnet(net: ResNet) -> bool:
    net.maxpool = nn.Identity()
    if isinstance(net.conv1, nn.Sequential):
        first: Any = net.conv1[0]
        first.stride = (1, 1)
        return False
    old = net.conv1
    new = nn.Conv2d(old.in_channels, old.out_channels, 3, 1, 1, bias=False, device=old.weight.device)
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    net.conv1 = new
    return True
