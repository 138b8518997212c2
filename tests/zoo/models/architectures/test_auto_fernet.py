import pytest
import torch

from ferdata.errors import BadOption
from zoo.models.build import backbone, blocks, build, parameters


def test_with_the_auxiliary_classifier_it_has_the_published_count_and_two_answers_while_training() -> None:
    net = build(backbone("auto_fernet"), 1, 7, 44, aux=True)
    assert parameters(net) == 2_638_950
    x = torch.rand(2, 1, 44, 44)
    logits, beside = net.train()(x)
    assert logits.shape == beside.shape == (2, 7)
    (logits.square().sum() + beside.square().sum()).backward()
    assert [key for key, p in net.named_parameters() if p.grad is None] == []
    with torch.inference_mode():
        assert net.eval()(x).shape == (2, 7)


def test_the_auxiliary_classifier_learns_with_the_head() -> None:
    last = blocks(build(backbone("auto_fernet"), 1, 7, 44, aux=True))[-1]
    assert {name.partition(".")[0] for name in last} == {"classifier", "auxiliary"}


def test_drop_path_leaves_branches_out_while_training_only() -> None:
    torch.manual_seed(0)
    net = build(backbone("auto_fernet"), 1, 7, 44, drop_path=0.5)
    x = torch.rand(2, 1, 44, 44)
    with torch.inference_mode():
        assert torch.equal(net(x), net(x))
        assert not torch.equal(net.train()(x), net(x))


@pytest.mark.parametrize("size", [44, 45, 47, 48])
def test_odd_sides_are_halved_alike_on_every_branch(size: int) -> None:
    net = build(backbone("auto_fernet"), 1, 7, size)
    with torch.inference_mode():
        assert net.forward_features(torch.rand(1, 1, size, size)).shape == (1, 576, -(-size // 4), -(-size // 4))


def test_a_net_without_one_says_so() -> None:
    with pytest.raises(BadOption, match="resnet_fer has no auxiliary classifier"):
        build(backbone("resnet_fer"), 1, 7, 48, aux=True)
    with pytest.raises(BadOption, match="resnet_fer has no drop path"):
        build(backbone("resnet_fer"), 1, 7, 48, drop_path=0.1)
