from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F

from ferdata.errors import BadOption
from zoo.training.losses import build

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [-2.0, 1.0, 3.0]])
SOFT = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]])
EVEN = torch.full((3,), 1 / 3)
WEIGHTS = torch.tensor([0.5, 1.0, 4.0])


@dataclass
class Options:
    targets: str = "crossentropy"
    loss: str = "cross_entropy"
    focal_gamma: float = 2.0
    smoothing: float = 0.0
    logit_adjustment: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_pytorchs_own(smoothing, weights):
    loss = build(Options(smoothing=smoothing), weights, EVEN)
    expected = F.cross_entropy(LOGITS, SOFT, weight=weights, label_smoothing=smoothing)
    assert float(loss(LOGITS, SOFT)) == pytest.approx(float(expected), rel=1e-6)


def test_focal_at_gamma_zero_is_cross_entropy_and_above_spares_what_is_sure():
    plain = build(Options(), None, EVEN)(LOGITS, SOFT)
    assert float(build(Options(loss="focal", focal_gamma=0), None, EVEN)(LOGITS, SOFT)) == pytest.approx(float(plain))
    sure, unsure = torch.tensor([[4.0, 0, 0]]), torch.tensor([[0.1, 0, 0]])
    one = torch.tensor([[1.0, 0, 0]])
    focal = build(Options(loss="focal"), None, EVEN)
    kept = [float(focal(z, one) / F.cross_entropy(z, one)) for z in (sure, unsure)]
    p = [float(z.softmax(1)[0, 0]) for z in (sure, unsure)]
    assert kept == pytest.approx([(1 - v) ** 2 for v in p], rel=1e-4)


def test_of_several_right_classes_the_most_probable_one_counts():
    loss = build(Options(targets="multi_target"), None, EVEN)
    right = torch.tensor([[0.0, 1, 1], [1.0, 0, 0], [1, 1, 0]])
    p = LOGITS.softmax(1)
    expected = -(p[0, 1].log() + p[1, 0].log() + p[2, 1].log()) / 3
    assert float(loss(LOGITS, right)) == pytest.approx(float(expected), rel=1e-6)


def test_several_right_classes_never_pull_towards_a_wrong_one_however_sure_it_is():
    logits = torch.tensor([[30.0, 0.0, 0.0]], requires_grad=True)
    build(Options(targets="multi_target"), None, EVEN)(logits, torch.tensor([[0.0, 1, 0]])).backward()
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([1, -1, 0], abs=1e-4)


def test_class_weights_reach_the_class_that_was_taken_among_several():
    right = torch.tensor([[0.0, 1, 1]])
    plain, weighted = (build(Options(targets="multi_target"), w, EVEN)(LOGITS[2:], right) for w in (None, WEIGHTS))
    assert float(weighted) == pytest.approx(4 * float(plain))


def test_an_adjusted_net_must_win_by_more_on_the_rare_class():
    prior = torch.tensor([0.9, 0.09, 0.01])
    loss = build(Options(logit_adjustment=1.0), None, prior)
    flat = torch.zeros(1, 3)
    got = [float(loss(flat, torch.eye(3)[i : i + 1])) for i in range(3)]
    assert got == pytest.approx([-float(v.log()) for v in prior], rel=1e-5)


def test_a_class_absent_from_train_makes_no_loss_infinite():
    loss = build(Options(logit_adjustment=1.0), None, torch.tensor([0.5, 0.5, 0.0]))
    assert torch.isfinite(loss(LOGITS, SOFT))


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("targets", ["crossentropy", "multi_target"])
def test_extreme_and_half_precision_logits_stay_finite_with_their_gradients(loss, targets):
    logits = torch.tensor([[6e4, -6e4, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    value = build(Options(loss=loss, targets=targets), WEIGHTS, EVEN)(logits, torch.tensor([[0.0, 1.0, 0.0]]))
    value.backward()
    assert torch.isfinite(value)
    assert value.dtype == torch.float32
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("option", ["smoothing", "mixup", "cutmix"])
def test_several_right_classes_are_neither_smoothed_nor_mixed(option):
    with pytest.raises(BadOption, match="multi_target"):
        build(Options(targets="multi_target", **{option: 0.1}), None, EVEN)


def test_a_loss_of_no_known_kind_is_refused():
    with pytest.raises(BadOption, match="focal"):
        build(Options(loss="hinge"), None, EVEN)
