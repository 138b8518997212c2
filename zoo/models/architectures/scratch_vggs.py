"""VGG-style nets that were trained on faces alone: `khaireddin_vgg`, `wujie_vgg19` and `fernet`."""

from collections.abc import Sequence
from typing import Any

from timm.models import generate_default_cfgs
from torch import nn

from zoo.models.architectures.contract import Net, Pooled, cfg, flat, make, register, side, xavier

default_cfgs = generate_default_cfgs(
    {
        "khaireddin_vgg": cfg(40, classes=7, fixed_input_size=True),
        "wujie_vgg19": cfg(44, channels=3, classes=7),
        "fernet": cfg(48, classes=7, fixed_input_size=True, first_conv="features.0.1"),
    }
)


def normalised(channels: int, plan: Sequence[tuple[int, int]]) -> nn.Sequential:
    """Return blocks of (width, depth): 3x3 layers, each with BatchNorm and ReLU, and a pool that halves the map."""
    features, inside = nn.Sequential(), channels
    for width, depth in plan:
        block: list[nn.Module] = []
        for _ in range(depth):
            block += [nn.Conv2d(inside, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            inside = width
        features.append(nn.Sequential(*block, nn.MaxPool2d(2)))
    return features


class KhaireddinVgg(Net):
    """Four blocks of two layers, two hidden layers of 4,096: 29,890,759 parameters at 40 px, grey, 7 classes.

    Khaireddin & Chen 2021 (arXiv 2105.03588; github.com/usef-kh/fer, models/vgg.py, where dropout is 0.2 and stands
    before each hidden ReLU).
    """

    def __init__(
        self, num_classes: int = 7, in_chans: int = 1, img_size: int | tuple[int, int] = 40, drop_rate: float = 0.2
    ) -> None:
        super().__init__()
        features = normalised(in_chans, ((64, 2), (128, 2), (256, 2), (512, 2)))
        neck = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(flat(features, in_chans, side(img_size)), 4096), nn.Dropout(drop_rate), nn.ReLU(inplace=True)),
            *(nn.Linear(4096, 4096), nn.Dropout(drop_rate), nn.ReLU(inplace=True)),
        )
        self.assemble(features, neck, (512, 4096), num_classes)


class WuJieVgg19(Net):
    """VGG19 with batch normalisation and nothing between its last map and the classes: 20.04 M parameters.

    github.com/WuJie1010/Facial-Expression-Recognition.Pytorch, models/vgg.py: at 44 px the last map is one place; at
    other sizes it is averaged.
    """

    def __init__(self, num_classes: int = 7, in_chans: int = 3, drop_rate: float = 0.5) -> None:
        super().__init__()
        features = normalised(in_chans, ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)))
        self.assemble(features, nn.Sequential(Pooled(), nn.Dropout(drop_rate)), (512, 512), num_classes)


class FerNet(Net):
    """Five blocks of two 4x4 layers, BatchNorm, a pool and dropout; flattened into the classes.

    Bodapati et al. 2022 (doi 10.1007/s40031-021-00681-8). The paper's numbers of filters could not be read: 32 to 512,
    doubling, are ours, and so is its count of parameters. Weights Glorot-uniform ("Xavier"), as reported of it.
    """

    widths = (32, 64, 128, 256, 512)

    def __init__(
        self, num_classes: int = 7, in_chans: int = 1, img_size: int | tuple[int, int] = 48, drop_rate: float = 0.5
    ) -> None:
        super().__init__()
        features, inside = nn.Sequential(), in_chans
        for width in self.widths:
            block: list[nn.Module] = []
            for before in (inside, width):
                # An even kernel keeps the side with one more row and column on the far side, as Keras pads.
                block += [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(before, width, 4), nn.ReLU(inplace=True)]
            features.append(nn.Sequential(*block, nn.BatchNorm2d(width), nn.MaxPool2d(2), nn.Dropout(drop_rate)))
            inside = width
        hidden = flat(features, in_chans, side(img_size))
        self.assemble(features, nn.Sequential(nn.Flatten()), (inside, hidden), num_classes)
        xavier(self)


@register
def khaireddin_vgg(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build the VGG of Khaireddin & Chen."""
    return make(KhaireddinVgg, "khaireddin_vgg", pretrained, **given)


@register
def wujie_vgg19(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build the small-input VGG19 of WuJie1010."""
    return make(WuJieVgg19, "wujie_vgg19", pretrained, **given)


@register
def fernet(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build FERNet."""
    return make(FerNet, "fernet", pretrained, **given)
