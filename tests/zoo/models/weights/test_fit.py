"""Files as people have them, whole, wrapped and wrong. Nets are small ones of timm's, drawn, under true names."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from ferdata.errors import BadOption
from zoo.models.build import backbone, begin

NAME = "resnet10t"
Weights = dict[str, Tensor]


def drawn(name: str, seed: int = 11, **given: int) -> Weights:
    torch.manual_seed(seed)
    weights: Weights = timm.create_model(name, **given).state_dict()
    return weights


@pytest.fixture(scope="module")
def weights() -> Weights:
    return drawn(NAME)


def kept(path: Path, held: object) -> Path:
    torch.save(held, path)
    return path


def differing(net: torch.nn.Module, weights: Weights) -> set[str]:
    return {key for key, t in net.state_dict().items() if not torch.equal(t, weights[key])}


def test_what_was_taken_and_left_is_counted_and_the_last_layer_is_drawn_even_for_as_many_classes(tmp_path, weights):
    card = backbone(NAME, weights=kept(tmp_path / "w.pth", weights))
    for classes in (7, 1000):
        begun = begin(card, 3, classes, 64)
        assert begun.notes == (
            f"Took {len(weights) - 2} of {len(weights)} tensors of w.pth by timm's names; left fc.weight, fc.bias.",
        )
        found = begun.net.state_dict()
        assert {k for k in weights if not torch.equal(found[k], weights[k])} == {"fc.weight", "fc.bias"}


WRAPPED = [
    lambda w: {"state_dict": w},
    lambda w: {"model": w, "epoch": 3, "optimizer": {"state": {}}},
    lambda w: {"net": w, "acc": 71.9},
    lambda w: {"epoch": 9, "state_dict": {"model": w}},
    lambda w: {f"module.{k}": t for k, t in w.items()},
    lambda w: {"state_dict": {f"module.backbone.{k}": t for k, t in w.items()}},
    lambda w: {**{f"backbone.{k}": t for k, t in w.items()}, "head.weight": torch.ones(4, 512)},
]


@pytest.mark.parametrize("wrap", WRAPPED)
def test_what_a_training_script_wraps_around_weights_is_taken_off(tmp_path, weights, wrap):
    begun = begin(backbone(NAME, weights=kept(tmp_path / "w.pth", wrap(weights))), 3, 7, 64)
    found = begun.net.state_dict()
    assert {k for k in weights if not torch.equal(found[k], weights[k])} == {"fc.weight", "fc.bias"}
    assert f"Took {len(weights) - 2} of" in begun.notes[0]


def test_averaged_weights_are_preferred_where_both_are_kept(tmp_path, weights):
    both = {"state_dict": {k: torch.zeros_like(t) for k, t in weights.items()}, "state_dict_ema": weights}
    net = begin(backbone(NAME, weights=kept(tmp_path / "w.pth", both)), 3, 7, 64).net
    assert torch.equal(net.state_dict()["layer1.0.conv1.weight"], weights["layer1.0.conv1.weight"])


def test_counters_of_batches_may_lack(tmp_path, weights):
    old = {k: t for k, t in weights.items() if not k.endswith("num_batches_tracked")}
    begun = begin(backbone(NAME, weights=kept(tmp_path / "w.pth", old)), 3, 7, 64)
    assert f"Took {len(old) - 2} of {len(old)} tensors" in begun.notes[0]


def test_weights_of_another_net_are_refused_with_the_first_names_of_both(tmp_path, weights):
    path = kept(tmp_path / "w.pth", weights)
    with pytest.raises(BadOption) as refused:
        begin(backbone("mobilenetv3_small_050", weights=path), 3, 7, 64)
    said = refused.value.message
    assert "is not of mobilenetv3_small_050" in said
    assert "its first names are conv1.0.weight, conv1.1.weight, conv1.1.bias" in said
    assert "the net's are conv_stem.weight, bn1.weight" in said


def test_another_width_is_refused_with_a_tensor_and_both_shapes(tmp_path):
    path = kept(tmp_path / "w.pth", drawn("mobilenetv3_small_050"))
    words = (
        r"is not of mobilenetv3_small_100: [\w.]+ is \([\d, ]+\) there and \([\d, ]+\) in the net, and \d+ more differ"
    )
    with pytest.raises(BadOption, match=words):
        begin(backbone("mobilenetv3_small_100", weights=path), 3, 7, 64)


def test_half_a_file_of_names_is_refused_by_what_it_lacks(tmp_path, weights):
    names = list(weights)
    path = tmp_path / "w.safetensors"
    save_file({k: weights[k].clone() for k in names[: len(names) * 3 // 4]}, path)
    with pytest.raises(BadOption, match=r"it has no layer\S+ and \d+ more"):
        begin(backbone(NAME, weights=path), 3, 7, 64)


def test_weights_without_their_running_statistics_are_refused(tmp_path, weights):
    bare = {k: t for k, t in weights.items() if "running" not in k}
    with pytest.raises(BadOption, match=r"it has no conv1\.1\.running_mean and \d+ more"):
        begin(backbone(NAME, weights=kept(tmp_path / "w.pth", bare)), 3, 7, 64)


def test_a_larger_net_whose_names_hold_this_nets_is_refused(tmp_path):
    path = kept(tmp_path / "w.pth", drawn("resnet34"))
    with pytest.raises(BadOption, match=r"no place for its layer1\.2\.conv1\.weight.* and \d+ more"):
        begin(backbone("resnet18", weights=path), 3, 7, 64)


def test_grey_weights_are_taken_for_one_channel_and_refused_for_three(tmp_path):
    grey = drawn(NAME, in_chans=1)
    path = kept(tmp_path / "w.pth", grey)
    assert differing(begin(backbone(NAME, weights=path), 1, 1000, 64).net, grey) == {"fc.weight"} | {"fc.bias"}
    with pytest.raises(BadOption, match=r"conv1\.0\.weight is \(24, 1, 3, 3\) there and \(24, 3, 3, 3\)") as refused:
        begin(backbone(NAME, weights=path), 3, 7, 64)
    assert "--channels" in refused.value.hint


def test_values_that_are_no_numbers_are_refused_by_the_tensor_that_holds_them(tmp_path, weights):
    broken = {**weights, "layer2.0.conv1.weight": weights["layer2.0.conv1.weight"] * torch.nan}
    with pytest.raises(BadOption, match=r"no numbers, in layer2\.0\.conv1\.weight"):
        begin(backbone(NAME, weights=kept(tmp_path / "w.pth", broken)), 3, 7, 64)


def test_half_precision_is_widened(tmp_path, weights):
    half = {k: t.half() if t.is_floating_point() else t for k, t in weights.items()}
    net = begin(backbone(NAME, weights=kept(tmp_path / "w.pth", half)), 3, 7, 64).net
    assert {t.dtype for t in net.parameters()} == {torch.float32}
    torch.testing.assert_close(net.layer1[0].conv1.weight, weights["layer1.0.conv1.weight"], rtol=1e-3, atol=1e-4)


def test_a_transformers_places_are_fitted_to_the_size(tmp_path):
    weights = drawn("vit_tiny_patch16_224")
    net = begin(backbone("vit_tiny_patch16_224", weights=kept(tmp_path / "w.pth", weights)), 3, 7, 112).net
    assert net.pos_embed.shape == (1, 1 + 7 * 7, 192)
    assert torch.equal(net.blocks[3].attn.qkv.weight, weights["blocks.3.attn.qkv.weight"])


def test_a_net_that_reads_its_whole_map_says_which_size_its_weights_want(tmp_path):
    path = kept(tmp_path / "w.pth", drawn("mobilefacenet"))
    with pytest.raises(
        BadOption, match=r"neck\.0\.0\.weight is \(512, 1, 7, 7\) there and \(512, 1, 4, 4\)"
    ) as refused:
        begin(backbone("mobilefacenet", weights=path), 3, 7, 64)
    assert "--size" in refused.value.hint
