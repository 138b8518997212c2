"""`vgg13_ferplus`: the net that came with the FER+ labels."""

from typing import Any

from timm.models import generate_default_cfgs
from torch import nn

from zoo.models.architectures.contract import Net, cfg, flat, make, register, side, xavier

default_cfgs = generate_default_cfgs({"vgg13_ferplus": cfg(64, fixed_input_size=True)})


class Vgg13FerPlus(Net):
    """The net of Barsoum et al. 2016 (arXiv 1608.01041; microsoft/FERPlus, src/models.py): 8.76 M at 64 px.

    No batch normalisation, Glorot-uniform weights, dropout 0.25 after each block; `drop_rate` is that of the two
    hidden layers.
    """

    blocks = ((64, 2), (128, 2), (256, 3), (256, 3))

    def __init__(
        self, num_classes: int = 8, in_chans: int = 1, img_size: int | tuple[int, int] = 64, drop_rate: float = 0.5
    ) -> None:
        super().__init__()
        features = nn.Sequential()
        inside = in_chans
        for width, depth in self.blocks:
            block: list[nn.Module] = []
            for _ in range(depth):
                block += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU(inplace=True)]
                inside = width
            features.append(nn.Sequential(*block, nn.MaxPool2d(2), nn.Dropout(0.25)))
        neck = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(flat(features, in_chans, side(img_size)), 1024), nn.ReLU(inplace=True), nn.Dropout(drop_rate)),
            *(nn.Linear(1024, 1024), nn.ReLU(inplace=True), nn.Dropout(drop_rate)),
        )
        self.assemble(features, neck, (inside, 1024), num_classes)
        xavier(self)


@register
def vgg13_ferplus(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build the VGG13 of FER+."""
    return make(Vgg13FerPlus, "vgg13_ferplus", pretrained, **given)
