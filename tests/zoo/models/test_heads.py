import copy
import math

import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from ferdata.errors import BadOption
from zoo.models.build import backbone, begin, build, parameters
from zoo.models.heads import Head, Mlp, penalty

CHORKO = Head("mlp", (512, 256, 128, 64), (0.25,) * 4, norm=True)
NOTES = Head("mlp", (512, 256, 128, 64), (0.5, 0.6, 0.6, 0.3), l2=0.001)
AMRKLD = Head("mlp", (128,))


def test_chorkos_head_is_dense_relu_norm_dropout_four_times_over_and_a_last_layer():
    kinds = [type(layer).__name__ for layer in Mlp(1408, CHORKO, 7)]
    assert kinds == ["Linear", "ReLU", "Norm", "Dropout"] * 4 + ["Linear"]
    widths = [(m.in_features, m.out_features) for m in Mlp(1408, CHORKO, 7) if isinstance(m, nn.Linear)]
    assert widths == [(1408, 512), (512, 256), (256, 128), (128, 64), (64, 7)]


def test_the_notes_head_has_no_norm_and_a_rate_for_each_layer():
    layers = list(Mlp(1536, NOTES, 7))
    assert [m.p for m in layers if isinstance(m, nn.Dropout)] == [0.5, 0.6, 0.6, 0.3]
    assert not [m for m in layers if isinstance(m, nn.BatchNorm1d)]


def test_amrklds_head_is_one_plain_layer():
    assert [type(layer).__name__ for layer in Mlp(1408, AMRKLD, 7)] == ["Linear", "ReLU", "Linear"]


@pytest.mark.parametrize("head", [CHORKO, NOTES, AMRKLD])
@pytest.mark.parametrize("name", ["resnet_fer", "mobilenetv3_small_100", "convnext_atto", "squeezenet1_1"])
def test_a_head_takes_the_place_of_the_last_layer(name, head):
    plain = build(backbone(name), 1, 5, 48)
    net = build(backbone(name), 1, 5, 48, head=head)
    last = net.get_classifier()
    assert isinstance(last, Mlp)
    assert last[0].in_features == plain.get_classifier().in_features
    assert parameters(net) - parameters(last) == parameters(plain) - parameters(plain.get_classifier())
    x = torch.rand(3, 1, 48, 48)
    assert net.train()(x).shape == (3, 5)
    net.zero_grad()
    net(x).square().sum().backward()
    assert all(p.grad is not None for p in last.parameters())
    with torch.inference_mode():
        seen = net.eval().forward_head(net.forward_features(x), pre_logits=True)
        torch.testing.assert_close(last(seen), net(x))


def test_norm_takes_a_batch_of_one_by_its_running_statistics():
    torch.manual_seed(0)
    head = Mlp(8, Head("mlp", (6,), norm=True), 3).train()
    head(torch.randn(32, 8))
    one = torch.randn(1, 8)
    found, norm = head(one), head[2]
    before = norm.running_mean.clone()
    torch.testing.assert_close(found, copy.deepcopy(head).eval()(one))
    assert torch.equal(norm.running_mean, before)
    head(torch.randn(4, 8))
    assert not torch.equal(norm.running_mean, before)


@pytest.mark.parametrize("head", [NOTES, Head(l2=0.001)])
def test_the_penalty_is_l2_times_the_squares_of_the_heads_weights_alone(head):
    net = build(backbone("resnet_fer"), 1, 5, 48, head=head)
    weights = [p for name, p in net.get_classifier().named_parameters() if p.ndim > 1]
    found = penalty(net)
    torch.testing.assert_close(found, 0.001 * sum(w.square().sum() for w in weights))
    found.backward()
    torch.testing.assert_close(weights[0].grad, 0.002 * weights[0])
    assert all(p.grad is None for p in net.features.parameters())
    torch.testing.assert_close(penalty(copy.deepcopy(net)), found)


def test_without_l2_there_is_no_penalty():
    assert penalty(build(backbone("resnet_fer"), 1, 5, 48, head=AMRKLD)) is None


def test_trees_get_a_net_with_a_linear_head():
    net = build(backbone("resnet_fer"), 1, 5, 48, head=Head("xgboost"))
    assert isinstance(net.get_classifier(), nn.Linear)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "forest"}, "no head 'forest'"),
        ({"kind": "mlp"}, "no hidden layers"),
        ({"widths": (8,)}, "linear head has no hidden layers"),
        ({"kind": "xgboost", "norm": True}, "xgboost head has no hidden layers"),
        ({"kind": "mlp", "widths": (8, 4), "dropout": (0.1,)}, "1 rates of dropout for 2"),
        ({"kind": "mlp", "widths": (0,)}, "above 0|units"),
        ({"kind": "mlp", "widths": (8,), "dropout": (1.0,)}, "Dropout"),
        ({"l2": -1.0}, "l2"),
    ],
)
def test_a_head_that_cannot_be_is_refused(options, words):
    with pytest.raises(BadOption, match=words):
        Head(**options)


def test_hidden_layers_do_not_fit_behind_a_convolution():
    with pytest.raises(BadOption, match="ends in a Conv2d"):
        build(backbone("mini_xception"), 1, 7, 48, head=AMRKLD)


def test_a_net_with_two_last_layers_takes_a_penalty_but_neither_hidden_layers_nor_trees():
    name = "deit_tiny_distilled_patch16_224"
    net = build(backbone(name), 1, 3, 32, head=Head(l2=0.01))
    wanted = 0.01 * (net.head.weight.square().sum() + net.head_dist.weight.square().sum())
    torch.testing.assert_close(penalty(net), wanted)
    for head, words in ((AMRKLD, "ends in a tuple"), (Head("xgboost"), "several last layers")):
        with pytest.raises(BadOption, match=words):
            build(backbone(name), 1, 3, 32, head=head)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv3_large_100", "inception_v3"])
def test_a_net_with_loaded_weights_begins_without_an_opinion(tmp_path, name):
    torch.manual_seed(0)
    file = tmp_path / "w.safetensors"
    drawn = timm.create_model(name, num_classes=8)
    save_file({key: t.clone() for key, t in drawn.state_dict().items()}, file)
    loaded = begin(backbone(name, weights=file), 3, 8, 96).net
    x, y = torch.randn(32, 3, 96, 96), torch.arange(32) % 8
    with torch.no_grad():
        before, after = (float(F.cross_entropy(net.train()(x), y)) for net in (drawn, loaded))
    assert before > math.log(8) + 0.5
    assert after == pytest.approx(math.log(8), abs=0.3)
