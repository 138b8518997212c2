"""`lenet5`, the oldest net that still learns faces, and `lenet_bn`, `lenet_bn128`, which a course calls by its name."""

from typing import Any

from timm.models import generate_default_cfgs
from torch import nn

from zoo.models.architectures.contract import Net, cfg, flat, make, register, side

default_cfgs = generate_default_cfgs(
    {
        "lenet5": cfg(48, classes=7, fixed_input_size=True),
        "lenet_bn": cfg(48, channels=3, classes=3, fixed_input_size=True),
        "lenet_bn128": cfg(48, channels=3, classes=3, fixed_input_size=True),
    }
)


class LeNet5(Net):
    """LeNet-5 (LeCun et al. 1998, Proc. IEEE 86(11)): 168,971 parameters at 48 px, grey, 7 classes.

    As in the paper: tanh, averages for pools, hidden layers of 120 and 84. Its partial connections between maps and its
    radial output are not kept: maps are joined in full, and the last layer is linear.
    """

    def __init__(
        self, num_classes: int = 7, in_chans: int = 1, img_size: int | tuple[int, int] = 48, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        features = nn.Sequential(
            nn.Sequential(nn.Conv2d(in_chans, 6, 5), nn.Tanh(), nn.AvgPool2d(2)),
            nn.Sequential(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),
        )
        neck = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(flat(features, in_chans, side(img_size)), 120), nn.Tanh()),
            *(nn.Linear(120, 84), nn.Tanh(), nn.Dropout(drop_rate)),
        )
        self.assemble(features, neck, (16, 84), num_classes)


class LeNetBn(Net):
    """The LeNet-style net of the "Human Emotions Detection" course (Neuralearn, freeCodeCamp), sized by its input.

    3x3 layers without padding, batch normalisation after each ReLU, hidden layers of 1,024 and 128, dropout after the
    first pool and the first hidden layer. At 256 px it has 63,116,103 parameters for 3 classes, 99.8 % of them in the
    first hidden layer; at 48 px 1.8 M. With the one hidden layer of 128 it has 7,874,375 at 256 px.
    """

    def __init__(
        self,
        num_classes: int = 3,
        in_chans: int = 3,
        img_size: int | tuple[int, int] = 48,
        drop_rate: float = 0.0,
        hidden: tuple[int, ...] = (1024, 128),
    ) -> None:
        super().__init__()

        def block(inside: int, outside: int, *after: nn.Module) -> nn.Sequential:
            layers = (nn.Conv2d(inside, outside, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(outside), nn.MaxPool2d(2))
            return nn.Sequential(*layers, *after)

        features = nn.Sequential(block(in_chans, 6, nn.Dropout(drop_rate)), block(6, 16))
        neck = nn.Sequential(nn.Flatten())
        inside = flat(features, in_chans, side(img_size))
        for number, width in enumerate(hidden):
            neck.extend([nn.Linear(inside, width), nn.ReLU(inplace=True), nn.BatchNorm1d(width)])
            if not number:
                neck.append(nn.Dropout(drop_rate))
            inside = width
        self.assemble(features, neck, (16, inside), num_classes)


@register
def lenet5(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build LeNet-5."""
    return make(LeNet5, "lenet5", pretrained, **given)


@register
def lenet_bn(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build the course's LeNet-style net."""
    return make(LeNetBn, "lenet_bn", pretrained, **given)


@register
def lenet_bn128(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build the course's LeNet-style net with one hidden layer, of 128."""
    return make(LeNetBn, "lenet_bn128", pretrained, hidden=(128,), **given)
