import time

import numpy as np
import pytest
from scipy import sparse, stats

from zoo.evaluation import confidence


def columns(values):
    return sparse.csr_array(np.asarray(values, float).reshape(len(values), -1))


def share_interval(right, clusters, seed=0, draws=1000):
    sums = confidence.by_cluster(columns(np.c_[np.ones(len(right)), right]), np.asarray(clusters))
    drawn = confidence.resample(sums, draws, seed)
    return confidence.percentile(drawn[:, 1] / drawn[:, 0])


def test_sums_by_cluster_are_those_of_its_rows():
    sums = confidence.by_cluster(columns([[1, 2], [3, 4], [5, 6]]), np.array([9, 4, 9]))
    np.testing.assert_array_equal(sums.toarray(), [[3, 4], [6, 8]])


def test_a_draw_has_as_many_clusters_as_there_are_and_repeats():
    drawn = confidence.resample(columns(np.ones(50)), 20)
    np.testing.assert_array_equal(drawn, np.full((20, 1), 50))
    values = columns(np.random.default_rng(1).random(50))
    np.testing.assert_array_equal(confidence.resample(values, 20), confidence.resample(values, 20))


def test_drawing_in_small_pieces_gives_means_and_variances_of_the_bootstrap(monkeypatch):
    monkeypatch.setattr(confidence, "CELLS", 1000)  # seven draws at a time
    values = np.random.default_rng(1).random(130)
    drawn = confidence.resample(columns(values), 4001)[:, 0]
    assert drawn.mean() == pytest.approx(values.sum(), rel=0.01)
    assert drawn.var() == pytest.approx(130 * values.var(), rel=0.1)


def test_of_independent_images_nineteen_in_twenty_intervals_hold_the_truth():
    random, held = np.random.default_rng(0), 0
    for i in range(300):
        low, high = share_interval(random.random(400) < 0.8, np.arange(400), seed=i, draws=400)
        held += low <= 0.8 <= high
    assert 0.90 <= held / 300 <= 0.99


def test_where_a_persons_images_stand_and_fall_together_only_clusters_hold_the_truth():
    random, by_person, by_image = np.random.default_rng(0), 0, 0
    people = np.repeat(np.arange(60), 10)
    for i in range(200):
        right = np.repeat(random.random(60) < 0.7, 10)
        low, high = share_interval(right, people, seed=i, draws=300)
        by_person += low <= 0.7 <= high
        low, high = share_interval(right, np.arange(600), seed=i, draws=300)
        by_image += low <= 0.7 <= high
    assert by_person / 200 >= 0.88
    assert by_image / 200 <= 0.65


def test_three_thousand_images_are_drawn_a_thousand_times_in_well_under_a_second():
    from zoo.evaluation.metrics import score

    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(8), 3573).astype(np.float32)
    score(p[:10], p[:10].argmax(1), tuple("abcdefgh"), draws=2)
    started = time.process_time()
    score(p, random.integers(0, 8, 3573), tuple("abcdefgh"), draws=1000)
    assert time.process_time() - started < 1.5  # 0.3 s on a quiet core


def test_wilsons_interval_is_that_of_scipy():
    theirs = stats.binomtest(17, 20).proportion_ci(0.95, "wilson")
    assert confidence.wilson(17, 20) == [pytest.approx(theirs.low), pytest.approx(theirs.high)]
    assert confidence.wilson(0, 0) == [0.0, 1.0]


def test_all_right_of_three_is_not_taken_for_certain():
    low, high = confidence.of_share(np.ones(100), 1.0, clusters=3)
    assert low == pytest.approx(0.4385, abs=1e-3)
    assert high == pytest.approx(1.0)


def test_none_right_of_three_is_not_taken_for_certain_either():
    low, high = confidence.of_share(np.zeros(100), 0.0, clusters=3)
    assert low == pytest.approx(0.0)
    assert high == pytest.approx(1 - 0.4385, abs=1e-3)


def test_what_lies_between_has_the_percentiles_of_its_draws():
    assert confidence.of_share(np.linspace(0, 1, 1001), 0.5, clusters=3) == pytest.approx([0.025, 0.975])


def test_of_no_images_every_draw_is_nothing():
    np.testing.assert_array_equal(confidence.resample(sparse.csr_array((0, 3)), 5), np.zeros((5, 3)))


def test_students_interval_is_that_of_scipy():
    values = [0.81, 0.84, 0.80, 0.86]
    mean, interval = confidence.student(values)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean == pytest.approx(np.mean(values))
    assert interval == [pytest.approx(theirs.low), pytest.approx(theirs.high)]
    assert confidence.student([0.5]) == (0.5, None)
    assert confidence.student([0.5, 0.7]) == (pytest.approx(0.6), None)  # it would go from -0.67 to 1.87


def test_a_mean_that_no_draw_moves_has_no_interval():
    same = np.full(2000, 1 / 7) + np.random.default_rng(0).normal(0, 1e-17, 2000)
    same[:20] = 1 / 6  # draws in which a class has no image
    assert confidence.of_mean(same) is None
    assert confidence.of_mean(np.r_[same[:1000], np.full(1000, 0.2)]) == [pytest.approx(1 / 7), pytest.approx(0.2)]


def test_holm_multiplies_the_smallest_by_the_number_and_never_falls():
    assert confidence.holm([0.01, 0.04, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), pytest.approx(0.06)]
    assert confidence.holm([0.5, 0.9]) == [1.0, 1.0]
    assert confidence.holm([]) == []


def test_a_mirrored_interval_turns_the_percentiles_about_the_figure_and_stays_above_nothing():
    values = np.linspace(0.04, 0.06, 1001)
    low, high = confidence.mirrored(values, 0.04)
    assert (low, high) == (pytest.approx(0.0205, abs=1e-4), pytest.approx(0.0395, abs=1e-4))
    assert confidence.mirrored(values, 0.01) == [0.0, 0.0]


def test_draws_that_are_no_number_are_left_out():
    assert confidence.percentile(np.array([np.nan, 1.0, 1.0])) == [1.0, 1.0]
    assert confidence.percentile(np.array([np.nan])) is None
