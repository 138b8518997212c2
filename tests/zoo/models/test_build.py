import warnings

import pytest
import timm
import torch
from torch import nn

from ferdata.errors import BadOption
from zoo.models.build import FLOOR, backbone, blank, blocks, build, parameters, smallest
from zoo.models.heads import Head


@pytest.mark.parametrize("size", [40, 48, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_our_nets_take_faces_of_40_to_64_pixels(size, channels):
    for name in ("resnet_fer", "vgg13_ferplus"):
        net = build(backbone(name), channels, 7, size)
        assert not net.training
        with torch.inference_mode():
            assert net(torch.zeros(2, channels, size, size)).shape == (2, 7)


# A name, and its parameters with 7 classes and 3 channels, as timm 1.0 builds it.
OF_TIMM = [
    ("efficientnet_b0", 4_016_515),
    ("tf_efficientnetv2_b2", 8_696_949),
    ("tf_efficientnet_b3", 10_706_991),
    ("tf_efficientnet_b7", 63_804_887),
    ("inception_v3", 21_799_911),
    ("resnet50", 23_522_375),
    ("resnet152", 58_158_151),
    ("vgg19", 139_598_919),
    ("mobilenetv3_small_100", 1_525_031),
    ("convnext_tiny", 27_825_511),
    ("vit_small_patch16_224", 21_668_359),
    ("swin_tiny_patch4_window7_224", 27_524_737),
]


@pytest.mark.parametrize(("name", "count"), OF_TIMM)
def test_a_net_of_timm_has_the_known_count_and_blocks_that_hold_each_parameter_once(name, count):
    net = blank(backbone(name), 3, 7, timm.models.get_pretrained_cfg(name).input_size[-1])
    assert parameters(net) == count
    groups = blocks(net)
    names = [key for key, _ in net.named_parameters()]
    assert sorted(key for group in groups for key in group) == sorted(names)
    assert all(net.get_parameter(key).shape[0] == 7 for key in groups[-1])
    assert len(groups) >= 4


def test_blocks_are_whole_and_in_order():
    groups = blocks(blank(backbone("efficientnet_b0"), 1, 7, 48))
    tops = [sorted({".".join(key.split(".")[:2]) for key in group}) for group in groups]
    assert tops[0] == ["bn1.bias", "bn1.weight", "conv_stem.weight"]
    assert [t[0] for t in tops[1:8]] == [f"blocks.{i}" for i in range(7)]
    assert "conv_head.weight" in tops[7]  # it goes with the last block, not alone
    assert tops[8] == ["classifier.bias", "classifier.weight"]


def test_a_last_normalisation_beside_the_head_goes_with_the_last_block():
    groups = blocks(blank(backbone("convnext_tiny"), 3, 7, 64))
    assert groups[-1] == ["head.fc.weight", "head.fc.bias"]
    assert {"head.norm.weight", "head.norm.bias"} < set(groups[-2])
    assert any(key.startswith("stages.3.") for key in groups[-2])


def test_blocks_are_found_where_timm_has_no_groups():
    net = nn.Sequential()
    net.add_module("stem", nn.Linear(4, 4))
    net.add_module("fc", nn.Linear(4, 2))
    net.get_classifier = lambda: net.fc
    assert blocks(net) == [["stem.weight", "stem.bias"], ["fc.weight", "fc.bias"]]


def test_a_hidden_head_is_the_last_block_as_a_whole():
    net = build(backbone("resnet_fer"), 1, 7, 48, head=Head("mlp", (16, 8)))
    assert len(blocks(net)[-1]) == 6


def test_any_classifier_of_timm_is_built_with_our_classes_and_channels():
    card = backbone("mobilenetv3_small_100")
    net = build(card, 1, 5, 48, dropout=0.4)
    with torch.inference_mode():
        assert net(torch.zeros(2, 1, 48, 48)).shape == (2, 5)
    assert (card.optimizer, card.mean, card.size) == ("adamw", None, None)
    assert net.drop_rate == 0.4


@pytest.mark.parametrize(("name", "size"), [("vit_tiny_patch16_224", 112), ("swin_tiny_patch4_window7_224", 112)])
def test_transformers_of_a_fixed_size_are_told_the_size(name, size):
    assert backbone(name).size == 224
    net = build(backbone(name), 1, 3, size)
    with torch.inference_mode():
        assert net(torch.zeros(1, 1, size, size)).shape == (1, 3)


def test_drop_path_is_passed_on_to_timm():
    net = build(backbone("resnet18"), 1, 3, 48, drop_path=0.2)
    assert "DropPath" in {type(m).__name__ for m in net.modules()}


def test_a_misspelt_name_is_answered_with_the_close_ones():
    with pytest.raises(BadOption, match="resnet_fer"):
        backbone("resnet_ferr")
    with pytest.raises(BadOption, match="resnet50"):
        backbone("resnet5O")


def test_a_name_with_no_likeness_lists_our_own():
    with pytest.raises(BadOption, match="a name that timm knows"):
        backbone("0123456789")


@pytest.mark.parametrize(
    ("name", "size", "least"),
    [("inception_v3", 48, 75), ("alexnet", 48, 63), ("squeezenet1_0", 16, 21), ("vgg13_ferplus", 8, 16)],
)
def test_too_small_an_input_is_refused_with_the_smallest_that_works(name, size, least):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadOption, match=f"cannot take {size} px(.|\n)*smallest that works is {least} px"):
            build(backbone(name), 1, 7, size)
    build(backbone(name), 1, 7, least)


def test_the_smallest_is_the_smallest():
    card = backbone("deep_emotion")
    least = smallest(card, 1)
    assert least == 18
    build(card, 1, 7, least)
    with pytest.raises(BadOption):
        build(card, 1, 7, least - 1)
    assert smallest(backbone("resnet18"), 3) == FLOOR


def test_trying_a_net_leaves_it_and_the_random_numbers_as_they_were():
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    smallest(backbone("resnet_fer"), 1)
    assert torch.equal(torch.rand(1), wanted)
    net = build(backbone("resnet_fer"), 1, 7, 48)
    norm = next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    assert int(norm.num_batches_tracked) == 0
    assert not any(t.is_meta for t in net.state_dict().values())


def test_the_same_seed_draws_the_same_weights():
    def drawn():
        torch.manual_seed(5)
        return build(backbone("fernet"), 1, 7, 48).state_dict()

    first, again = drawn(), drawn()
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_weights_that_do_not_exist_are_not_promised():
    for name in ("resnet_fer", "efficientnet_b6"):
        with pytest.raises(BadOption, match="no pretrained weights"):
            backbone(name, pretrained=True)


def test_an_unknown_tag_is_refused():
    with pytest.raises(BadOption):
        build(backbone("resnet18.no_such_tag"), 1, 8, 48)


def test_mean_and_std_are_those_of_the_weights_tag():
    of = {
        tag: backbone(tag, pretrained=True).mean
        for tag in ("efficientnet_b0", "efficientnet_b1", "resnet34.ra4_e3600_r224_in1k")
    }
    assert of["efficientnet_b0"] == (0.485, 0.456, 0.406)
    assert of["efficientnet_b1"] == of["resnet34.ra4_e3600_r224_in1k"] == (0.5, 0.5, 0.5)


def test_one_channel_takes_the_average_statistics():
    mean, std = backbone("resnet18", pretrained=True).statistics(1)
    assert (len(mean), round(mean[0], 3), round(std[0], 3)) == (1, 0.449, 0.226)
    assert backbone("resnet18", pretrained=True).statistics(3) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert backbone("resnet18").statistics(1) is None
