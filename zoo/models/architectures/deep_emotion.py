"""`deep_emotion`: a small net that first turns and scales the face as it sees fit."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from timm.models import generate_default_cfgs
from torch import Tensor, nn

from zoo.models.architectures.contract import BLOCKS, Net, cfg, flat, make, register, side

default_cfgs = generate_default_cfgs({"deep_emotion": cfg(48, classes=7, fixed_input_size=True)})


class SpatialTransformer(nn.Module):
    """Looks at the picture, chooses an affine map, and samples the picture by it (Jaderberg et al. 2015).

    It begins as the identity: the last layer's weights are zero.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            *(nn.Conv2d(channels, 8, 7), nn.MaxPool2d(2), nn.ReLU(inplace=True)),
            *(nn.Conv2d(8, 10, 5), nn.MaxPool2d(2), nn.ReLU(inplace=True)),
        )
        last = nn.Linear(32, 6)
        self.choose = nn.Sequential(
            nn.Flatten(), nn.Linear(flat(self.look, channels, size), 32), nn.ReLU(inplace=True), last
        )
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to images of the same shape.

        The map and its grid are of the weights' own precision under autocast too: bfloat16 has eight bits for a place
        among 48 pixels, and puts the identity's grid off by 0.08 of them.
        """
        seen = self.look(x)
        with without_autocast(x.device):
            theta = self.choose(seen.to(self.choose[-1].weight.dtype)).view(-1, 2, 3)
            grid = F.affine_grid(theta, list(x.shape), align_corners=False)
            return F.grid_sample(x.to(grid.dtype), grid, align_corners=False)


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which autocast is off; nothing where it is off already, so that exporters see none."""
    kind = device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


class DeepEmotion(Net):
    """A spatial transformer before four layers of ten maps: 66,877 parameters at 48 px, grey, 7 classes.

    Minaee et al. 2021 (arXiv 1902.01019), as github.com/omarsayed7/Deep-Emotion has it. Dropout stops in eval mode,
    which it does not there. Sized by its input.
    """

    groups: ClassVar[dict[str, Any]] = {"transformer": r"^transformer", "blocks": BLOCKS, "neck": r"^neck"}

    def __init__(
        self, num_classes: int = 7, in_chans: int = 1, img_size: int | tuple[int, int] = 48, drop_rate: float = 0.5
    ) -> None:
        super().__init__()
        self.transformer = SpatialTransformer(in_chans, side(img_size))
        features = nn.Sequential(
            nn.Sequential(
                *(nn.Conv2d(in_chans, 10, 3), nn.ReLU(inplace=True)),
                *(nn.Conv2d(10, 10, 3), nn.MaxPool2d(2), nn.ReLU(inplace=True)),
            ),
            nn.Sequential(
                *(nn.Conv2d(10, 10, 3), nn.ReLU(inplace=True)),
                *(nn.Conv2d(10, 10, 3), nn.BatchNorm2d(10), nn.MaxPool2d(2), nn.ReLU(inplace=True)),
            ),
        )
        hidden = flat(features, in_chans, side(img_size))
        neck = nn.Sequential(nn.Flatten(), nn.Dropout(drop_rate), nn.Linear(hidden, 50), nn.ReLU(inplace=True))
        self.assemble(features, neck, (10, 50), num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map normalised images (B, C, size, size) to the last map (B, 10, h, w)."""
        return self.features(self.transformer(x))  # type: ignore[no-any-return]


@register
def deep_emotion(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build Deep-Emotion."""
    return make(DeepEmotion, "deep_emotion", pretrained, **given)
