"""What is learnt from: each loss, weight, target, sampler and mix, by what one step must come to."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.zoo.voted import (
    CLASSES,
    MEAN,
    RATE,
    SIDE,
    STD,
    Face,
    cross_entropy,
    farthest,
    first_run,
    history,
    learn,
    net_of,
    seen_in_training,
    stepped,
    taught,
    train_faces,
    weights,
    write_faces,
)

NEUTRAL, HAPPINESS, SURPRISE, ANGER = 0, 1, 2, 4
MAJORITIES = {NEUTRAL: 26, HAPPINESS: 12, SURPRISE: 8, ANGER: 8}
# The votes of each class, a face counting one: of neutral 18 + 8 x 0.7 + 4 x 0.4 + 6 x 0.5, and so on.
VOTES = {NEUTRAL: 28.2, HAPPINESS: 11.0, SURPRISE: 9.0, ANGER: 11.8}
NEAR = 1e-6  # in float32


def per_class(values: dict[int, float]) -> Tensor:
    return torch.tensor([values.get(c, 0.0) for c in range(CLASSES)])


def weighted(by_class: dict[int, float]):
    """Cross entropy whose parts count by their class."""
    return lambda z, t: -(t * per_class(by_class) * z.log_softmax(1)).sum(1).mean()


def focal(gamma: float):
    return lambda z, t: -(t * (1 - z.softmax(1)) ** gamma * z.log_softmax(1)).sum(1).mean()


def adjusted(tau: float):
    prior = per_class(VOTES) / 60
    return lambda z, t: cross_entropy(z + tau * prior.clamp(min=1e-4).log(), t)


def any_right(z: Tensor, t: Tensor) -> Tensor:
    return -(z.softmax(1) * t).amax(1).log().mean()


def effective(n: float) -> float:
    return (1 - 0.9999**n) / (1 - 0.9999)


def scaled(raw: dict[int, float], counts: dict[int, float]) -> dict[int, float]:
    """Scale weights so that their mean over the images is 1."""
    mean = sum(raw[c] * counts[c] for c in raw) / sum(counts.values())
    return {c: w / mean for c, w in raw.items()}


BALANCED = {c: 60 / (4 * n) for c, n in VOTES.items()}
BY_MAJORITY = {c: 54 / (4 * n) for c, n in MAJORITIES.items()}
EFFECTIVE = scaled({c: 1 / effective(n) for c, n in VOTES.items()}, VOTES)
CAPPED = {c: min(w, 1.3) for c, w in BALANCED.items()}

LOSSES = {
    "targets=crossentropy": cross_entropy,
    "targets=majority": cross_entropy,
    "targets=multi_target": any_right,
    "loss=focal": focal(2.0),
    "loss=focal focal_gamma=0.5": focal(0.5),
    "smoothing=0.2": lambda z, t: cross_entropy(z, 0.8 * t + 0.2 / CLASSES),
    "logit_adjustment=1": adjusted(1.0),
    "logit_adjustment=0.5": adjusted(0.5),
    "class_weights=balanced": weighted(BALANCED),
    "class_weights=effective": weighted(EFFECTIVE),
    "class_weights=balanced weight_cap=1.3": weighted(CAPPED),
    "class_weights=balanced targets=majority": weighted(BY_MAJORITY),
    "class_weights=balanced loss=focal": lambda z, t: focal(2.0)(z, t * per_class(BALANCED)),
}


def options_of(text: str) -> dict[str, object]:
    """Return "key=value key=value" as options, numbers as numbers."""
    pairs = dict(pair.split("=") for pair in text.split())
    return {k: float(v) if v[0].isdigit() else v for k, v in pairs.items()}


def targets_of(text: str) -> str:
    return text.partition("targets=")[2] or "crossentropy"


@pytest.fixture(scope="module")
def steps(first):
    """Return the weights after a step down each of the losses."""
    return {text: stepped(first, rule, targets_of(text)) for text, rule in LOSSES.items()}


@pytest.mark.parametrize("text", LOSSES)
def test_a_step_goes_down_the_gradient_of_the_loss_that_the_options_name(faces, first, steps, tmp_path, text):
    run = learn(faces, first, tmp_path / "run", **options_of(text))
    assert farthest(weights(run), steps[text]) < NEAR
    x, t = taught(targets_of(text))
    assert history(run, "train_loss") == pytest.approx([LOSSES[text](net_of(first)(x), t).item()], rel=1e-5)
    assert min(farthest(steps[text], steps[other]) for other in LOSSES if other != text) > 20 * NEAR


def bias_says(first, run) -> Tensor:
    """Return the mean target of a first step from a blank head, (classes,): its bias moves by rate (t - 1/classes)."""
    name = "classifier.bias"
    assert not net_of(first).state_dict()[name].any()
    return weights(run)[name] / RATE + 1 / CLASSES


SHARES = {
    "shuffle": {c: n / 54 for c, n in MAJORITIES.items()},
    "balanced": dict.fromkeys(MAJORITIES, 1 / 4),
    "sqrt": {c: n**0.5 / sum(m**0.5 for m in MAJORITIES.values()) for c, n in MAJORITIES.items()},
    "dataset": {
        SURPRISE: 1 / 2
    },  # the small dataset is all of surprise; the rest comes as it does within the large one
}


@pytest.mark.parametrize("sampler", SHARES)
def test_a_sampler_shows_the_classes_in_its_shares(faces, blank, tmp_path, sampler):
    got = bias_says(blank, learn(faces, blank, tmp_path / "run", targets="majority", sampler=sampler))
    assert float(got.sum()) == pytest.approx(1, abs=1e-5)
    assert torch.allclose(54 * got, (54 * got).round(), atol=1e-3)  # whole images

    def off(name):
        return max(abs(float(got[c]) - share) for c, share in SHARES[name].items())

    assert [name for name in SHARES if off(name) < 1.001 / 54] == [sampler]


def drawn(before, after, rate: float) -> Tensor:
    """Return what each of the sixty faces was taught in one step, (60, classes), solved for from the head's gradient.

    The gradient is the mean over the faces of (p - t) times the features, and there are more features than faces.
    """
    x, _ = taught("crossentropy")
    net = before.eval()
    with torch.no_grad():
        features = net.forward_head(net.forward_features(x), pre_logits=True).double()
        p = net(x).double().softmax(1)
    moved = (before.classifier.weight - after.classifier.weight).detach().double() / rate * len(x)
    return p - torch.linalg.lstsq(features.T, moved.T, driver="gelsd").solution


def test_probability_draws_one_class_for_each_face_by_its_votes_and_anew_each_epoch(faces, blank, tmp_path):
    _, shares = taught("crossentropy")
    runs = [learn(faces, blank, tmp_path / str(n), targets="probability", epochs=n, lr=1.0, batch=60) for n in (1, 2)]
    nets = [net_of(blank), *(net_of(run.path) for run in runs)]
    solved = [drawn(before, after, 1.0) for before, after in pairwise(nets)]
    assert max(float((got - got.round()).abs().max()) for got in solved) < 0.01
    one, two = (got.round() for got in solved)
    for got in (one, two):
        assert bool(((got == 0) | (got == 1)).all())
        assert got.sum(1).tolist() == [1] * 60
        assert bool((shares[got > 0] > 0).all())
        assert not torch.equal(got.argmax(1), shares.argmax(1))
    assert not torch.equal(one, two)


def residue_faces() -> list[Face]:
    """Return eight faces whose pixels say whose they are, by what is left of them when divided by eight."""
    rng = np.random.default_rng(2)
    votes = [train_faces()[i].votes for i in (0, 20, 30, 35, 40, 45, 47, 55)]
    return [Face((8 * rng.integers(0, 32, (SIDE, SIDE)) + i).astype(np.uint8), given) for i, given in enumerate(votes)]


def mixed(tmp_path, **options):
    """Return what a net was shown of the eight faces, in levels of grey, the faces, and what `bias_says`."""
    faces = residue_faces()
    manifest = write_faces(tmp_path / "faces.parquet", faces)
    start = first_run(tmp_path / "first", blank=True)
    with seen_in_training() as seen:
        run = learn(manifest, start, tmp_path / "run", allow_leak=False, **options)
    assert len(seen) == 1
    levels = (seen[0][:, 0] * STD + MEAN) * 255
    return levels.double().numpy(), faces, bias_says(start, run).numpy()


def test_mixup_shows_blends_of_two_faces_and_teaches_their_votes_in_the_same_shares(tmp_path):
    shown, faces, says = mixed(tmp_path, mixup=0.8)
    total, kept = np.zeros(CLASSES), []
    for picture in shown:
        fits = []
        for i, a in enumerate(faces):
            for b in faces[i + 1 :]:
                way = a.pixels.astype(float) - b.pixels
                share = float(((picture - b.pixels) * way).sum() / (way**2).sum())
                off = float(np.abs(b.pixels + share * way - picture).max())
                fits.append((off, share, share * a.shares + (1 - share) * b.shares))
        off, share, target = min(fits, key=lambda fit: fit[0])
        assert off < 0.01
        assert -1e-4 <= share <= 1 + 1e-4
        total += target
        kept.append(max(share, 1 - share))
    assert min(kept) < 0.9
    assert says == pytest.approx(total / len(faces), abs=1e-5)
    assert not np.allclose(says, np.mean([f.shares for f in faces], 0), atol=1e-3)


def test_cutmix_shows_a_rectangle_of_one_face_on_another_and_teaches_their_votes_by_area(tmp_path):
    shown, faces, says = mixed(tmp_path, cutmix=1.0)
    total, two = np.zeros(CLASSES), 0
    for picture in shown:
        whose = picture.round().astype(int) % 8
        assert np.abs(picture - picture.round()).max() < 0.01
        assert np.array_equal(picture.round(), np.choose(whose, [f.pixels for f in faces]))
        names, counts = np.unique(whose, return_counts=True)
        assert len(names) <= 2
        for name, count in zip(names, counts, strict=True):
            total += faces[name].shares * count / SIDE**2
        two += len(names) == 2
    assert two >= 3
    assert says == pytest.approx(total / len(faces), abs=1e-5)
    assert not np.allclose(says, np.mean([f.shares for f in faces], 0), atol=1e-3)


def test_head_l2_pulls_the_head_s_weights_and_no_others(faces, tmp_path):
    from zoo.models.heads import Head

    start = first_run(tmp_path / "first", head=Head(l2=0.05))
    run = learn(faces, start, tmp_path / "run", head_l2=0.05)
    expected = stepped(start)
    expected["classifier.weight"] -= RATE * 2 * 0.05 * net_of(start).classifier.weight.detach()
    assert farthest(weights(run), expected) < NEAR
    assert farthest(expected, stepped(start)) > 20 * NEAR


def test_an_auxiliary_classifier_learns_at_its_weight(tmp_path):
    few = {"backbone": "auto_fernet", "size": 32}
    manifest = write_faces(tmp_path / "faces.parquet", residue_faces())
    start = first_run(tmp_path / "first", blank=True, aux=True, **few)
    got = weights(learn(manifest, start, tmp_path / "run", aux_weight=0.3, **few))
    mean = torch.from_numpy(np.mean([face.shares for face in residue_faces()], 0))
    moved = RATE * (mean - 1 / CLASSES)  # of a bias behind which every class is as likely as the next
    assert torch.allclose(got["classifier.bias"], moved, atol=1e-6)
    assert torch.allclose(got["auxiliary.9.bias"], 0.3 * moved, atol=1e-6)
