"""Torchvision's own nets are the oracle: with the same weights, the same answer."""

import copy
from pathlib import Path

import pytest
import timm
import torch
from torchvision import models

from ferdata.errors import BadOption
from zoo.models.architectures import from_torchvision
from zoo.models.build import backbone, build

NAMES = sorted({name.partition(".")[0] for name in from_torchvision.default_cfgs})


def original(name: str) -> torch.nn.Module:
    """Torchvision's net with random weights, as it comes, auxiliary heads and all."""
    torch.manual_seed(1)
    more = {"init_weights": True, "aux_logits": True} if name == "googlenet" else {}
    net: torch.nn.Module = getattr(models, name)(**more).eval()
    return net


def with_last_layer(ours: torch.nn.Module, theirs: torch.nn.Module) -> torch.nn.Module:
    """Give ours the last layer, which no file's weights give: nobody knows its classes."""
    last = [m for m in theirs.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)][-1]
    mine = ours.get_classifier()
    with torch.no_grad():
        mine.weight.copy_(last.weight.flatten(1))
        mine.bias.copy_(last.bias)
    return ours


@pytest.fixture(scope="module", params=NAMES)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, torch.nn.Module, Path]:
    """The name, torchvision's net, and a file of its weights as torchvision publishes them."""
    net = original(request.param)
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.pth"
    torch.save(net.state_dict(), path)
    return request.param, net, path


def test_torchvisions_weights_give_torchvisions_answer(file: tuple[str, torch.nn.Module, Path]) -> None:
    name, net, path = file
    ours = with_last_layer(build(backbone(name, weights=path), 3, 1000, 64), net)
    x = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        wanted, found = net(x), ours(x)
    if name.startswith("squeezenet"):  # whose logits torchvision cuts off at 0, place by place
        bare = copy.deepcopy(net)
        bare.classifier[2] = torch.nn.Identity()
        with torch.inference_mode():
            wanted = bare(x)
        assert found.min() < 0
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_grey_gets_the_sum_of_the_three_kernels(file: tuple[str, torch.nn.Module, Path]) -> None:
    name, net, path = file
    card = backbone(name, weights=path)
    ours = build(card, 1, 1000, 64)
    grey = torch.rand(2, 1, 64, 64)
    first = next(m for m in ours.modules() if isinstance(m, torch.nn.Conv2d))
    theirs = next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d))
    with torch.inference_mode():
        torch.testing.assert_close(first(grey), theirs(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_other_classes_get_a_last_layer_drawn_anew_and_the_rest_is_kept(
    file: tuple[str, torch.nn.Module, Path],
) -> None:
    name, net, path = file
    ours = build(backbone(name, weights=path), 3, 7, 64)
    assert ours.get_classifier().out_features == 7
    first = next(m for m in ours.modules() if isinstance(m, torch.nn.Conv2d))
    assert torch.equal(first.weight, next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d)).weight)


def test_alexnet_says_from_where_on_it_works() -> None:
    with pytest.raises(BadOption, match="The smallest that works is 63 px"):
        build(backbone("alexnet"), 1, 7, 48)


def test_googlenets_statistics_are_those_its_weights_were_made_with() -> None:
    """Torchvision turns ImageNet's statistics inside into 0.5 and 0.5; here they are said at once."""
    theirs = models.googlenet(init_weights=False, transform_input=True, aux_logits=False)
    p = torch.rand(1, 3, 8, 8)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    inside = theirs._transform_input((p - mean) / std)
    known = backbone("googlenet", pretrained=True)
    assert known.mean is not None
    assert known.std is not None
    torch.testing.assert_close((p - known.mean[0]) / known.std[0], inside, rtol=1e-5, atol=1e-5)


def test_what_timm_downloads_for_them_is_renamed(file: tuple[str, torch.nn.Module, Path]) -> None:
    name, net, path = file
    overlay = {"file": str(path), "custom_load": False}
    ours = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay).eval()
    mine, theirs = ours.get_classifier().weight, list(net.parameters())[-2]
    assert torch.equal(mine, theirs.flatten(1))
