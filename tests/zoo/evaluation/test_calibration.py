import numpy as np
import pytest

from zoo.evaluation import calibration


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.fixture
def drawn():
    """Logits, and classes drawn from their softmax: they are calibrated as they are."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20000, 5))
    p = softmax(logits)
    true = (p.cumsum(1) < random.random((len(p), 1))).sum(1)
    return logits, true


@pytest.mark.parametrize("known", [0.5, 1.0, 2.0, 3.5])
def test_a_known_temperature_is_found_again(drawn, known):
    logits, true = drawn
    p = softmax(logits * known).astype(np.float32)
    assert calibration.temperature(p, true) == pytest.approx(known, rel=0.03)


def test_the_temperature_has_the_least_log_loss(drawn):
    logits, true = drawn
    p = softmax(logits * 2).astype(np.float32)
    best = calibration.temperature(p, true)
    losses = {
        t: calibration.before_and_after(p, true, t)["after"]["log_loss"] for t in (best, best * 0.97, best * 1.03)
    }
    assert min(losses, key=losses.__getitem__) == best


def test_calibration_error_falls_and_both_figures_are_told(drawn):
    logits, true = drawn
    p = softmax(logits * 3).astype(np.float32)
    told = calibration.before_and_after(p, true, calibration.temperature(p, true))
    assert told["before"]["ece"] > 0.15
    assert told["after"]["ece"] < 0.02
    assert told["bins"] == 15


def test_applying_it_is_dividing_the_logits_and_keeps_the_class(drawn):
    logits = drawn[0]
    p = softmax(logits).astype(np.float32)
    np.testing.assert_allclose(calibration.apply(p, 2.5), softmax(logits / 2.5), atol=1e-5)
    np.testing.assert_array_equal(calibration.apply(p, 2.5).argmax(1), p.argmax(1))
    np.testing.assert_allclose(calibration.apply(p, 0.3).sum(1), 1, atol=1e-5)


def test_certainty_of_nought_and_one_is_borne():
    p = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    assert np.isfinite(calibration.apply(p, 4.0)).all()
    assert calibration.temperature(p, np.array([0, 1, 1])) == pytest.approx(calibration.HIGHEST, rel=0.01)


def test_without_an_error_or_an_image_nothing_is_sharpened():
    p = np.array([[0.6, 0.4], [0.3, 0.7]], np.float32)
    assert calibration.temperature(p, np.array([0, 1])) == 1
    assert calibration.temperature(np.empty((0, 2), np.float32), np.empty(0, np.int64)) == 1


def bent(random, n=4000):
    """Answers of which the log loss asks for a temperature that makes the calibration error larger.

    Most are as sure as they should be; a few are certain and wrong, which only the loss minds so much.
    """
    right = random.random(n) < 0.75
    p = np.tile(np.float32([0.75, 0.25]), (n, 1))
    few = n // 100
    p[:few] = [1 - 1e-12, 1e-12]
    right[:few] = False
    return p, np.where(right, 0, 1)


def test_a_temperature_that_makes_val_worse_is_not_used_and_that_is_said():
    p, true = bent(np.random.default_rng(1))
    raw = calibration.temperature(p, true)
    told = calibration.before_and_after(p, true, raw)
    assert told["after"]["ece"] > told["before"]["ece"]
    assert told["after"]["log_loss"] < told["before"]["log_loss"]
    used, said = calibration.fit(p, true)
    assert used == 1
    assert f"{raw:.2g}" in said
    assert "not used: under it the calibration error on val rises from" in said


def test_a_temperature_at_the_end_of_its_range_that_is_not_used_judges_nothing():
    """One row in twenty is wrong beyond measure, which the log loss heeds alone; the others are as sure as right."""
    p = np.tile(np.float32([0.6, 0.4]), (100, 1))
    p[:5] = [1, 1e-30]
    true = np.where(np.arange(100) < 43, 1, 0)
    used, said = calibration.fit(p, true)
    assert used == 1, said
    assert "is 10, the end of the range that is tried (0.1 to 10). It is not used" in said
    assert "far too" not in said


def test_a_temperature_at_the_end_of_its_range_is_said_and_one_within_is_not(drawn):
    logits, true = drawn
    unsure, said = calibration.fit(softmax(logits * 0.05).astype(np.float32), true)
    assert unsure == pytest.approx(calibration.LOWEST, rel=1e-3)
    assert "is 0.1, the end of the range" in said
    assert "far too unsure" in said
    within, nothing = calibration.fit(softmax(logits * 2).astype(np.float32), true)
    assert (within, nothing) == (pytest.approx(2, rel=0.03), "")
    assert calibration.fit(softmax(logits).astype(np.float32)[:0], true[:0]) == (1.0, "")
