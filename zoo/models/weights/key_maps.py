"""Who calls a net's tensors what: maps from the usual namings to timm's names, or to our own nets'.

A map is a list of renames (a regular expression, what takes its place), done one after another on each name. Where a
naming counts blocks through and timm counts stages, the names of both are laid side by side in the order of their
definition. None of them says which net a file is of: `zoo.models.weights.fit` takes the map that fits.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torchvision import models

Renames = tuple[tuple[str, str], ...]
Statistics = tuple[tuple[float, ...], tuple[float, ...]]
IMAGENET: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
COUNTER = "num_batches_tracked"  # beside a running variance; the oldest files have none


@dataclass(frozen=True)
class KeyMap:
    """A naming. `of` is a regular expression of the architectures that it is for, as timm names them.

    `order` returns, for such an architecture, the publisher's names in the order of the net's own, instead of renames;
    it is given the file's names. `sign` and `lacks` are of a name that the file must, or must not, have. `spare` is of
    names that belong to no part of our net. TensorFlow's layouts are turned (`tensorflow`), and a tensor multiplied
    (`times`, by our name). `statistics` are the mean and deviation that these weights were made with, where they differ
    from those that timm has for the architecture.
    """

    naming: str
    of: str
    renames: Renames = ()
    order: Callable[[str, Sequence[str]], list[str]] | None = None
    sign: str = ""
    lacks: str | None = None
    spare: str = r"(^|\.)total_(ops|params)$"  # a counter of operations leaves them
    tensorflow: bool = False
    times: Mapping[str, float] = field(default_factory=dict)
    statistics: Statistics | None = None

    def names(self, architecture: str, theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str] | None:
        """Return each of a file's names as ours, also those that have no place; None if the map is not for them."""
        if not re.match(self.of, architecture) or not any(re.search(self.sign, name) for name in theirs):
            return None
        if self.lacks and any(re.search(self.lacks, name) for name in theirs):
            return None
        if self.order is None:
            return {name: _renamed(name, self.renames) for name in theirs}
        return _side_by_side(self.order(architecture, theirs), theirs, ours)

    def tensor(self, ours: str, tensor: Tensor) -> Tensor:
        """Return a tensor of the file as our layer `ours` keeps it."""
        if self.tensorflow and tensor.ndim == 4:
            tensor = tensor.permute(3, 2, 0, 1)
        elif self.tensorflow and tensor.ndim == 2:
            tensor = tensor.T
        return tensor * self.times[ours] if ours in self.times else tensor


def _renamed(name: str, renames: Renames) -> str:
    for pattern, replacement in renames:
        name = re.sub(pattern, replacement, name)
    return name


def _side_by_side(order: Sequence[str], theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str] | None:
    """Pair the names of two definitions of one net; None unless they have as many."""
    left, right = ([n for n in names if not n.endswith(COUNTER)] for names in (order, ours))
    if len(left) != len(right):
        return None
    pairs = dict(zip(left, right, strict=True))
    for name, own in list(pairs.items()):
        if name.endswith("running_var"):
            pairs[name.replace("running_var", COUNTER)] = own.replace("running_var", COUNTER)
    return {name: pairs.get(name, name) for name in theirs}


# The nets of torchvision and timm that are one net, under their names in timm.
OF_TORCHVISION = {
    **{f"efficientnet_b{n}": f"efficientnet_b{n}" for n in range(8)},
    **{f"efficientnetv2_{size}": f"efficientnet_v2_{size}" for size in "sml"},
    **{f"convnext_{size}": f"convnext_{size}" for size in ("tiny", "small", "base", "large")},
    **{f"mobilenetv3_{size}_100": f"mobilenet_v3_{size}" for size in ("small", "large")},
    **{"mobilenetv2_100": "mobilenet_v2", "mnasnet_100": "mnasnet1_0"},
}


@functools.cache
def _torchvision_names(name: str) -> list[str]:
    with torch.device("meta"):
        return list(models.get_model(name, weights=None).state_dict())


def _of_torchvision(architecture: str, theirs: Sequence[str]) -> list[str]:  # noqa: ARG001  # a map's contract
    return _torchvision_names(OF_TORCHVISION[architecture])


