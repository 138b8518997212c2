"""`auto_fernet`: a net of cells whose wiring was searched for on faces."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from timm.layers import DropPath
from timm.models import generate_default_cfgs
from torch import Tensor, nn

from zoo.models.architectures.contract import BLOCKS, Net, Pooled, cfg, make, register

default_cfgs = generate_default_cfgs({"auto_fernet": cfg(44, classes=7, first_conv="stem.0")})

Wiring = tuple[tuple[str, int], ...]
# (operation, state it reads): 0 and 1 are the two cells before, 2 to 5 the cell's own nodes, two operations to a node.
NORMAL: Wiring = (
    *(("sep3", 0), ("conv3", 1)),
    *(("dil5", 0), ("conv1", 2)),
    *(("ghost", 2), ("dil5", 3)),
    *(("skip", 0), ("conv1", 1)),
)
REDUCTION: Wiring = (
    *(("max", 0), ("max", 1)),
    *(("max", 0), ("dil5", 2)),
    *(("avg", 1), ("skip", 2)),
    *(("avg", 0), ("sep3", 2)),
)
CELLS, REDUCING, WIDTH = 12, (4, 8), 36


def conv(inside: int, outside: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution that keeps the side but for its stride, BatchNorm."""
    layer = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), layer, nn.BatchNorm2d(outside))


def depthwise(width: int, kernel: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """ReLU, one kernel per channel, 1x1 convolution, BatchNorm."""
    padding = dilation * (kernel // 2)
    each = nn.Conv2d(width, width, kernel, stride, padding, dilation, groups=width, bias=False)
    return nn.Sequential(nn.ReLU(), each, nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))


class Halve(nn.Module):
    """Halve the side with two 1x1 convolutions, the second of which looks one pixel on."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(inside, outside // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(inside, outside // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(outside)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, outside, H/2, W/2), rounded up."""
        x = self.relu(x)
        # At an odd side the second has one row and column fewer to look at; it then sees zeros beyond the rim.
        beyond = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat((self.even(x), self.odd(beyond)), 1))  # type: ignore[no-any-return]


class Ghost(nn.Module):
    """Half of the maps by 1x1 convolution, the other half from those by a 3x3 kernel each (Han et al. 2020)."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        half = width // 2
        self.first = nn.Sequential(
            nn.Conv2d(width, half, 1, stride, bias=False), nn.BatchNorm2d(half), nn.ReLU(inplace=True)
        )
        self.cheap = nn.Sequential(
            nn.Conv2d(half, half, 3, 1, 1, groups=half, bias=False), nn.BatchNorm2d(half), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to (B, width, H/stride, W/stride)."""
        x = self.first(x)
        return torch.cat((x, self.cheap(x)), 1)


OPERATIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "max": lambda _, stride: nn.MaxPool2d(3, stride, 1),
    "avg": lambda _, stride: nn.AvgPool2d(3, stride, 1, count_include_pad=False),
    "skip": lambda width, stride: nn.Identity() if stride == 1 else Halve(width, width),
    "sep3": lambda width, stride: nn.Sequential(depthwise(width, 3, stride), depthwise(width, 3, 1)),
    "dil5": lambda width, stride: depthwise(width, 5, stride, dilation=2),
    "ghost": Ghost,
    "conv1": lambda width, stride: conv(width, width, 1, stride),
    "conv3": lambda width, stride: conv(width, width, 3, stride),
}


class Cell(nn.Module):
    """Four nodes, each the sum of two operations on earlier states; their maps are joined: 4 x `width` channels."""

    def __init__(self, before: tuple[int, int], width: int, reduces: bool, wider: bool, drop_path: float) -> None:
        super().__init__()
        self.wiring = REDUCTION if reduces else NORMAL
        self.older = Halve(before[0], width) if wider else conv(before[0], width)
        self.newer = conv(before[1], width)
        self.operations, self.drops = nn.ModuleList(), nn.ModuleList()
        for name, state in self.wiring:
            operation = OPERATIONS[name](width, 2 if reduces and state < 2 else 1)
            self.operations.append(operation)
            spared = isinstance(operation, nn.Identity) or not drop_path
            self.drops.append(nn.Identity() if spared else DropPath(drop_path))

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        """Map the outputs of the two cells before to this cell's."""
        states = [self.older(older), self.newer(newer)]
        made = []
        for (_, state), operation, drop in zip(self.wiring, self.operations, self.drops, strict=True):
            made.append(drop(operation(states[state])))
            if len(made) == 2:
                states.append(made[0] + made[1])
                made = []
        return torch.cat(states[2:], 1)


class AutoFerNet(Net):
    """The cells that a search found, twelve of them: 2,164,831 parameters, 2,638,950 with the auxiliary classifier.

    Li et al. 2021 (IEEE TNSE 8(3), doi 10.1109/TNSE.2021.3083739; github.com/liwei109/Auto-FERNet, NAS/). With `aux`
    it returns (logits, auxiliary logits) in train mode. `drop_path_rate` is the same in all cells. The search itself
    saw FER2013's test images.
    """

    groups: ClassVar[dict[str, Any]] = {"stem": r"^stem", "blocks": BLOCKS}

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        aux: bool = False,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_chans, 3 * WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(3 * WIDTH))
        cells, before, width, wider = nn.Sequential(), (3 * WIDTH, 3 * WIDTH), WIDTH, False
        for index in range(CELLS):
            reduces = index in REDUCING
            width *= 2 if reduces else 1
            cells.append(Cell(before, width, reduces, wider, drop_path_rate))
            before, wider = (before[1], 4 * width), reduces
        self.assemble(cells, nn.Sequential(Pooled(), nn.Dropout(drop_rate)), (4 * width, 4 * width), num_classes)
        self.auxiliary = self._auxiliary(4 * width, num_classes) if aux else None

    @staticmethod
    def _auxiliary(width: int, classes: int) -> nn.Sequential:
        return nn.Sequential(
            *(nn.ReLU(), nn.AvgPool2d(5, 3, count_include_pad=False)),
            *(nn.Conv2d(width, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU(inplace=True)),
            *(nn.Conv2d(128, 768, 2, bias=False), nn.BatchNorm2d(768), nn.ReLU(inplace=True)),
            *(Pooled(), nn.Linear(768, classes)),
        )

    def _cells(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last map, and the one after the second reduction."""
        older = newer = middle = self.stem(x)
        for index, cell in enumerate(self.features):
            older, newer = newer, cell(older, newer)
            if index == REDUCING[-1]:
                middle = newer
        return newer, middle

    def forward_features(self, x: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) to the last map (B, 576, H/4, W/4)."""
        return self._cells(x)[0]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:  # type: ignore[override]  # with an auxiliary one
        """Map normalised images to logits; while training with an auxiliary classifier, to (logits, its logits)."""
        last, middle = self._cells(x)
        logits = self.forward_head(last)
        return (logits, self.auxiliary(middle)) if self.auxiliary is not None and self.training else logits


@register
def auto_fernet(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build Auto-FERNet."""
    return make(AutoFerNet, "auto_fernet", pretrained, **given)
