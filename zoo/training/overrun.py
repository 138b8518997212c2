"""A time limit that was overrun all the same: by how much, and why."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.training.schedule import Schedule
from zoo.training.state import RunContext

NOTED = 1.0  # seconds: less than what ending a program takes is no overrun
FREE = 0.7  # of a core, that a program gets which nobody disturbs


@contextmanager
def noted(context: RunContext, schedule: Schedule) -> Iterator[None]:
    """Say, after the last work of a run, if it ended later than it should, and why."""
    began, worked = schedule.elapsed, time.process_time()
    yield
    share = (time.process_time() - worked) / max(schedule.elapsed - began, 1e-9)
    if words := overrun(schedule, share if context.fabric.device.type == "cpu" else 1.0):
        context.say(words)


def overrun(schedule: Schedule, share: float = 1.0) -> str:
    """Return the sentence on an overrun limit, "" where it was kept; `share` of a core was ours in the last work."""
    if schedule.limit is None or schedule.elapsed < schedule.limit + NOTED:
        return ""
    took, late = schedule.elapsed - schedule.learnt, schedule.learnt + schedule.kept - schedule.limit
    why = []
    if took > schedule.kept:
        unknown = "" if schedule.known else ", since how long they take is known only after a first epoch"
        why.append(f"validation, test and report took {took:.0f} s, and only {schedule.kept:.0f} s were kept{unknown}")
    if late >= NOTED:
        why.append(f"the last training step ended {late:.0f} s late")
    if share < FREE:
        why.append(f"other programs left this one {share:.0%} of a processor core")
    over = schedule.elapsed - schedule.limit
    return f"The time limit of {schedule.limit:.0f} s was overrun by {over:.0f} s: {'; '.join(why)}."
