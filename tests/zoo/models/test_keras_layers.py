"""The last N layers of a net, held against what Keras itself says of them."""

import pytest

from zoo.models.build import backbone, blank, blocks
from zoo.models.keras_layers import keras_layers, last_layers

# Keras 3.15, keras.applications, include_top=False: trainable weights in the last 10, 20, 40 and 60 of `layers`, and
# how many of them there are behind stem_conv_pad.
KERAS = {
    "efficientnet_b0": ((893_232, 1_350_960, 2_050_704, 2_672_064), 233),
    "tf_efficientnet_b3": ((1_923_168, 3_373_152, 4_363_444, 5_253_454), 380),
    "efficientnet_b5": ((3_416_192, 5_028_992, 10_219_372, 11_684_728), 572),
    "tf_efficientnetv2_b0": ((581_680, 817_840, 1_720_720, 2_302_912), None),
}


def net_of(name):
    return blank(backbone(name), 3, 7, 96)


@pytest.mark.parametrize("name", KERAS)
def test_the_last_layers_hold_as_many_weights_as_keras_says(name):
    net = net_of(name)
    sizes = {key: p.numel() for key, p in net.named_parameters()}
    found = tuple(sum(sizes[key] for key in last_layers(net, count)) for count in (10, 20, 40, 60))
    weights, layers = KERAS[name]
    assert found == weights
    assert layers is None or len(keras_layers(net)) == layers


def test_twenty_layers_of_b3_cut_block_7a_behind_its_squeeze_and_excite():
    # Keras: block7a_project_conv is the first of the 20.
    opened = last_layers(net_of("tf_efficientnet_b3"), 20)
    cut = {key for key in opened if key.startswith("blocks.6.0.")}
    assert cut == {"blocks.6.0.conv_pwl.weight", "blocks.6.0.bn3.weight", "blocks.6.0.bn3.bias"}


@pytest.mark.parametrize(
    "name", ["resnet50", "vgg16", "densenet121", "inception_v3", "lenet_bn", "resnet_fer", "vit_tiny_patch16_224"]
)
def test_every_weight_outside_the_head_is_in_one_layer(name):
    net = net_of(name)
    named = [key for layer in keras_layers(net) for key in layer]
    rest = {key for key, _ in net.named_parameters()} - {*blocks(net)[-1]}
    assert sorted(named) == sorted(rest)
    assert last_layers(net, 10_000) == rest
