"""What every net of ours promises: timm's contract, so that timm's tools, heads and unfreezing work on all of them."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from timm.models import build_model_with_cfg, register_model
from torch import Tensor, nn
from torch.func import functional_call

BLOCKS = r"^features\.(\d+)"


class Net(nn.Module):
    """A classifier in three parts, each called by timm's names for them.

    `features` maps images (B, C, H, W) to a map (B, num_features, h, w); `neck` maps that to (B, head_hidden_size);
    `classifier` maps those to logits (B, num_classes). A child of `features` is a block: what is unfrozen at once.
    """

    features: nn.Sequential
    neck: nn.Sequential
    classifier: nn.Module
    num_features: int  # channels of the map
    head_hidden_size: int  # what the classifier reads
    num_classes: int
    groups: ClassVar[dict[str, Any]] = {"blocks": BLOCKS, "neck": r"^neck"}

    def assemble(self, features: nn.Sequential, neck: nn.Sequential, widths: tuple[int, int], classes: int) -> None:
        """Set the three parts; `widths` are `num_features` and `head_hidden_size`. Without classes, no last layer."""
        self.features, self.neck = features, neck
        self.num_features, self.head_hidden_size = widths
        self.reset_classifier(classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) to the last map (B, num_features, h, w)."""
        return self.features(x)  # type: ignore[no-any-return]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map the last map to logits, or with `pre_logits` to the features (B, head_hidden_size)."""
        x = self.neck(x)
        return x if pre_logits else self.classifier(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) to logits (B, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """Return the last layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:  # noqa: ARG002  # timm's
        """Put a new last layer in; 0 classes: none, so that the net returns its features."""
        self.num_classes = num_classes
        self.classifier = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:  # noqa: ARG002  # blocks are what there is
        """Return which parameters belong together, from the stem on: timm.models.group_parameters reads it."""
        return dict(self.groups)


class Pooled(nn.Module):
    """The mean over the map's places: (B, C, h, w) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Average."""
        return x.mean((2, 3))


class TooSmall(ValueError):
    """The input leaves nothing of the map that the net's hidden layers should read."""


def flat(features: nn.Sequential, channels: int, size: int) -> int:
    """Return how many numbers `features` make of an image of `size` pixels. Raises TooSmall for none."""
    try:
        with torch.no_grad(), torch.device("meta"):
            tensors = {name: torch.empty_like(t, device="meta") for name, t in features.state_dict().items()}
            made: Tensor = functional_call(features, tensors, torch.empty(2, channels, size, size))
    except RuntimeError as error:
        raise TooSmall(str(error).splitlines()[0]) from None
    if not made.numel():
        raise TooSmall("nothing is left of the map")
    return made.numel() // 2


def side(img_size: int | tuple[int, int]) -> int:
    """Return the side in pixels of a square input, which timm may give as a pair."""
    return img_size if isinstance(img_size, int) else img_size[0]


def cfg(size: int, channels: int = 1, classes: int = 8, **more: Any) -> dict[str, Any]:
    """Return a net's default configuration as timm keeps it: no weights, input in 0..1 moved to -1..1."""
    return {
        "url": "",
        "input_size": (channels, size, size),
        "num_classes": classes,
        "mean": (0.5,) * channels,
        "std": (0.5,) * channels,
        "interpolation": "bilinear",
        "crop_pct": 1.0,
        "first_conv": "features.0.0",
        "classifier": "classifier",
        **more,
    }


def register(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """Make `build` known to timm under its own name; the file's `default_cfgs` say the rest."""
    register_model(build)
    return build


def make(kind: type[nn.Module], name: str, pretrained: bool, **given: Any) -> nn.Module:
    """Build `kind` as timm builds its own, so that its configuration hangs on the net."""
    net: nn.Module = build_model_with_cfg(kind, name, pretrained, **given)
    return net


def xavier(net: nn.Module) -> None:
    """Glorot-uniform weights and zero biases in every convolution and linear layer."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
