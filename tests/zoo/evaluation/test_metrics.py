import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)
from torchmetrics.functional.classification import multiclass_calibration_error

from zoo.evaluation.metrics import (
    BINS,
    bins,
    calibration_error,
    headlines,
    in_top_two,
    log_loss,
    score,
    voters_distance,
)

CLASSES = ("a", "b", "c")


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 500)
    p = rng.random((500, 3)) + 0.8 * np.eye(3)[true]
    return (p / p.sum(1, keepdims=True)).astype(np.float32), true


def test_headlines_are_those_of_scikit_learn(answers):
    p, true = answers
    report, predicted = score(p, true, CLASSES), answers[0].argmax(1)
    assert report["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert report["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, predicted))
    assert report["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))


def test_each_class_has_the_figures_of_scikit_learn(answers):
    p, true = answers
    table = score(p, true, CLASSES)["per_class"]
    theirs = precision_recall_fscore_support(true, p.argmax(1))
    for i, name in enumerate(CLASSES):
        ours = [table[name][f] for f in ("precision", "recall", "f1", "n")]
        assert ours == pytest.approx([column[i] for column in theirs])
        for figure, (low, high) in table[name]["intervals"].items():
            assert low < table[name][figure] < high


def test_top_2_accuracy_and_areas_below_roc_curves_are_those_of_scikit_learn(answers):
    p, true = answers
    told = score(p, true, CLASSES)
    assert told["top2_accuracy"] == pytest.approx(top_k_accuracy_score(true, p, k=2))
    assert told["macro_auc"] == pytest.approx(roc_auc_score(true, p, multi_class="ovr"))
    for name in ("top2_accuracy", "macro_auc"):
        low, high = told["confidence_intervals"][name]
        assert low < told[name] < high
    for c, name in enumerate(CLASSES):
        assert told["per_class"][name]["auc"] == pytest.approx(roc_auc_score(true == c, p[:, c]))


def test_of_equal_probabilities_the_first_two_count_as_the_first_one_does():
    p = np.full((3, 3), 1 / 3, np.float32)
    assert in_top_two(p, np.arange(3)).tolist() == [True, True, False]
    assert score(np.eye(2, dtype=np.float32)[[0, 1]], np.array([0, 1]), ("a", "b"))["top2_accuracy"] is None


def test_a_class_without_a_true_image_counts_in_no_mean():
    confusion = np.array([[8, 2, 0], [0, 10, 0], [0, 0, 0]])
    assert headlines(confusion)["balanced_accuracy"] == pytest.approx(0.9)
    table = score(np.eye(3, dtype=np.float32)[[0, 1, 2]], np.array([0, 1, 1]), CLASSES)["per_class"]
    assert table["c"]["recall"] is None
    assert table["c"]["f1"] is None
    assert table["c"]["n"] == 0
    assert table["c"]["auc"] is None
    assert table["c"]["intervals"]["recall"] is None


def test_the_confusion_matrix_has_true_classes_in_rows():
    p = np.eye(3, dtype=np.float32)[[0, 1, 1]]
    assert score(p, np.array([0, 0, 1]), CLASSES)["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_intervals_hold_the_figure_and_repeat(answers):
    p, true = answers
    first, second = score(p, true, CLASSES), score(p, true, CLASSES)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        low, high = first["confidence_intervals"][name]
        assert low < first[name] < high
    for name in ("ece", "log_loss"):
        low, high = first["calibration_intervals"][name]
        assert low < first[name] < high
    assert first == second


def test_an_interval_is_as_wide_as_the_binomial_one():
    true = np.repeat([0, 0, 1, 1], [400, 100, 100, 400])
    p = np.eye(2, dtype=np.float32)[np.repeat([0, 1, 0, 1], [400, 100, 100, 400])]
    low, high = score(p, true, ("a", "b"))["confidence_intervals"]["accuracy"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert (low, high) == (pytest.approx(0.8 - half, abs=0.004), pytest.approx(0.8 + half, abs=0.004))


def test_images_of_one_person_widen_the_interval(answers):
    p, true = answers
    apart = score(p, true, CLASSES)
    right = (p.argmax(1) == true).argsort()  # ten people, each nearly always right or nearly always wrong
    clusters = np.empty(500, np.int64)
    clusters[right] = np.arange(500) // 50
    together = score(p, true, CLASSES, clusters)

    def width(report):
        low, high = report["confidence_intervals"]["accuracy"]
        return high - low

    assert width(together) > 3 * width(apart)
    assert together["accuracy"] == apart["accuracy"]
    assert (apart["bootstrap"]["unit"], apart["bootstrap"]["units"]) == ("images", 500)
    assert together["bootstrap"]["units"] == 10


def test_a_sure_net_that_is_right_half_of_the_time_is_off_by_half():
    p = np.eye(2, dtype=np.float32)[np.zeros(100, int)]
    assert calibration_error(p, np.arange(100) % 2) == pytest.approx(0.5, abs=1e-6)


def test_the_bins_give_the_calibration_error_of_torchmetrics(answers):
    p, true = answers
    theirs = multiclass_calibration_error(
        torch.from_numpy(p), torch.from_numpy(true), num_classes=p.shape[1], n_bins=BINS, norm="l1"
    )
    count, sure, right = bins(p, true).T
    assert len(count) == BINS
    assert count.sum() == 500
    assert np.abs(sure - right).sum() / 500 == pytest.approx(float(theirs), abs=1e-6)
    assert calibration_error(p, true) == pytest.approx(float(theirs), abs=1e-6)


def test_log_loss_of_an_even_guess_is_the_log_of_the_number_of_classes():
    p = np.full((10, 4), 0.25, np.float32)
    assert log_loss(p, np.zeros(10, np.int64)) == pytest.approx(np.log(4))


def test_the_distance_to_the_annotators_is_scipys_divergence_and_half_the_differences(answers):
    p = answers[0]
    said = np.random.default_rng(3).dirichlet(np.ones(3), 500).astype(np.float32)
    kl, variation = voters_distance(p, said)
    np.testing.assert_allclose(kl, entropy(said.astype(float), p.astype(float), axis=1), atol=1e-5)
    np.testing.assert_allclose(variation, np.abs(said - p).sum(1) / 2, atol=1e-6)
    assert voters_distance(said, said)[0].max() == 0
    sure = np.array([[1, 0, 0]], np.float32)
    assert voters_distance(np.full((1, 3), 1 / 3, np.float32), sure)[0][0] == pytest.approx(np.log(3))
    assert voters_distance(sure[:, ::-1], sure)[1][0] == 1
