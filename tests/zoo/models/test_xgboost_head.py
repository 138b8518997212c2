from pathlib import Path

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption, BrokenRun
from zoo.evaluation.inference import features, score
from zoo.models import xgboost_head
from zoo.models.build import backbone, build

CLASSES = ("neutral", "happiness", "surprise", "sadness")
MEAN, STD = (0.5,), (0.25,)


def blobs(n: int, seed: int, labels: tuple[int, ...] = (0, 1, 3)) -> tuple[np.ndarray, np.ndarray]:
    """Features of six numbers, a blob per class."""
    rng = np.random.default_rng(seed)
    y = rng.choice(labels, n)
    return (rng.normal(0, 0.5, (n, 6)) + np.eye(6)[y] * 3).astype(np.float32), y.astype(np.int64)


def grown(**more: object) -> xgboost_head.Trees:
    return xgboost_head.fit(*blobs(200, 0), *blobs(80, 1), CLASSES, rounds=60, patience=5, **more)


def test_trees_learn_and_a_class_that_train_lacks_keeps_probability_0():
    forest = grown()
    x, y = blobs(100, 2)
    p = forest.probabilities(x)
    assert (p.dtype, p.shape) == (np.float32, (100, 4))
    assert (p.argmax(1) == y).mean() > 0.95
    assert (p[:, 2] == 0).all()
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)


def test_growth_stops_when_val_no_longer_gets_better_and_the_best_trees_are_kept():
    x, y = blobs(200, 0)
    rng = np.random.default_rng(9)
    noise = xgboost_head.fit(
        rng.normal(size=x.shape).astype(np.float32), y, *blobs(80, 1), CLASSES, rounds=200, patience=3
    )
    assert noise.booster.num_boosted_rounds() < 30
    assert grown().booster.num_boosted_rounds() > noise.booster.num_boosted_rounds()


def test_the_same_seed_grows_the_same_trees():
    x, _ = blobs(50, 3)
    assert np.array_equal(grown(seed=1).probabilities(x), grown(seed=1).probabilities(x))
    assert not np.array_equal(grown(seed=1).probabilities(x), grown(seed=2).probabilities(x))


def test_heavier_images_count_for_more():
    x, y = blobs(200, 0)
    x[:] = 0  # nothing to tell classes by but how often they come
    heavy = xgboost_head.fit(x, y, x, y, CLASSES, rounds=20, weights=np.where(y == 3, 50, 1).astype(np.float32))
    assert heavy.probabilities(x[:1]).argmax() == 3


def test_what_was_saved_is_read_back_to_the_last_bit(tmp_path: Path):
    forest = grown()
    xgboost_head.save(tmp_path / xgboost_head.NAME, forest)
    again = xgboost_head.load(tmp_path / xgboost_head.NAME)
    x, _ = blobs(50, 3)
    assert np.array_equal(forest.probabilities(x), again.probabilities(x))
    assert (again.classes, again.own, again.width) == (CLASSES, (0, 1, 3), 6)


def test_trees_that_are_missing_cut_short_or_foreign_are_refused(tmp_path: Path):
    path = tmp_path / xgboost_head.NAME
    with pytest.raises(BrokenRun, match="cannot be read"):
        xgboost_head.load(path)
    forest = grown()
    xgboost_head.save(path, forest)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenRun, match="damaged"):
        xgboost_head.load(path)
    path.write_bytes(b"\x80\x04not a model")
    with pytest.raises(BrokenRun):
        xgboost_head.load(path)
    forest.booster.set_attr(ferdata=None)
    path.write_bytes(bytes(forest.booster.save_raw("ubj")))
    with pytest.raises(BrokenRun, match="not ferdata's"):
        xgboost_head.load(path)


def test_trees_of_other_classes_or_another_net_are_refused(tmp_path: Path):
    xgboost_head.save(tmp_path / xgboost_head.NAME, grown())
    with pytest.raises(BrokenRun, match="those of the weights are happiness, neutral"):
        xgboost_head.attach(torch.nn.Identity(), tmp_path / xgboost_head.NAME, ("happiness", "neutral"))
    with pytest.raises(BrokenRun, match="6 features"):
        grown().probabilities(np.zeros((2, 5), np.float32))


def test_one_class_cannot_be_learnt():
    x, y = blobs(20, 0, (1,))
    with pytest.raises(BadOption, match="1 class"):
        xgboost_head.fit(x, y, x, y, CLASSES)
    with pytest.raises(BadOption, match=r"0 image\(s\)"):
        xgboost_head.fit(*blobs(20, 0), x[:0], y[:0], CLASSES)


@pytest.mark.parametrize(
    "name", ["resnet_fer", "mini_xception", "efficientnet_b0", "inception_v3", "swin_tiny_patch4_window7_224"]
)
def test_features_are_what_the_last_layer_reads(name: str):
    size = {"inception_v3": 75}.get(name, 64)
    net = build(backbone(name), 1, 4, size)
    pixels = torch.randint(0, 255, (3, size, size, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = features(net, pixels, MEAN, STD)
    assert found.dtype == np.float32
    x = (pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    with torch.inference_mode():
        wanted = net.forward_head(net.forward_features(x), pre_logits=True)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


def test_a_net_with_trees_behind_it_is_scored_as_any_net(tmp_path: Path):
    net = build(backbone("resnet_fer"), 1, 4, 32)
    rng = np.random.default_rng(0)
    y = rng.choice((0, 1, 3), 120)
    pixels = rng.integers(0, 40, (120, 32, 32, 1), np.uint8) + (y[:, None, None, None] * 60).astype(np.uint8)
    seen = features(net, pixels, MEAN, STD)
    xgboost_head.save(
        tmp_path / xgboost_head.NAME, xgboost_head.fit(seen[:80], y[:80], seen[80:], y[80:], CLASSES, rounds=30)
    )
    both = xgboost_head.attach(net, tmp_path / xgboost_head.NAME, CLASSES)
    p = score(both, torch.from_numpy(pixels), MEAN, STD)
    assert (p.argmax(1) == y).mean() > 0.95
    assert (p[:, 2] == 0).all()
    np.testing.assert_allclose(p, both.trees.probabilities(seen), atol=1e-5)
    for tta, temperature in (("flip", 1.0), ("ten-crop", 1.5)):
        more = score(both, torch.from_numpy(pixels[:5]), MEAN, STD, tta=tta, temperature=temperature)
        np.testing.assert_allclose(more.sum(1), 1, atol=1e-5)
