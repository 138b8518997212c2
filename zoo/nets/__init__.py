"""Nets of our own, one a file, each beside its card (`.toml`). Importing this registers them with timm."""

from zoo.nets import fer_resnet, ferplus_vgg

__all__ = ["fer_resnet", "ferplus_vgg"]
