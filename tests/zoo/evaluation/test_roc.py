import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from zoo.evaluation.roc import GRID, areas, curves


def answers(n, seed=0, digits=2):
    """Probabilities of three classes, rounded so that many are equal, and the true classes."""
    rng = np.random.default_rng(seed)
    true = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    p = rng.random((n, 3)) + 0.4 * np.eye(3)[true]
    return (p / p.sum(1, keepdims=True)).round(digits).astype(np.float32), true


@pytest.mark.parametrize("digits", [1, 2, 9])
def test_each_area_and_their_mean_are_those_of_scikit_learn_also_where_probabilities_are_equal(digits):
    p, true = answers(500, digits=digits)
    area, _ = areas(p, true, np.arange(500))
    theirs = [roc_auc_score(true == c, p[:, c]) for c in range(3)]
    assert area == pytest.approx([*theirs, np.mean(theirs)])
    shares = p / p.sum(1, keepdims=True)  # rounded, they are no longer 1 in sum, which scikit-learn asks for
    mean = roc_auc_score(true, shares, multi_class="ovr", average="macro")
    assert areas(shares, true, np.arange(500))[0][-1] == pytest.approx(mean)


def test_a_class_that_has_no_image_has_no_area_and_counts_in_no_mean():
    p, true = answers(200)
    area, between = areas(p, true % 2, np.arange(200))  # no image of the third
    assert np.isnan(area[2])
    assert between[2] is None
    assert area[3] == pytest.approx(area[:2].mean())
    area, between = areas(p, np.zeros(200, np.int64), np.arange(200))  # and none of another class
    assert np.isnan(area).all()
    assert between == [None] * 4


def test_a_net_that_tells_all_apart_has_an_area_of_one_and_no_interval():
    true = np.arange(30) % 3
    area, between = areas(np.eye(3, dtype=np.float32)[true], true, np.arange(30))
    assert area.tolist() == [1.0] * 4
    assert between == [None] * 4


@pytest.mark.parametrize("each", [1, 5])
def test_intervals_are_as_wide_as_those_of_the_bootstrap_over_groups(each):
    """`each` images of one person are alike, and only as good as one."""
    p, true = answers(200)
    p, true, clusters = p.repeat(each, 0), true.repeat(each), np.arange(200).repeat(each)
    _, between = areas(p, true, clusters)
    rng, drawn = np.random.default_rng(1), []
    for _ in range(400):
        chosen = (rng.integers(0, 200, 200)[:, None] * each + np.arange(each)).ravel()
        drawn.append(areas(p[chosen], true[chosen], np.arange(200 * each))[0])
    for i in range(4):
        low, high = np.percentile([row[i] for row in drawn], [2.5, 97.5])
        assert between[i] == pytest.approx([low, high], abs=0.25 * (high - low))


def test_a_curve_has_the_true_positive_rates_of_scikit_learn():
    p, true = answers(500)
    told = curves(p, true % 2, ("a", "b", "c"))
    assert told["false_positive_rate"] == pytest.approx(GRID, abs=1e-4)
    for c, name in enumerate("ab"):
        across, up, _ = roc_curve(true % 2 == c, p[:, c], drop_intermediate=False)
        assert told["true_positive_rate"][name] == pytest.approx(np.interp(GRID, across, up), abs=1e-4)
    assert told["true_positive_rate"]["c"] is None
