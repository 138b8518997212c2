"""What holds for every net that this package registers with timm."""

import pytest
import timm
import torch
from torch import nn

import zoo.models.architectures  # noqa: F401  # registers them
from zoo.models.build import backbone, blank, blocks, build, parameters
from zoo.models.catalogue import own

NAMES = list(own())
# Small enough to be quick, large enough for all of them: alexnet wants 63, that of 2012 67, face_api 103.
SIDE = {"alexnet": 64, "emotionnet2": 32, "resemotenet": 32, "khaireddin_vgg": 32, "googlenet": 32, "vgg13_ferplus": 32}
SIDE |= {"face_api": 103, "iresnet50": 32, "alexnet_2012": 67}
LEAST = {"alexnet": 63, "alexnet_2012": 67, "face_api": 103}  # which tests of their own hold


def side(name: str) -> int:
    return SIDE.get(name, 48)


def images(n: int, channels: int, size: int) -> torch.Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def nets() -> dict[str, nn.Module]:
    """Each net once, grey, five classes; tests leave them in eval mode."""
    torch.manual_seed(0)
    return {name: build(backbone(name), 1, 5, side(name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_net_has_exactly_the_parameters_of_its_card(name: str) -> None:
    counted = own()[name].counted
    assert counted is not None
    net = blank(backbone(name), counted.channels, counted.classes, counted.size)
    assert parameters(net) == counted.parameters


# As published, or as the tables of the sources add up; (name, classes, channels, pixels, parameters).
PUBLISHED = [
    ("resnet_fer", 8, 1, 48, 1_227_880),
    ("vgg13_ferplus", 8, 1, 64, 8_757_704),
    ("lenet5", 7, 1, 48, 168_971),
    ("lenet_bn", 3, 3, 256, 63_116_103),
    ("lenet_bn128", 3, 3, 256, 7_874_375),
    ("khaireddin_vgg", 7, 1, 40, 29_890_759),
    ("deep_emotion", 7, 1, 48, 66_877),
    ("auto_fernet", 7, 1, 44, 2_164_831),
    ("mini_xception", 7, 1, 64, 56_951),
    ("googlenet", 7, 3, 48, 5_607_079),
    ("googlenet", 1000, 3, 224, 6_624_904),
    ("squeezenet1_0", 7, 3, 48, 739_015),
    ("squeezenet1_0", 1000, 3, 224, 1_248_424),
    ("squeezenet1_1", 7, 3, 48, 726_087),
    ("squeezenet1_1", 1000, 3, 224, 1_235_496),
    ("alexnet", 7, 3, 64, 57_032_519),
    ("alexnet", 1000, 3, 224, 61_100_840),
    ("alexnet_2012", 1000, 3, 227, 60_965_224),
    ("face_api", 0, 3, 150, 5_614_592),  # its manifest's 117 tensors
]


@pytest.mark.parametrize(("name", "classes", "channels", "size", "count"), PUBLISHED)
def test_a_net_has_the_parameters_that_its_source_adds_up_to(
    name: str, classes: int, channels: int, size: int, count: int
) -> None:
    assert parameters(blank(backbone(name), channels, classes, size)) == count


@pytest.mark.parametrize(("name", "millions"), [("emotionnet2", 41.36), ("resemotenet", 80.2), ("wujie_vgg19", 20.04)])
def test_a_net_has_the_rounded_count_that_is_published(name: str, millions: float) -> None:
    digits = len(str(millions).partition(".")[2])
    assert round(parameters(blank(backbone(name), 3, 7, 64)) / 1e6, digits) == millions


def test_the_hidden_layer_of_the_course_net_follows_its_input() -> None:
    at = {size: blank(backbone("lenet_bn"), 3, 3, size).neck[1].in_features for size in (48, 64, 112, 256)}
    assert at == {48: 16 * 10**2, 64: 16 * 14**2, 112: 16 * 26**2, 256: 61_504}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [40, 48, 64, 96])
def test_logits_have_their_shape_in_train_and_in_eval_mode(name: str, channels: int, size: int) -> None:
    if size < LEAST.get(name, 0):
        pytest.skip("nothing is left of the map, which another test holds")
    net = blank(backbone(name), channels, 7, size)
    x = torch.empty(2, channels, size, size, device="meta")
    for mode in (True, False):
        assert net.train(mode)(x).shape == (2, 7)


@pytest.mark.parametrize("name", NAMES)
def test_timm_builds_it_by_name_and_its_contract_is_kept(name: str) -> None:
    more = {"img_size": max(64, side(name))} if timm.models.get_pretrained_cfg(name).fixed_input_size else {}
    with torch.device("meta"):
        net = timm.create_model(name, num_classes=8, in_chans=1, **more)
    x = torch.empty(2, 1, max(64, side(name)), max(64, side(name)), device="meta")
    seen = net.eval().forward_features(x)
    assert seen.shape[:2] == (2, net.num_features)
    width = net.forward_head(seen, pre_logits=True).shape
    assert width == (2, getattr(net, "head_hidden_size", None) or net.num_features)
    assert net.forward_head(seen).shape == net(x).shape == (2, 8)
    assert net.num_classes == 8
    assert net.pretrained_cfg["architecture"] == name
    assert net.get_submodule(net.pretrained_cfg["first_conv"]).in_channels == 1
    assert net.get_submodule(net.pretrained_cfg["classifier"]) is net.get_classifier()
    with torch.device("meta"):
        net.reset_classifier(3)
    assert net(x).shape == (2, 3)
    net.reset_classifier(0)
    assert net(x).shape == width


def test_timm_builds_one_without_being_told_of_a_size() -> None:
    assert timm.create_model("deep_emotion", num_classes=8, in_chans=1)(images(2, 1, 48)).shape == (2, 8)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(nets: dict[str, nn.Module], name: str) -> None:
    net = nets[name]
    with torch.no_grad():  # a layer that begins at zero lets nothing through to those before it
        for p in net.parameters():
            if p.ndim > 1 and not p.any():
                p.normal_(0, 0.01)
    # Each picture by itself and in eval mode: no average over the batch that a bias could vanish in.
    net(images(3, 1, side(name))).square().sum().backward()
    still = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    net.zero_grad(set_to_none=True)
    assert still == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_picture_gives_the_same_logits_in_eval_mode(nets: dict[str, nn.Module], name: str) -> None:
    x = images(2, 1, side(name))
    with torch.inference_mode():
        first, again = nets[name](x), nets[name](x)
        alone = nets[name](x[:1])
    assert torch.equal(first, again)
    torch.testing.assert_close(alone, first[:1], rtol=1e-3, atol=1e-4)
    assert first.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_blocks_hold_every_parameter_once_from_the_stem_to_the_head(nets: dict[str, nn.Module], name: str) -> None:
    groups = blocks(nets[name])
    names = [key for key, _ in nets[name].named_parameters()]
    assert sorted(key for group in groups for key in group) == sorted(names)
    last = nets[name].pretrained_cfg["classifier"]
    assert groups[-1] == [f"{last}.weight", f"{last}.bias"]
    # The first convolution is in the first block, but for the spatial transformer, which comes before it.
    stem = nets[name].pretrained_cfg["first_conv"] + ".weight"
    assert stem in groups[1 if name == "deep_emotion" else 0]
    assert len(groups) >= 4


def test_the_course_net_drops_maps_and_hidden_units() -> None:
    net = blank(backbone("lenet_bn128"), 3, 3, 48)
    assert isinstance(net.features[0][-1], nn.Dropout)
    assert [type(layer) for layer in net.neck] == [nn.Flatten, nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Dropout]


@pytest.mark.parametrize("name", NAMES)
def test_dropout_can_be_set(name: str) -> None:
    with torch.device("meta"):
        net = timm.create_model(name, num_classes=2, drop_rate=0.7)
    rates = {m.p for m in net.modules() if isinstance(m, nn.Dropout)} | {getattr(net, "drop_rate", None)}
    assert 0.7 in rates
