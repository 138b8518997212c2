import pytest
import torch

from ferdata.errors import BadOption
from zoo.backbones import backbone, build, parameters


def test_our_residual_net_has_one_and_a_quarter_million_parameters():
    net = build(backbone("resnet_fer"), 1, 8, 48)
    assert parameters(net) == 1_227_880


def test_vgg13_has_exactly_the_parameters_of_the_published_net():
    assert parameters(build(backbone("vgg13_ferplus"), 1, 8, 64)) == 8_757_704


@pytest.mark.parametrize("size", [40, 48, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_our_nets_take_faces_of_40_to_64_pixels(size, channels):
    for name in ("resnet_fer", "vgg13_ferplus"):
        net = build(backbone(name), channels, 7, size)
        assert net(torch.zeros(2, channels, size, size)).shape == (2, 7)


def test_any_classifier_of_timm_is_built_with_our_classes_and_channels():
    card = backbone("mobilenetv3_small_100")
    net = build(card, 1, 5, 48)
    assert net(torch.zeros(2, 1, 48, 48)).shape == (2, 5)
    assert card.optimiser == "adamw"


def test_a_misspelt_name_is_answered_with_the_close_ones():
    with pytest.raises(BadOption, match="resnet_fer"):
        backbone("resnet_ferr")
    with pytest.raises(BadOption, match="resnet18"):
        backbone("resnet_18")


def test_a_name_with_no_likeness_lists_our_own():
    with pytest.raises(BadOption, match="a name that timm knows"):
        backbone("0123456789")


def test_too_small_an_input_is_refused_before_training():
    with pytest.raises(BadOption, match="at least 32 px, not 16"):
        build(backbone("resnet_fer"), 1, 8, 16)
    with pytest.raises(BadOption, match="cannot take 48 px"):
        build(backbone("vit_tiny_patch16_224"), 3, 8, 48)


def test_weights_that_do_not_exist_are_not_promised():
    with pytest.raises(BadOption, match="no pretrained weights"):
        backbone("resnet_fer", pretrained=True)


def test_an_unknown_tag_is_refused():
    with pytest.raises(BadOption):
        build(backbone("resnet18.no_such_tag"), 1, 8, 48)
