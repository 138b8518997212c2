"""Nets of our own, and torchvision's that timm lacks, each beside its card (`.toml`). Importing it registers them."""

from zoo.models.architectures import (
    alexnet_2012,
    auto_fernet,
    deep_emotion,
    emotionnet2,
    face_api,
    fer_resnet,
    ferplus_vgg,
    from_torchvision,
    iresnet,
    lenet,
    mini_xception,
    mobilefacenet,
    resemotenet,
    scratch_vggs,
)

__all__ = [
    "alexnet_2012",
    "auto_fernet",
    "deep_emotion",
    "emotionnet2",
    "face_api",
    "fer_resnet",
    "ferplus_vgg",
    "from_torchvision",
    "iresnet",
    "lenet",
    "mini_xception",
    "mobilefacenet",
    "resemotenet",
    "scratch_vggs",
]
