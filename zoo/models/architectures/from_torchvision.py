"""Torchvision's nets that timm lacks, by timm's contract: `googlenet`, `squeezenet1_0`, `squeezenet1_1`, `alexnet`."""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs
from torch import Tensor, nn
from torchvision import models

from zoo.models.architectures.contract import Net, Pooled, cfg, register
from zoo.models.weights.key_maps import for_architecture

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def _cfg(weights: Any, **more: Any) -> dict[str, Any]:
    return cfg(224, channels=3, classes=1000, url=weights.IMAGENET1K_V1.url, **more)


default_cfgs = generate_default_cfgs(
    {
        # Torchvision keeps ImageNet's statistics for it and turns them inside into 0.5 and 0.5, which its weights,
        # TensorFlow's, were made with; they are named here at once, so that one channel may be taken too.
        "googlenet.tv_in1k": _cfg(models.GoogLeNet_Weights, first_conv="features.conv1.conv"),
        "squeezenet1_0.tv_in1k": _cfg(models.SqueezeNet1_0_Weights, first_conv="features.0", **IMAGENET),
        "squeezenet1_1.tv_in1k": _cfg(models.SqueezeNet1_1_Weights, first_conv="features.0", **IMAGENET),
        "alexnet.tv_in1k": _cfg(models.AlexNet_Weights, first_conv="features.0", **IMAGENET),
    }
)


def see(first: nn.Conv2d, channels: int) -> nn.Conv2d:
    """Return the first layer for other channels, drawn anew; published weights are then summed into it by timm."""
    if channels == first.in_channels:
        return first
    size = (first.kernel_size, first.stride, first.padding)
    return nn.Conv2d(channels, first.out_channels, *size, bias=first.bias is not None)  # type: ignore[arg-type]


class GoogLeNet(Net):
    """Inception V1 with batch normalisation, without its two auxiliary heads: 5,607,079 parameters for 7 classes."""

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, drop_rate: float = 0.2) -> None:
        super().__init__()
        whole = models.googlenet(num_classes=1, aux_logits=False, init_weights=True)
        whole.conv1.conv = see(whole.conv1.conv, in_chans)
        features = nn.Sequential()
        for name, child in whole.named_children():
            if name not in ("aux1", "aux2", "avgpool", "dropout", "fc"):
                features.add_module(name, child)
        self.names = [name for name, child in features.named_children() if next(child.parameters(), None) is not None]
        self.assemble(features, nn.Sequential(Pooled(), nn.Dropout(drop_rate)), (1024, 1024), num_classes)

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:  # noqa: ARG002  # blocks are what there is
        """Return which parameters belong together: a layer or an inception block each, from the stem on."""
        return {name: rf"^features\.{name}\." for name in self.names}


class SqueezeNet(Net):
    """Torchvision's SqueezeNet without the ReLU on its logits, under which a class can die.

    Its last 1x1 convolution, then averaged, is the linear layer behind the average that it amounts to: the weights
    are the same.
    """

    def __init__(self, version: Any, num_classes: int = 1000, in_chans: int = 3, drop_rate: float = 0.5) -> None:
        super().__init__()
        features = version(num_classes=1).features
        features[0] = see(features[0], in_chans)
        self.assemble(features, nn.Sequential(nn.Dropout(drop_rate), Pooled()), (512, 512), num_classes)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a new last layer in, drawn as torchvision draws it."""
        super().reset_classifier(num_classes, global_pool)
        if isinstance(self.classifier, nn.Linear):
            nn.init.normal_(self.classifier.weight, std=0.01)
            nn.init.zeros_(self.classifier.bias)


class AlexNet(Net):
    """Torchvision's AlexNet: 57,032,519 parameters for 7 classes, most of them in two hidden layers."""

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, drop_rate: float = 0.5) -> None:
        super().__init__()
        whole = models.alexnet(num_classes=1, dropout=drop_rate)
        whole.features[0] = see(whole.features[0], in_chans)
        neck = nn.Sequential(whole.avgpool, nn.Flatten(), *list(whole.classifier)[:-1])
        self.assemble(whole.features, neck, (256, 4096), num_classes)


def _make(kind: Any, name: str, pretrained: bool, given: dict[str, Any]) -> nn.Module:
    """Build it; what timm downloads for it goes by torchvision's names."""

    def ours(weights: dict[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
        own = net.state_dict()
        if set(weights) <= set(own):
            return weights
        names = for_architecture("torchvision", name).names(name, list(weights), list(own)) or {}
        # SqueezeNet's last layer is a 1x1 convolution there.
        return {
            n: t.flatten(1) if n == "classifier.weight" else t for k, t in weights.items() if (n := names[k]) in own
        }

    net: nn.Module = build_model_with_cfg(kind, name, pretrained, pretrained_filter_fn=ours, **given)
    return net


@register
def googlenet(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build torchvision's GoogLeNet (Inception V1)."""
    return _make(GoogLeNet, "googlenet", pretrained, given)


@register
def squeezenet1_0(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build torchvision's SqueezeNet 1.0."""
    return _make(SqueezeNet, "squeezenet1_0", pretrained, {"version": models.squeezenet1_0, **given})


@register
def squeezenet1_1(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build torchvision's SqueezeNet 1.1."""
    return _make(SqueezeNet, "squeezenet1_1", pretrained, {"version": models.squeezenet1_1, **given})


@register
def alexnet(pretrained: bool = False, **given: Any) -> nn.Module:
    """Build torchvision's AlexNet."""
    return _make(AlexNet, "alexnet", pretrained, given)
