import pytest

from ferdata.errors import BadOption
from zoo.options.options import TrainConfig
from zoo.training.schedule import FINISH, Plateau, Schedule, one_cycle, rate


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_the_rate_rises_to_its_peak_and_comes_down_to_almost_nothing():
    rates = [one_cycle(i / 200) for i in range(201)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(1)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 1e-3


def test_without_a_limit_only_steps_count():
    clock = Clock()
    schedule = Schedule(None, clock)
    schedule.begin(10)
    clock.now += 1e6
    assert schedule.progress(5) == 0.5


def test_with_a_limit_the_end_comes_before_it_by_what_scoring_takes():
    clock = Clock()
    schedule = Schedule(100, clock)
    clock.now += 10  # loading
    schedule.begin(1000)
    schedule.keep(6)
    clock.now = 100 + (100 - FINISH - 9 + 10) / 2
    assert schedule.progress(0) == pytest.approx(0.5)
    clock.now = 100 + 100 - FINISH - 9
    assert schedule.progress(0) == 1


def test_one_slow_moment_does_not_end_a_run():
    clock = Clock()
    schedule = Schedule(100, clock)
    schedule.begin(1000)
    for seconds in (2, 2, 2, 26):
        schedule.keep(seconds)
    assert schedule.reserve == FINISH + 12


def test_on_a_crowded_machine_more_time_is_kept_for_finishing():
    schedule = Schedule(600, Clock())
    schedule.keep(0, crowd=3)
    assert schedule.reserve == 3 * FINISH
    schedule.keep(0, crowd=1000)
    assert schedule.reserve == 60
    short = Schedule(9, Clock())
    short.keep(0, crowd=3)
    assert short.reserve == FINISH


def test_steps_may_end_a_run_before_the_clock_does():
    schedule = Schedule(1e6, Clock())
    schedule.begin(10)
    assert schedule.progress(10) == 1


def test_loading_that_takes_the_whole_limit_is_said():
    clock = Clock()
    schedule = Schedule(20, clock)
    clock.now += 19
    with pytest.raises(BadOption, match="Loading took 19 s") as error:
        schedule.begin(10)
    assert "--budget of ablate" in error.value.hint


def test_a_resumed_run_has_used_up_the_time_of_the_first():
    clock = Clock()
    schedule = Schedule(100, clock)
    schedule.begin(1000)
    schedule.resume(elapsed=60, trained=50, estimates=[2.0])
    assert schedule.elapsed == 60
    assert schedule.progress(0) == pytest.approx(50 / (50 + 100 - 60 - FINISH - 3))


def test_time_before_the_call_counts():
    clock = Clock()
    assert Schedule(100, clock, started=70.0).elapsed == 30


def test_a_limit_is_late_only_when_the_time_kept_for_scoring_is_touched():
    clock = Clock()
    schedule = Schedule(100, clock)
    schedule.keep(4)
    clock.now = schedule.end + 1
    assert not schedule.late()
    clock.now = schedule.end + 0.3 * schedule.reserve
    assert schedule.late()
    assert not Schedule(None, clock).late()


def rates(times, **options):
    config = TrainConfig(lr=1.0, epochs=10, **options)
    return [round(rate(config, t / 10, t, 1.0), 4) for t in times]


def test_cosine_comes_down_to_the_least_rate_after_its_warm_up():
    assert rates([0, 5, 10], schedule="cosine") == [1, 0.5, 0]
    assert rates([0, 10], schedule="cosine", min_lr=0.2) == [1, 0.2]
    climbing = rates([0, 1, 2], schedule="cosine", warmup=2)
    assert climbing == sorted(climbing)
    assert climbing[0] == pytest.approx(1 / 25)


def test_step_and_exponential_by_epochs():
    every = {"step_start": 4, "step_every": 2, "step_gamma": 0.5}
    assert rates([0, 3.9, 4, 5, 6, 8], schedule="step", **every) == [1, 1, 1, 1, 0.5, 0.25]
    assert rates([4, 5, 6], schedule="exponential", **every) == [1, 0.7071, 0.5]
    assert rates([6, 8], schedule="step", **every, min_lr=0.3) == [0.5, 0.3]
    table = {"step_at": (2, 5), "step_factors": (0.5, 0.1)}
    assert rates([0, 1.99, 2, 4, 5, 9], schedule="step", **table) == [1, 1, 0.5, 0.5, 0.1, 0.1]
    assert rates([0, 9], schedule="constant") == [1, 1]


def test_one_cycle_climbs_for_as_long_as_it_is_told():
    assert rates([1], schedule="one_cycle", warmup=1) == [1]
    assert rates([2.5], schedule="one_cycle") == [1]


def test_one_cycle_climbs_for_as_many_of_a_stages_own_epochs_as_it_is_told():
    config = TrainConfig(lr=1.0, epochs=16, schedule="one_cycle", warmup=4)
    left = [rate(config, epoch / 8, epoch, 1.0) for epoch in range(9)]  # eight of the sixteen epochs are the stage's
    assert left.index(max(left)) == 4
    assert left[4] == 1
    assert (left[0], left[2]) == pytest.approx((1 / 25, (1 + 1 / 25) / 2))


def test_under_a_limit_a_warm_up_is_of_the_epochs_that_there_is_time_for():
    config = TrainConfig(lr=1.0, epochs=60, schedule="one_cycle", warmup=2)
    assert rate(config, 2 / 10, 2, 1.0) == 1  # ten epochs fit
    assert rate(config, 1 / 10, 1, 1.0) == pytest.approx((1 + 1 / 25) / 2)
    assert rate(config, 0.9, 1.5, 1.0) == 1  # less than the warm-up fits: it comes down all the same
    assert rate(config, 1.0, 1.7, 1.0) < 1e-3


def test_plateau_waits_then_lowers():
    config = TrainConfig(plateau_patience=1, plateau_factor=0.5)
    plateau = Plateau()
    shares = []
    for score in (0.5, 0.4, 0.4, 0.6, 0.6, 0.6, 0.6):
        plateau.look(score, config)
        shares.append(plateau.share)
    assert shares == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
