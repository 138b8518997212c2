"""Torchvision's own nets are the oracle where they are at hand: under their weights, their answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision import models

from ferdata.errors import BadOption
from zoo.models.build import backbone, begin
from zoo.models.weights.key_maps import COUNTER, IMAGENET, OF_TORCHVISION, for_architecture

# Architecture, its name in torchvision, pixels, and how far the answers may be apart: timm's MobileNetV3 adds 1e-5 to
# variances where torchvision's adds 1e-3.
SAME = [
    ("efficientnet_b0", "efficientnet_b0", 48, 1e-5),
    ("mobilenetv3_small_100", "mobilenet_v3_small", 48, 5e-3),
    ("mobilenetv2_100", "mobilenet_v2", 48, 1e-5),
    ("mnasnet_100", "mnasnet1_0", 48, 1e-5),
    pytest.param("convnext_tiny", "convnext_tiny", 64, 1e-5, marks=pytest.mark.slow),
    pytest.param("swin_tiny_patch4_window7_224", "swin_t", 224, 1e-5, marks=pytest.mark.slow),
    pytest.param("inception_v3", "inception_v3", 96, 1e-5, marks=pytest.mark.slow),
]


def original(name: str) -> torch.nn.Module:
    """Torchvision's net, drawn, with running statistics as of a net that has learnt."""
    torch.manual_seed(0)
    more = {"init_weights": False} if name == "inception_v3" else {}
    net: torch.nn.Module = getattr(models, name)(**more).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net


@pytest.mark.parametrize(("architecture", "name", "size", "apart"), SAME)
@pytest.mark.filterwarnings("ignore")
def test_torchvisions_weights_give_torchvisions_answers(
    architecture: str, name: str, size: int, apart: float, tmp_path: Path
) -> None:
    net = original(name)
    torch.save(net.state_dict(), tmp_path / "w.pth")
    begun = begin(backbone(architecture, weights=tmp_path / "w.pth"), 3, 1000, size)
    assert "tensors of w.pth by t" in begun.notes[0]
    last = [m for m in net.modules() if isinstance(m, torch.nn.Linear)][-1]
    mine = begun.net.get_classifier()  # type: ignore[operator]  # timm's contract
    mine.load_state_dict(last.state_dict())
    x = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        wanted, found = net(x), begun.net(x)
    assert (found - wanted).abs().max() < apart * wanted.abs().max()
    if name != "inception_v3":  # whose names are timm's too, and so are its statistics: 0.5
        assert begun.statistics == IMAGENET


def on_meta(architecture: str, name: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    with torch.device("meta"):
        return models.get_model(name, weights=None).state_dict(), timm.create_model(architecture).state_dict()


# One of each kind: the others are deeper or wider.
KINDS = ("efficientnet_b3", "efficientnetv2_s", "convnext_small", "mobilenetv3_large_100", "mobilenetv2_100")


@pytest.mark.parametrize("architecture", KINDS)
def test_both_libraries_define_one_net_in_one_order(architecture: str) -> None:
    def shapes(weights: dict[str, torch.Tensor]) -> list[list[int]]:
        return [[n for n in t.shape if n != 1] for key, t in weights.items() if not key.endswith(COUNTER)]

    theirs, ours = on_meta(architecture, OF_TORCHVISION[architecture])
    assert shapes(theirs) == shapes(ours)


@pytest.mark.parametrize(("architecture", "name"), [("vgg11_bn", "vgg11_bn"), ("vit_base_patch16_224", "vit_b_16")])
def test_every_name_of_torchvisions_leads_to_a_layer_of_as_many_numbers(architecture: str, name: str) -> None:
    theirs, ours = on_meta(architecture, name)
    names = for_architecture("torchvision", architecture).names(architecture, list(theirs), list(ours))
    assert names is not None
    assert {names[key]: t.numel() for key, t in theirs.items()} == {key: t.numel() for key, t in ours.items()}


def test_the_old_names_of_densenets_are_known(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = timm.create_model("densenet121").state_dict()
    old = {
        key.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.").replace(
            "conv2.", "conv.2.") if "denselayer" in key else key: t for key, t in weights.items()
    }  # fmt: skip
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "w.pth")
    begun = begin(backbone("densenet121", weights=tmp_path / "w.pth"), 3, 7, 48)
    assert "by torchvision's names" in begun.notes[0]
    key = "features.denseblock3.denselayer7.conv2.weight"
    assert torch.equal(begun.net.state_dict()[key], weights[key])


