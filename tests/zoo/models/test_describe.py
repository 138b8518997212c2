import tomllib

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ferdata.errors import BadOption
from zoo.models.build import backbone, build
from zoo.models.catalogue import FOLDER, own
from zoo.models.describe import describe, listing


def test_the_list_without_a_pattern_is_ours_and_torchvisions():
    found = listing()
    assert {entry.name for entry in found} == set(own())
    theirs = tomllib.loads((FOLDER / "from_torchvision.toml").read_text(encoding="utf-8"))
    assert {entry.name for entry in found if entry.pretrained} == set(theirs) >= {"alexnet", "squeezenet1_0"}
    assert all(entry.counted for entry in found)


def test_a_part_of_a_name_is_looked_for_in_timms_too():
    names = {entry.name: entry for entry in listing("efficientnetv2_b")}
    assert {f"tf_efficientnetv2_b{i}" for i in range(4)} <= set(names)
    assert names["tf_efficientnetv2_b2"].pretrained
    assert names["tf_efficientnetv2_b2"].size == 208
    mixed = [entry.library for entry in listing("squeeze*")]
    assert mixed == ["torchvision", "torchvision"]
    assert [entry.pretrained for entry in listing("efficientnet_b6")] == [False, True]  # the plain one has none


def test_a_name_that_nothing_matches_is_an_error():
    with pytest.raises(BadOption, match="No backbone's name matches"):
        listing("no_such_net")


def test_a_description_weighs_and_counts_what_a_real_net_does():
    found = describe("resnet_fer")
    assert (found.parameters, found.size, found.channels, found.classes) == (1_227_880, 48, 1, 8)
    net = build(backbone("resnet_fer"), 1, 8, 48)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 1, 48, 48))
    assert found.flops == counter.get_total_flops() > 1e6
    assert (found.smallest, found.features, found.blocks, found.mean) == (16, 256, 6, None)


def test_a_tag_of_timms_gives_its_own_statistics_and_licence():
    plain, swsl = describe("resnet18"), describe("resnet18.fb_swsl_ig1b_ft_in1k")
    assert plain.mean == (0.485, 0.456, 0.406)
    assert plain.tags[0] == "resnet18.a1_in1k"
    assert plain.small_stem
    assert plain.parameters == 11_180_103
    assert "cc-by-nc" in swsl.licence
    assert swsl.published == plain.published


def test_at_another_size_what_depends_on_it_is_of_that_size():
    own, small = describe("resnet18"), describe("resnet18", 48)
    assert (own.size, own.native, own.map) == (224, 224, (7, 7))
    assert (small.size, small.native, small.map) == (48, 224, (2, 2))
    assert small.flops < own.flops / 10
    assert small.parameters == own.parameters


def test_a_size_that_the_net_does_not_take_is_refused_with_the_smallest_that_works():
    with pytest.raises(BadOption, match="smallest that works is 63 px"):
        describe("alexnet", 48)


def test_the_smallest_input_is_found():
    assert describe("alexnet").smallest == 63
    assert describe("alexnet_2012").smallest == 67
    assert not describe("alexnet").small_stem
