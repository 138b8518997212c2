from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ferdata.errors import BadOption
from zoo.models.build import backbone, begin, build


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("resnet18", 6),
        ("resnet18d", 6),
        ("efficientnet_b0", 3),
        ("tf_efficientnetv2_b2", 3),
        ("mobilenetv3_small_100", 3),
        ("mobilenetv2_100", 3),
        ("emotionnet2", 6),
    ],
)
def test_a_small_stem_sees_every_pixel_and_leaves_a_larger_map(name, side):
    x = torch.rand(2, 1, 48, 48)
    with torch.inference_mode():
        native = build(backbone(name), 1, 7, 48).forward_features(x)
        small = build(backbone(name), 1, 7, 48, stem="small")
        assert native.shape[-1] == 2
        assert small.forward_features(x).shape[-1] == side
        assert small(x).shape == (2, 7)


@pytest.fixture
def weights(tmp_path: Path):
    """Return a function that saves fresh weights of a net and gives their path and names."""

    def make(name: str):
        torch.manual_seed(7)
        found = build(backbone(name), 3, 1000, 64).state_dict()
        save_file({key: t.clone() for key, t in found.items()}, tmp_path / f"{name}.safetensors")
        return tmp_path / f"{name}.safetensors", found

    return make


@pytest.mark.parametrize(("name", "first"), [("efficientnet_b0", "conv_stem"), ("resnet18d", "conv1.0")])
def test_efficientnets_and_deep_stems_keep_their_weights(weights, name, first):
    path, wanted = weights(name)
    begun = begin(backbone(name, weights=path), 3, 7, 48, stem="small")
    assert torch.equal(begun.net.get_submodule(first).weight, wanted[f"{first}.weight"])
    assert begun.net.get_submodule(first).stride == (1, 1)
    assert lost(begun) == []


def test_a_7x7_stem_cannot_be_kept_and_that_is_said(weights):
    path, wanted = weights("resnet18")
    begun = begin(backbone("resnet18", weights=path), 3, 7, 48, stem="small")
    assert (begun.net.conv1.kernel_size, begun.net.conv1.stride) == ((3, 3), (1, 1))
    assert isinstance(begun.net.maxpool, torch.nn.Identity)
    assert torch.equal(begun.net.layer1[0].conv1.weight, wanted["layer1.0.conv1.weight"])
    assert len(lost(begun)) == 1
    # Nothing is lost where nothing was loaded.
    assert begin(backbone("resnet18"), 3, 7, 48, stem="small").notes == ()


def lost(begun):
    return [note for note in begun.notes if "first layer starts anew" in note]


@pytest.mark.parametrize("name", ["vgg11", "resnet_fer", "alexnet"])
def test_other_nets_have_no_small_stem(name):
    with pytest.raises(BadOption, match=f"{name} has no small stem"):
        build(backbone(name), 1, 7, 64, stem="small")


def test_an_unknown_stem_is_refused():
    with pytest.raises(BadOption, match="no stem 'tiny'"):
        build(backbone("resnet18"), 1, 7, 48, stem="tiny")
