import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from zoo.metrics import calibration_error, headlines, intervals, log_loss, score

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


def test_a_class_without_a_true_image_counts_in_no_mean():
    confusion = np.array([[8, 2, 0], [0, 10, 0], [0, 0, 0]])
    assert headlines(confusion)["balanced_accuracy"] == pytest.approx(0.9)
    table = score(np.eye(3, dtype=np.float32)[[0, 1, 2]], np.array([0, 1, 1]), CLASSES)["per_class"]
    assert table["c"]["recall"] is None
    assert table["c"]["f1"] is None
    assert table["c"]["n"] == 0


def test_the_confusion_matrix_has_true_classes_in_rows():
    p = np.eye(3, dtype=np.float32)[[0, 1, 1]]
    assert score(p, np.array([0, 0, 1]), CLASSES)["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_intervals_hold_the_figure_and_repeat(answers):
    p, true = answers
    first, second = score(p, true, CLASSES), score(p, true, CLASSES)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        low, high = first["confidence_intervals"][name]
        assert low < first[name] < high
    assert first == second


def test_an_interval_is_as_wide_as_the_binomial_one():
    low, high = intervals(np.array([[400, 100], [100, 400]]))["accuracy"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert (low, high) == (pytest.approx(0.8 - half, abs=0.004), pytest.approx(0.8 + half, abs=0.004))


def test_a_sure_net_that_is_right_half_of_the_time_is_off_by_half():
    p = np.eye(2, dtype=np.float32)[np.zeros(100, int)]
    assert calibration_error(p, np.arange(100) % 2) == pytest.approx(0.5, abs=1e-6)


def test_log_loss_of_an_even_guess_is_the_log_of_the_number_of_classes():
    p = np.full((10, 4), 0.25, np.float32)
    assert log_loss(p, np.zeros(10, np.int64)) == pytest.approx(np.log(4))