def pytorch_efficientnet(architecture: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return timm's weights, drawn, and the same under EfficientNet-PyTorch's names, part by part."""
    torch.manual_seed(3)
    weights = timm.create_model(architecture).state_dict()
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    others = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
    others |= {"conv_pwl": "_project_conv", "bn3": "_bn2"}
    outside = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    blocks = list(dict.fromkeys(tuple(k.split(".")[1:3]) for k in weights if k.startswith("blocks.")))
    renamed = {}
    for key, tensor in weights.items():
        *way, leaf = key.split(".")
        if way[0] != "blocks":
            renamed[f"{outside[way[0]]}.{leaf}"] = tensor
            continue
        part = (first if way[1] == "0" else others).get(way[3]) or {"conv_reduce": "_se_reduce"}.get(
            way[4], "_se_expand"
        )
        renamed[f"_blocks.{blocks.index((way[1], way[2]))}.{part}.{leaf}"] = tensor
    return weights, renamed


@pytest.mark.parametrize("architecture", ["tf_efficientnet_b0", "tf_efficientnet_lite0"])
def test_blocks_that_are_counted_through_find_their_stages_whatever_the_order_of_the_file(
    architecture: str, tmp_path: Path
) -> None:
    weights, renamed = pytorch_efficientnet(architecture)
    save_file({key: t.clone() for key, t in renamed.items()}, tmp_path / "w.safetensors")  # by the alphabet
    begun = begin(backbone(architecture, weights=tmp_path / "w.safetensors"), 3, 7, 48)
    assert f"Took {len(weights) - 2} of {len(weights)} tensors" in begun.notes[0]
    assert "by EfficientNet-PyTorch's names" in begun.notes[0]
    own = begun.net.state_dict()
    assert {k for k in weights if not torch.equal(own[k], weights[k])} == {"classifier.weight", "classifier.bias"}


def test_hsemotions_last_layer_or_its_lack_is_known(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = timm.create_model("tf_efficientnet_b0", num_classes=8).state_dict()

    def renamed(last: Callable[[str], str | None]) -> dict[str, torch.Tensor]:
        names = {key: last(key) if key.startswith("classifier") else key for key in weights}
        return {name: weights[key] for key, name in names.items() if name}

    for last in (lambda key: key.replace("classifier", "classifier.0"), lambda _: None):
        torch.save(renamed(last), tmp_path / "state_vggface2.pt")
        begun = begin(backbone("tf_efficientnet_b0", weights=tmp_path / "state_vggface2.pt"), 3, 7, 48)
        assert "by HSEmotion's names" in begun.notes[0]
        assert begun.origin is not None
        assert "VGGFace2" in begun.origin.terms
        assert begun.statistics == IMAGENET
    torch.save(weights, tmp_path / "w.pt")
    begun = begin(backbone("tf_efficientnet_b0", weights=tmp_path / "w.pt"), 3, 7, 48)
    assert "by timm's names" in begun.notes[0]


def test_efficientnet_pytorchs_weights_are_refused_by_a_net_with_other_padding(tmp_path: Path) -> None:
    save_file(
        {k: t.clone() for k, t in pytorch_efficientnet("tf_efficientnet_b0")[1].items()}, tmp_path / "w.safetensors"
    )
    with pytest.raises(BadOption, match="its first names are _"):
        begin(backbone("efficientnet_b0", weights=tmp_path / "w.safetensors"), 3, 7, 48)
