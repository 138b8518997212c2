"""Engines: one function over many pieces, results in order, errors raised here, nothing left behind."""

import threading
from collections.abc import Iterator

import pytest

from ferdata import engine
from ferdata.engine import Threads, choose, run
from ferdata.errors import BadOption, BrokenSource, MissingExtra


def test_threads_give_results_in_the_order_of_the_pieces() -> None:
    gate = threading.Event()

    def work(n: int) -> int:
        gate.wait(5) if n == 0 else gate.set()  # the first piece is done after the second
        return n * n

    assert list(run(Threads(2), work, range(9))) == [n * n for n in range(9)]


def test_threads_are_no_more_than_a_few_pieces_ahead_of_the_caller() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            yield n

    results = run(Threads(2), abs, items())
    assert next(results) == 0
    assert len(taken) <= 6
    results.close()


def test_an_error_of_the_work_is_raised_here() -> None:
    def work(n: int) -> int:
        raise BrokenSource(f"piece {n}", "mend it")

    with pytest.raises(BrokenSource, match="piece 0"):
        list(run(Threads(2), work, range(3)))


def test_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(BadOption, match="'spark'"):
        choose("spark", None, None)
    with pytest.raises(BadOption, match="--engine is local"):
        choose("local", None, "auto")
    assert isinstance(choose(engine.ENGINES[0], 3, None), Threads)


def test_without_ray_the_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        choose("ray", 2, None)
    assert "pip install 'ferdata[ray]'" in caught.value.hint
