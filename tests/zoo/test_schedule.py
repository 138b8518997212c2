import pytest

from ferdata.errors import BadOption
from zoo.schedule import FINISH, Schedule, one_cycle


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


def test_steps_may_end_a_run_before_the_clock_does():
    schedule = Schedule(1e6, Clock())
    schedule.begin(10)
    assert schedule.progress(10) == 1


def test_loading_that_takes_the_whole_limit_is_said():
    clock = Clock()
    schedule = Schedule(20, clock)
    clock.now += 19
    with pytest.raises(BadOption, match="Loading took 19 s"):
        schedule.begin(10)