# EfficientNet-PyTorch counts its blocks through; within one, its parts come in this order.
PARTS = (
    *("_conv_stem", "_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_se_reduce", "_se_expand"),
    *("_project_conv", "_bn2", "_conv_head", "_bn1", "_fc"),
)
LEAVES = ("weight", "bias", "running_mean", "running_var", COUNTER)


def _in_blocks(architecture: str, theirs: Sequence[str]) -> list[str]:  # noqa: ARG001  # a map's contract
    """Return EfficientNet-PyTorch's names in order, however the file keeps them (safetensors: by the alphabet)."""
    known = [name for name in theirs if re.fullmatch(r"(_blocks\.\d+\.)?_[a-z_]+\d?\.\w+", name)]
    return sorted(known, key=_place)


def _place(name: str) -> tuple[int, int, int, int]:
    *block, part, leaf = name.removeprefix("_blocks.").split(".")
    outside = {"_conv_stem": -1, "_bn0": -1}.get(part, 1 << 20)  # before the first block, or behind the last
    last = part == "_bn1" and not block
    at = len(PARTS) - 2 if last else PARTS.index(part) if part in PARTS else len(PARTS)
    kind = LEAVES.index(leaf) if leaf in LEAVES else len(LEAVES)
    return int(block[0]) if block else outside, at, kind, 0


FACE_API_BLOCKS = (
    *("conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3"),
    *("conv128_down", "conv128_1", "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out"),
)
MOBILEFACENET_STAGES = (
    *("conv1", "conv2_dw", "conv_23", "conv_3", "conv_34", "conv_4", "conv_45", "conv_5", "conv_6_sep"),
)
IN_BODY = ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")

