"""The stem, where a net first looks: as published, or looking at every pixel, for faces of 40 to 64 px."""

from timm.models.efficientnet import EfficientNet
from timm.models.mobilenetv3 import MobileNetV3
from timm.models.resnet import ResNet
from torch import nn

from ferdata.errors import BadOption

NATIVE, SMALL = STEMS = ("native", "small")


def set_stem(net: nn.Module, stem: str, name: str) -> None:
    """Make the stem of a fresh net "small": stride 1, no pooling. "native" leaves it alone.

    EfficientNets and MobileNets keep their stem's weights, and ResNets of the "d" kind those of their three 3x3 layers;
    the 7x7 layer of a plain ResNet becomes a 3x3 one whose weights are drawn anew, even after `pretrained`, since there
    are none of that shape. Raises BadOption for any other net.
    """
    if stem == NATIVE:
        return
    if stem != SMALL:
        raise BadOption(f"There is no stem {stem!r}.", f"Choose one of {', '.join(STEMS)}.")
    if isinstance(net, EfficientNet | MobileNetV3):
        net.conv_stem.stride = (1, 1)
    elif isinstance(net, ResNet):
        _resnet(net)
    else:
        raise BadOption(
            f"{name} has no small stem: that is for ResNets, EfficientNets and MobileNets of timm.",
            "Leave out --stem, or raise --size.",
        )


def forgets(net: nn.Module) -> bool:
    """Return whether a small stem costs the net its first layer's weights."""
    return isinstance(net, ResNet) and not isinstance(net.conv1, nn.Sequential)


def _resnet(net: ResNet) -> None:
    if isinstance(net.conv1, nn.Sequential):
        net.conv1[0].stride = (1, 1)
    else:
        old = net.conv1
        new = nn.Conv2d(old.in_channels, old.out_channels, 3, 1, 1, bias=False, device=old.weight.device)
        nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
        net.conv1 = new
    net.maxpool = nn.Identity()
