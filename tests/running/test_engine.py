"""Engines: which one is taken, and what is refused."""

import multiprocessing
import sys

import pytest

from ferdata.errors import BadOption, MissingExtra
from ferdata.running import engine
from ferdata.running.engine import choose
from ferdata.running.processes import Processes, Threads

FORKS = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


def kind(workers: int) -> str:
    """Return the kind of engine that is taken here."""
    return type(engine.local(workers)).__name__


@FORKS
def test_a_worker_of_somebodys_own_pool_which_may_have_no_children_takes_threads() -> None:
    assert (kind(2), kind(1)) == ("Processes", "Threads")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(kind, (2,)) == "Threads"


def test_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(BadOption, match="'spark'"):
        choose("spark", None, None)
    with pytest.raises(BadOption, match="--engine is local"):
        choose("local", None, "auto")
    assert isinstance(choose(engine.ENGINES[0], 3, None), Processes if sys.platform == "linux" else Threads)
    assert isinstance(choose(engine.ENGINES[0], 1, None), Threads)
    assert isinstance(choose(engine.ENGINES[0], 3, None, large=True), Threads)


def test_without_ray_the_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        choose("ray", 2, None)
    assert "[ray]'" in caught.value.hint
