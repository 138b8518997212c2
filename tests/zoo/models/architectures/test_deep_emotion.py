import math

import torch

from zoo.models.build import backbone, build


def test_the_transformer_begins_by_changing_nothing() -> None:
    net = build(backbone("deep_emotion"), 1, 7, 48)
    x = torch.rand(2, 1, 48, 48)
    with torch.inference_mode():
        torch.testing.assert_close(net.transformer(x), x, rtol=0, atol=1e-5)


def test_the_transformer_moves_the_picture_by_its_map() -> None:
    net = build(backbone("deep_emotion"), 1, 7, 48)
    x = torch.zeros(1, 1, 48, 48)
    x[..., 20:28, 10:18] = 1
    with torch.no_grad():
        net.transformer.choose[-1].bias.copy_(torch.tensor([-1.0, 0, 0, 0, 1, 0]))  # x runs backwards
        torch.testing.assert_close(net.transformer(x), x.flip(3), rtol=0, atol=1e-5)


def test_the_grid_is_as_fine_under_autocast_as_without() -> None:
    net = build(backbone("deep_emotion"), 1, 7, 48)
    x = torch.rand(2, 1, 48, 48)  # noise: the least shift shows
    for turned in (0.0, 0.3):
        cos, sin = math.cos(turned), math.sin(turned)
        with torch.no_grad():
            net.transformer.choose[-1].bias.copy_(torch.tensor([cos, -sin, 0.05, sin, cos, -0.05]))
            exact = net.transformer(x)
            with torch.autocast("cpu", torch.bfloat16):
                torch.testing.assert_close(net.transformer(x), exact, rtol=0, atol=1e-6)
                assert net(x).dtype == torch.bfloat16  # what comes behind it is autocast's again


def test_dropout_stops_in_eval_mode() -> None:
    torch.manual_seed(0)
    net = build(backbone("deep_emotion"), 1, 7, 48)
    x = torch.rand(4, 1, 48, 48)
    with torch.inference_mode():
        assert torch.equal(net(x), net(x))
        for layer in net.modules():  # the statistics of a batch stay out of it
            layer.training = isinstance(layer, torch.nn.Dropout)
        assert not torch.equal(net(x), net(x))
