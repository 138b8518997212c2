"""The usual loop on the same pixels: torchvision's transforms in a DataLoader's workers, timm's net and optimizer.

It begins where ours does, with decoded pixels in memory: nothing is read or decoded. Each worker augments picture by
picture, by the ranges of policy standard; batches are pinned and copied while the device works; a step is autocast,
backward, step, as timm's own training script has it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.optim import create_optimizer_v2
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

import zoo.models.architectures  # noqa: F401  # timm knows resnet_fer by it
from zoo.augment.policies import POLICIES
from zoo.data.rows import Images
from zoo.options.options import TrainConfig
from zoo.run.model_file import Meta


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Augmented, normalised float32 (C, H, W) and the target, float32 (classes,)."""

    def __init__(self, images: Images, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self.images, self.transform = images, like_standard(mean, std)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, at: int) -> tuple[Tensor, Tensor]:
        picture = self.images.pixels[at].permute(2, 0, 1)
        return self.transform(picture), self.images.soft[at]


def like_standard(mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """Return torchvision's transforms with policy standard's ranges."""
    policy = POLICIES["standard"]
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(policy.flip),
            v2.RandomAffine(
                policy.rotation,
                translate=(policy.shift, policy.shift),
                scale=policy.scale,
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.ColorJitter(brightness=policy.brightness, contrast=policy.contrast),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(mean), list(std)),
        ]
    )


@contextmanager
def learning(images: Images, meta: Meta, config: TrainConfig, workers: int) -> Iterator[Callable[[int], int]]:
    """Yield what makes so many steps of the usual loop and returns the images; end its workers afterwards."""
    device = torch.device(config.device)
    net = timm.create_model(config.backbone, in_chans=config.channels, num_classes=len(meta.classes))
    net = net.to(device, memory_format=torch.channels_last).train()
    optimizer = create_optimizer_v2(
        net, opt=config.optimizer, lr=config.lr, weight_decay=config.weight_decay, momentum=config.momentum
    )
    loader = DataLoader(
        Pictures(images, meta.mean, meta.std), config.batch, shuffle=True, num_workers=workers, drop_last=True,
        pin_memory=device.type == "cuda", persistent_workers=True, timeout=60,
    )  # fmt: skip
    half = config.precision == "bf16-mixed"
    batches = _endless(loader)

    def learn(steps: int) -> int:
        seen = 0
        for _ in range(steps):
            x, soft = next(batches)
            x = x.to(device, non_blocking=True, memory_format=torch.channels_last)
            soft = soft.to(device, non_blocking=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = F.cross_entropy(net(x), soft)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            seen += len(x)
        return seen

    try:
        yield learn
    finally:
        batches.close()


def _endless(loader: DataLoader[tuple[Tensor, Tensor]]) -> Any:
    while True:
        yield from loader
