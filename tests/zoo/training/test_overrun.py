"""A run that took longer than its limit says so; one that did not, says nothing."""

import functools
import time

import pytest

from tests.zoo.conftest import QUICK
from zoo.training import final_test
from zoo.training.overrun import overrun
from zoo.training.schedule import Schedule
from zoo.training.train import train


def closed(began, kept=4, known=False, core=1.0):
    return {"training": {"closing": {"began": began, "kept": kept, "known": known, "core": core}}}


def test_a_kept_limit_is_not_spoken_of():
    assert overrun(60, 59, closed(40)) == ""
    assert overrun(60, 60.9, closed(56)) == ""
    assert overrun(None, 1e6, closed(40)) == ""


def test_an_overrun_limit_is_named_with_how_much_and_why():
    assert overrun(60, 110, closed(40, kept=19, known=True)) == (
        "The time limit of 60 s was overrun by 50 s: validation, test and report took 70 s, and only 19 s were kept."
    )
    assert overrun(60, 110, closed(56)) == (
        "The time limit of 60 s was overrun by 50 s: validation, test and report took 54 s, and only 4 s were kept, "
        "since how long they take is known only after a first epoch."
    )
    assert overrun(60, 73, closed(70, kept=7, known=True, core=0.4)) == (
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
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 1}, time_limit=600, say=lines.append)
    said = [line for line in lines if line.startswith("The time limit of 600 s was overrun by 3")]
    assert len(said) == bool(later)
    closing = run.report["training"]["closing"]
    assert 0 < closing["began"] < run.report["training"]["seconds"]
    assert (closing["kept"], closing["known"]) == (4, False)
    assert closing["core"] > 0
