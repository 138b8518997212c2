"""AlexNet of 2012, beside the figures and the formula of its paper (NeurIPS 25, sections 3.3, 3.5 and 5)."""

import pytest
import torch
from torch import nn

from zoo.models.architectures.alexnet_2012 import relu_norm_pool
from zoo.models.build import backbone, blank, build
from zoo.models.shapes import layers


def test_its_layers_have_the_neurons_of_the_paper():
    found = [layer for layer in layers(blank(backbone("alexnet_2012"), 3, 1000, 227), 3, 227) if layer.parameters]
    # Of the first layer the paper has 253,440, which fits neither 224 nor 227 px; the maps of 55 are its figure 2's.
    neurons = [torch.Size(layer.output).numel() for layer in found]
    assert neurons == [55 * 55 * 96, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert [layer.output for layer in found[:2]] == [(96, 55, 55), (256, 27, 27)]


def test_its_kernels_see_the_maps_of_their_own_gpu():
    net = blank(backbone("alexnet_2012"), 3, 1000, 227)
    kernels = [tuple(block[0].weight.shape) for block in net.features]
    assert kernels == [(96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3)]


def test_responses_are_normalised_as_the_paper_writes_it():
    torch.manual_seed(0)
    a = 30 * torch.randn(2, 7, 3, 3)
    norm = relu_norm_pool()[1]
    for i in range(7):
        near = a[:, max(0, i - 2) : i + 3].square().sum(1)  # n = 5 adjacent maps
        torch.testing.assert_close(norm(a)[:, i], a[:, i] / (2 + 1e-4 * near) ** 0.75)
    kinds = [[type(layer) for layer in block] for block in blank(backbone("alexnet_2012"), 3, 7, 227).features]
    assert [nn.LocalResponseNorm in block for block in kinds] == [True, True, False, False, False]


def test_a_signal_goes_through_it_undiminished_and_the_last_layer_begins_without_an_opinion():
    torch.manual_seed(0)
    net = build(backbone("alexnet_2012"), 3, 7, 67).eval()
    with torch.no_grad():
        seen = torch.randn(64, 3, 67, 67)
        hidden, logits = net.forward_head(net.forward_features(seen), pre_logits=True), net(seen)
    assert 0.3 < hidden.std() < 3  # under the paper's deviation of 0.01 it is a constant
    assert logits.std() < 2
    assert net.classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