TIMM = KeyMap("timm", r"", spare=r"^AuxLogits\.|(^|\.)total_(ops|params)$")
# The first that fits best is taken, so what is told apart by a sign comes before what anything fits.
MAPS = (
    KeyMap(
        # github.com/av-savchenko/face-emotion-recognition: timm's names, the last layer in a Sequential or left out.
        # By its key names; not tried with one of its files.
        "HSEmotion",
        r"tf_efficientnet_b",
        ((r"^classifier\.0\.", "classifier."),),
        sign=r"^conv_stem\.weight$",
        lacks=r"^classifier\.(weight|bias)$",
        statistics=IMAGENET,
    ),
    TIMM,
    KeyMap("torchvision", "|".join(rf"{n}$" for n in OF_TORCHVISION), order=_of_torchvision, statistics=IMAGENET),
    KeyMap(
        "torchvision",
        r"vgg",
        ((r"^classifier\.0\.", "pre_logits.fc1."), (r"^classifier\.3\.", "pre_logits.fc2."),
         (r"^classifier\.6\.", "head.fc.")),
        statistics=IMAGENET,
    ),
    KeyMap(
        "torchvision",
        r"densenet",
        ((r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2"),),  # as its published files still have them
        statistics=IMAGENET,
    ),
    KeyMap(
        "torchvision",
        r"vit_",
        (
            *((r"^class_token$", "cls_token"), (r"^conv_proj\.", "patch_embed.proj.")),
            *((r"^encoder\.pos_embedding$", "pos_embed"), (r"^encoder\.ln\.", "norm."), (r"^heads\.head\.", "head.")),
            (r"^encoder\.layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
            *((r"\.ln_([12])\.", r".norm\1."), (r"\.self_attention\.in_proj_", ".attn.qkv.")),
            *((r"\.self_attention\.out_proj\.", ".attn.proj."), (r"\.mlp\.(?:0|linear_1)\.", ".mlp.fc1.")),
            (r"\.mlp\.(?:3|linear_2)\.", ".mlp.fc2."),
        ),
        statistics=IMAGENET,
    ),
    KeyMap(
        "torchvision",
        r"swin_",
        (
            *((r"^features\.0\.0\.", "patch_embed.proj."), (r"^features\.0\.2\.", "patch_embed.norm.")),
            *((rf"^features\.{2 * at + 1}\.(\d+)\.", rf"layers.{at}.blocks.\1.") for at in range(4)),
            *((rf"^features\.{2 * at}\.", f"layers.{at}.downsample.") for at in range(1, 4)),
            *((r"\.mlp\.0\.", ".mlp.fc1."), (r"\.mlp\.3\.", ".mlp.fc2."), (r"^head\.", "head.fc.")),
        ),
        spare=r"\.relative_position_index$",
        statistics=IMAGENET,
    ),
    KeyMap(
        "torchvision",
        r"googlenet",
        ((r"^fc\.", "classifier."), (r"^(?!aux|classifier)", "features.")),
        spare=r"^aux\d\.",
    ),
    KeyMap("torchvision", r"squeezenet", ((r"^classifier\.1\.", "classifier."),)),
    KeyMap(
        "torchvision",
        r"alexnet",
        ((r"^classifier\.1\.", "neck.3."), (r"^classifier\.4\.", "neck.6."), (r"^classifier\.6\.", "classifier.")),
    ),
    KeyMap(
        # github.com/lukemelas/EfficientNet-PyTorch, efficientnet_pytorch/model.py
        "EfficientNet-PyTorch",
        r"tf_efficientnet_",
        order=_in_blocks,
        sign=r"^_conv_stem\.weight$",
    ),
    KeyMap(
        # github.com/deepinsight/insightface, recognition/arcface_torch/backbones/iresnet.py; by its key names, not
        # tried with one of its files.
        "InsightFace",
        r"iresnet",
        (
            *((r"^conv1\.", "features.0.0."), (r"^bn1\.", "features.0.1."), (r"^prelu\.", "features.0.2.")),
            *((r"^bn2\.", "neck.0."), (r"^fc\.", "neck.3."), (r"^features\.(?=[a-z_]+$)", "neck.4.")),
            *((r"^layer(\d)\.", r"features.\1."), (r"\.downsample\.", ".shortcut.")),
            *((rf"(\.\d+)\.{part}\.", rf"\1.body.{at}.") for at, part in enumerate(IN_BODY)),
        ),
    ),
    KeyMap(
        # The same, backbones/mobilefacenet.py; by its key names, not tried with one of its files.
        "InsightFace",
        r"mobilefacenet",
        (
            *((r"^features\.layers\.0\.layers\.", "neck.0."), (r"^features\.layers\.", "neck.")),
            *((r"^conv_sep\.layers\.", "features.8."), (r"^layers\.([01])\.layers\.", r"features.\1.")),
            (r"^layers\.([246])\.layers\.(\d)\.layers\.", r"features.\1.body.\2."),
            (r"^layers\.([357])\.layers\.(\d)\.layers\.(\d)\.layers\.", r"features.\1.\2.body.\3."),
        ),
        sign=r"^conv_sep\.",
    ),
    KeyMap(
        # github.com/TreB1eN/InsightFace_Pytorch, model.py; by its key names, not tried with one of its files.
        "InsightFace_Pytorch",
        r"mobilefacenet",
        (
            *((r"^conv_6_dw\.", "neck.0."), (r"^linear\.", "neck.2."), (r"^bn\.", "neck.3.")),
            *((rf"^{name}\.(?:model\.)?", f"features.{at}.") for at, name in enumerate(MOBILEFACENET_STAGES)),
            (r"^(features\.[2-7](?:\.\d)?)\.conv\.", r"\1.body.0."),
            *((r"\.conv_dw\.", ".body.1."), (r"\.project\.", ".body.2.")),
            *((r"\.conv\.", ".0."), (r"\.bn\.", ".1."), (r"\.prelu\.", ".2.")),
        ),
        sign=r"^conv_6_sep\.",
    ),
    KeyMap(
        # npm @vladmandic/face-api, model/face_recognition_model-weights_manifest.json
        "face-api",
        r"face_api",
        (
            *((r"^conv32_down/", "features.0.0/"), (r"^fc$", "neck.1.weight")),
            *((rf"^{name}/", f"features.{at}/") for at, name in enumerate(FACE_API_BLOCKS, 1)),
            *((r"/(conv[12])(?=/)", r".\1"), (r"/conv/filters$", ".conv.weight"), (r"/conv/bias$", ".conv.bias")),
            *((r"/scale/weights$", ".scale.weight"), (r"/scale/biases$", ".scale.bias")),
        ),
        sign=r"^conv32_down/",
        tensorflow=True,
        times={"features.0.0.conv.weight": 0.25},
    ),
)  # fmt: skip


def for_architecture(naming: str, architecture: str) -> KeyMap:
    """Return the map from a naming for an architecture. Raises StopIteration if there is none."""
    return next(one for one in MAPS if one.naming == naming and re.match(one.of, architecture))
