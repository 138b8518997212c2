"""The last map and the layers of a net, beside what a forward in earnest gives."""

import pytest
import torch
from torch import nn

from zoo.models.build import backbone, blank, build, parameters
from zoo.models.describe import coarse
from zoo.models.shapes import last_map, layers


@pytest.mark.parametrize(
    ("name", "size", "found"),
    [
        ("tf_efficientnet_b5", 48, (2, 2)),
        ("tf_efficientnet_b5", 456, (15, 15)),
        ("resnet18", 64, (2, 2)),
        ("alexnet_2012", 227, (6, 6)),
        ("swin_tiny_patch4_window7_224", 224, (7, 7)),  # channels last
        ("vit_tiny_patch16_224", 224, (14, 14)),  # tokens, and one more for the class
        ("crossvit_tiny_240", 240, None),  # two maps at once
    ],
)
def test_the_last_map_is_what_the_head_pools(name, size, found):
    assert last_map(blank(backbone(name), 3, 7, size), 3, size) == found


def test_a_small_stem_keeps_more_of_the_map():
    assert last_map(blank(backbone("resnet18"), 3, 7, 48, stem="small"), 3, 48) == (6, 6)


def test_a_map_is_too_coarse_below_the_nets_own_size_alone():
    assert "2 x 2 at 48 px" in (coarse((2, 2), 48, 224) or "")
    assert coarse((2, 2), 150, 150) is None  # face_api's own
    assert coarse((3, 3), 48, 224) is None
    assert coarse(None, 48, 224) is None


def test_the_layers_of_a_plain_net_are_listed_as_they_are_run():
    found = layers(blank(backbone("lenet5"), 1, 7, 48), 1, 48)
    assert [(layer.kind, layer.output, layer.parameters) for layer in found] == [
        ("Conv2d 5x5", (6, 44, 44), 156),
        ("Tanh", (6, 44, 44), 0),
        ("AvgPool2d 2x2 /2", (6, 22, 22), 0),
        ("Conv2d 5x5", (16, 18, 18), 2_416),
        ("Tanh", (16, 18, 18), 0),
        ("AvgPool2d 2x2 /2", (16, 9, 9), 0),
        ("Flatten", (1296,), 0),
        ("Linear", (120,), 155_640),
        ("Tanh", (120,), 0),
        ("Linear", (84,), 10_164),
        ("Tanh", (84,), 0),
        ("Linear", (7,), 595),
    ]


def test_outputs_are_those_of_a_forward_in_earnest():
    net = build(backbone("resnet_fer"), 1, 8, 48)
    shapes = {}
    for name, module in net.named_modules():
        module.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    with torch.inference_mode():
        net(torch.zeros(1, 1, 48, 48))
    found = layers(blank(backbone("resnet_fer"), 1, 8, 48), 1, 48)
    assert {layer.name: layer.output for layer in found} == {layer.name: shapes[layer.name] for layer in found}


@pytest.mark.parametrize(
    "name", ["resnet_fer", "resnet18", "tf_efficientnet_b0", "convnext_atto", "vit_tiny_patch16_224"]
)
def test_layers_and_blocks_add_up_to_the_net(name):
    card = backbone(name)
    size = card.size or card.known.input_size[-1]
    net = blank(card, 3, 7, size)
    found = layers(net, 3, size)
    assert sum(layer.parameters for layer in found if not layer.block) == parameters(net)
    assert any(layer.block for layer in found)
    for number, block in enumerate(found):
        if block.block:
            inside = [layer for layer in found if layer.name.startswith(f"{block.name}.")]
            assert inside[0] is found[number + 1]
            own = sum(p.numel() for p in net.get_submodule(block.name).parameters())
            assert block.parameters == own
    assert len({layer.name for layer in found if layer.block}) == sum(layer.block for layer in found)


def test_what_belongs_to_no_layer_comes_last_by_name():
    last = layers(blank(backbone("vit_tiny_patch16_224"), 3, 7, 224), 3, 224)[-1]
    assert (last.name, last.kind, last.parameters) == ("other", "cls_token, pos_embed", 192 + 197 * 192)


def test_a_layer_that_is_run_twice_is_counted_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)

        def forward(self, x):
            return self.layer(self.layer(x))

    with torch.device("meta"):
        assert [layer.parameters for layer in layers(Twice(), 1, 8)] == [9, 0]
