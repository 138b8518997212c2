"""Two processes: what the leading one says, how all end when one does not end well, and that none is left.

They import no more than they need: what they are launched for is tested in `test_distributed`.
"""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from functools import partial

import psutil
import pytest
import torch

from ferdata.errors import BrokenRun, FerdataWarning, WorkersLost
from tests.zoo.training.conftest import processes_of
from zoo.options.options import TrainConfig
from zoo.training.launch import _interrupt_once, launch

pytestmark = pytest.mark.usefixtures("no_process_is_left")
TWO = TrainConfig(device="cpu", devices=2)
SCRIPT = "from tests.zoo.training import test_launch as t; t.launch(t.TWO, t.waits, t.partial(print, flush=True))"


def talks(place, say):
    say(f"said by {place.rank}")
    warnings.warn(FerdataWarning(f"a note of {place.rank}"), stacklevel=1)
    together = torch.ones(1)
    torch.distributed.all_reduce(together)
    return place.rank, int(together), os.getpid()


def test_the_leading_process_speaks_and_its_result_is_returned():
    lines = []
    with pytest.warns(FerdataWarning) as notes:
        rank, together, pid = launch(TWO, talks, lines.append)
    assert (rank, together) == (0, 2)
    assert pid != os.getpid()
    assert lines == ["said by 0"]
    assert [str(note.message) for note in notes] == ["a note of 0"]


def fails(how, who, place, say):
    """Fail in one process, where the other waits and hears of no lost connection, as NCCL's kernels do not."""
    if place.rank != who:
        time.sleep(3600)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "aborted":
        os.write(2, b"the driver has lost the device\n")
        os.abort()
    raise how


@pytest.mark.parametrize(
    ("how", "who", "kind", "words"),
    [
        ("killed", 1, WorkersLost, ["device 1 was killed (signal 9, SIGKILL), as happens when memory runs out"]),
        ("aborted", 1, WorkersLost, ["device 1 was killed (signal 6, SIGABRT)", "has lost the device", "in fails"]),
        (ValueError("no such face"), 1, BrokenRun, ["device 1 failed: ValueError: no such face", "in fails\n"]),
        (OSError(errno.ENOSPC, "disk full"), 0, OSError, [f"[Errno {errno.ENOSPC}] disk full"]),
    ],
)
def test_one_that_fails_ends_all_and_says_why(how, who, kind, words):
    with pytest.raises(kind) as error:
        launch(TWO, partial(fails, how, who), print)
    assert type(error.value) is kind
    for word in words:
        assert word in str(error.value)


def waits(place, say):
    say("waiting")
    time.sleep(3600)


def test_processes_end_with_the_one_that_started_them():
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "waiting\n"
        begun = processes_of(caller.pid)
        assert len(begun) == 2
        caller.kill()
        assert not psutil.wait_procs(begun, 10)[1]


def test_ctrl_c_is_heard_by_the_caller_alone_also_while_processes_start():
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as caller:
        while not (begun := processes_of(caller.pid)):
            time.sleep(0.01)
        os.killpg(caller.pid, signal.SIGINT)  # what Ctrl-C in a terminal does: it reaches every process
        complaints = caller.communicate(timeout=60)[1]
    assert complaints.count("Traceback") == complaints.count("KeyboardInterrupt") == 1
    assert not psutil.wait_procs(begun, 10)[1]


def is_interrupted_before_it_has_read_the_answer(place, say):
    if place.leads:
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
        _say = say.args[0]
        _say.send(("says", "words"))
        try:
            time.sleep(3600)
        except KeyboardInterrupt:
            raise BrokenRun("interrupted", "with the answer still in the pipe") from None
    time.sleep(3600)


def test_one_that_was_interrupted_does_not_take_an_old_answer_for_the_word_to_leave(capfd):
    """It would leave the group while the others are in it, and write what came of that beside our words."""
    with pytest.raises(BrokenRun, match="interrupted"):
        launch(TWO, is_interrupted_before_it_has_read_the_answer, lambda line: None)
    assert "Process ferdata train" not in capfd.readouterr().err


def test_what_a_scheduler_sends_twice_interrupts_once_and_is_never_set_to_be_ignored():
    """Python prints a traceback for a signal that comes while its handler gives way to SIG_IGN."""
    before = signal.signal(signal.SIGTERM, _interrupt_once)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
