"""Nets of our own, and torchvision's that timm lacks, each beside its card (`.toml`). Importing it registers them."""

from zoo.models.architectures import (
    auto_fernet,
    deep_emotion,
    emotionnet2,
    fer_resnet,
    ferplus_vgg,
    from_torchvision,
    lenet,
    mini_xception,
    resemotenet,
    scratch_vggs,
)

__all__ = [
    "auto_fernet",
    "deep_emotion",
    "emotionnet2",
    "fer_resnet",
    "ferplus_vgg",
    "from_torchvision",
    "lenet",
    "mini_xception",
    "resemotenet",
    "scratch_vggs",
]
