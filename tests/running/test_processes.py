"""Workers: one function over many pieces, results in order, errors raised here, nothing left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from ferdata.errors import BrokenSource, WorkersLost
from ferdata.running.engine import Engine, run
from ferdata.running.processes import AHEAD, Processes, Threads

LOCAL = pytest.mark.parametrize("local", [Threads(2), Processes(2)], ids=["threads", "processes"])
FORKS = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


Workers = Callable[[], list[psutil.Process]]


@pytest.fixture
def workers() -> Workers:
    """Return what lists the processes that a test has begun: others' (a database's) stay out of it."""
    before = {child.pid for child in psutil.Process().children()}
    return lambda: [child for child in psutil.Process().children() if child.pid not in before]


def later_first(n: int) -> int:
    """Return n squared; the first piece takes longest."""
    time.sleep(0.2 if n == 0 else 0)
    return n * n


def broken(n: int) -> int:
    """Raise for the second piece."""
    if n == 1:
        raise BrokenSource(f"piece {n}", "mend it")
    return n


def whose(n: int) -> int:
    """Return which process this is."""
    return os.getpid()


def killed(n: int) -> int:
    """Die as a process does that memory has no room for."""
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def terminated(n: int) -> int:
    """End as on a polite kill, which a worker has no handler for."""
    os.kill(os.getpid(), signal.SIGTERM)
    return n


def large(n: int) -> bytes:
    """Return more than a pipe takes before somebody reads."""
    return bytes(20_000_000 + n)


def broken_by_mistake(n: int) -> int:
    """Raise what nobody expects."""
    return 1 // (n - 1)


def not_for_the_post(n: int) -> object:
    """Return what cannot be pickled."""
    return lambda: n


def slow(n: int) -> int:
    """Take longer than anybody would wait."""
    time.sleep(60)
    return n


@dataclass(frozen=True)
class SlowThenDone:
    """Take longer than anybody would wait, then leave a mark."""

    mark: Path

    def __call__(self, n: int) -> int:
        slow(n)
        self.mark.touch()
        return n


def print_and_refuse_ctrl_c(n: int) -> int:
    """Print, and send this process Ctrl-C."""
    print("a worker's word")
    os.kill(os.getpid(), signal.SIGINT)
    return n


@LOCAL
def test_results_come_in_the_order_of_the_pieces(local: Engine) -> None:
    assert list(run(local, later_first, range(9))) == [n * n for n in range(9)]


def test_threads_work_side_by_side() -> None:
    gate = threading.Event()

    def work(n: int) -> int:
        gate.wait(5) if n == 0 else gate.set()  # the first piece is done after the second
        return n * n

    assert list(run(Threads(2), work, range(9))) == [n * n for n in range(9)]


@FORKS
def test_processes_are_as_many_as_was_asked_for_and_none_is_this_one() -> None:
    pids = set(run(Processes(3), whose, range(200)))
    assert os.getpid() not in pids
    assert 2 <= len(pids) <= 3


@FORKS
def test_a_single_piece_is_not_worth_a_process() -> None:
    assert list(run(Processes(3), whose, [1])) == [os.getpid()]
    assert list(run(Processes(3), whose, [])) == []


@LOCAL
def test_no_more_than_a_few_pieces_are_taken_ahead_of_the_caller(local: Engine) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            yield n

    results = run(local, abs, items())
    assert next(results) == 0
    assert len(taken) <= AHEAD * 2 + 1
    results.close()


@LOCAL
def test_an_error_of_the_work_is_raised_here(local: Engine) -> None:
    with pytest.raises(BrokenSource, match="piece 1") as caught:
        list(run(local, broken, range(3)))
    assert caught.value.hint == "mend it"


@FORKS
@pytest.mark.parametrize("how", [killed, terminated])
def test_a_process_that_is_killed_ends_the_run_with_what_to_do(how: Callable[[int], int], workers: Workers) -> None:
    with pytest.raises(WorkersLost, match="killed") as caught:
        list(run(Processes(2), how, range(9)))
    assert "--workers" in caught.value.hint
    assert not workers()


@FORKS
def test_a_process_that_is_killed_while_it_hands_its_result_over_ends_the_run_too(workers: Workers) -> None:
    results = run(Processes(2), large, range(20))
    assert len(next(results)) == 20_000_000
    time.sleep(0.5)  # both are in the middle of the next one
    for child in workers():
        child.kill()
    with pytest.raises(WorkersLost):
        list(results)
    assert not workers()


@FORKS
def test_a_caller_that_stops_while_results_are_handed_over_is_not_held_up(workers: Workers) -> None:
    for _ in range(10):
        results = run(Processes(2), large, range(20))
        assert len(next(results)) == 20_000_000
        results.close()
    assert not workers()


@FORKS
def test_a_mistake_in_the_work_is_raised_with_where_it_was_made() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        list(run(Processes(2), broken_by_mistake, range(3)))
    assert "in broken_by_mistake" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="cannot be sent"):
        list(run(Processes(2), not_for_the_post, range(3)))


@FORKS
def test_a_caller_that_stops_does_not_wait_for_what_is_at_work(workers: Workers, tmp_path: Path) -> None:
    results = run(Processes(2), SlowThenDone(tmp_path / "done"), range(9))
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        next(results)
    results.close()
    assert not workers()
    assert not (tmp_path / "done").exists()


@FORKS
def test_a_worker_prints_nothing_and_leaves_ctrl_c_to_its_parent(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(run(Processes(2), print_and_refuse_ctrl_c, range(4))) == [0, 1, 2, 3]
    assert capfd.readouterr() == ("", "")


@FORKS
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = "from tests.running.test_processes import *\nprint('begun', flush=True)\n"
    code += "list(run(Processes(2), slow, range(9)))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        workers: list[psutil.Process] = []
        while len(workers) < 2:
            workers = psutil.Process(process.pid).children()
            time.sleep(0.01)
        process.kill()
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert alive == []


@FORKS
def test_processes_are_begun_from_a_thread_too() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: list(run(Processes(2), later_first, range(5)))).result(60) == [0, 1, 4, 9, 16]
