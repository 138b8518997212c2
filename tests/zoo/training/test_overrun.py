"""A run that took longer than its limit says so; one that did not, says nothing."""

import functools
import time

import pytest

from tests.zoo.conftest import QUICK
from zoo.training import final_test
from zoo.training.overrun import overrun
from zoo.training.schedule import Schedule
from zoo.training.train import train


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def at(stopped, ended, estimates=()):
    """Return the schedule of a run under a limit of 60 s that stopped learning and ended at those seconds."""
    clock = Clock()
    schedule = Schedule(60, clock)
    for estimate in estimates:
        schedule.keep(estimate)
    clock.now = stopped
    schedule.stop()
    clock.now = ended
    return schedule


def test_a_kept_limit_is_not_spoken_of():
    assert overrun(at(40, 59)) == ""
    assert overrun(at(56, 60.9)) == ""
    clock = Clock()
    unlimited = Schedule(None, clock)
    clock.now = 1e6
    assert overrun(unlimited) == ""


def test_an_overrun_limit_is_named_with_how_much_and_why():
    assert overrun(at(40, 110, [10])) == (
        "The time limit of 60 s was overrun by 50 s: validation, test and report took 70 s, and only 19 s were kept."
    )
    assert overrun(at(56, 110)) == (
        "The time limit of 60 s was overrun by 50 s: validation, test and report took 54 s, and only 4 s were kept, "
        "since how long they take is known only after a first epoch."
    )
    assert overrun(at(70, 73, [2]), share=0.4) == (
        "The time limit of 60 s was overrun by 13 s: the last training step ended 17 s late; "
        "other programs left this one 40% of a processor core."
    )


@pytest.mark.parametrize("later", [0, 3600])
def test_a_run_whose_report_takes_an_hour_says_so(manifest_path, tmp_path, monkeypatch, later):
    lines, passed = [], [0.0]
    clock = lambda: time.monotonic() + passed[0]  # noqa: E731
    monkeypatch.setattr("zoo.training.train.Schedule", functools.partial(Schedule, clock=clock))
    write = final_test.report.write

    def slow(*arguments):
        passed[0] += later
        return write(*arguments)

    monkeypatch.setattr(final_test.report, "write", slow)
    train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 1}, time_limit=600, say=lines.append)
    said = [line for line in lines if line.startswith("The time limit of 600 s was overrun by 3")]
    assert len(said) == bool(later)
