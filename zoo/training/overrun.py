"""A time limit that was overrun all the same: by how much, and why."""

import time
from collections.abc import Mapping
from typing import Any

from zoo.training.schedule import Schedule

NOTED = 1.0  # seconds: less than what ending a program takes is no overrun
FREE = 0.7  # of a core, that a program gets which nobody disturbs


def closing(schedule: Schedule, on_cpu: bool) -> dict[str, Any]:
    """Return how the end of a run goes, for its report.

    After how many seconds it stopped learning (`began`), how many were `kept` for the rest, whether that was `known`
    from an earlier epoch, and which share of a core it has had since, on a CPU.
    """
    spent = schedule.elapsed - schedule.learnt
    core = (time.process_time() - schedule.worked) / max(spent, 1e-9)
    return {
        "began": round(schedule.learnt, 1),
        "kept": round(schedule.kept, 1),
        "known": schedule.known,
        "core": round(core, 2) if on_cpu else None,
    }


def overrun(limit: float | None, took: float, report: Mapping[str, Any]) -> str:
    """Return the sentence on a run that `took` so long, "" where that is within its limit; its report has `closing`."""
    if limit is None or took < limit + NOTED:
        return ""
    closed = report["training"]["closing"]
    end, late = took - closed["began"], closed["began"] + closed["kept"] - limit
    why = []
    if end > closed["kept"]:
        unknown = "" if closed["known"] else ", since how long they take is known only after a first epoch"
        why.append(f"validation, test and report took {end:.0f} s, and only {closed['kept']:.0f} s were kept{unknown}")
    if late >= NOTED:
        why.append(f"the last training step ended {late:.0f} s late")
    if closed["core"] is not None and closed["core"] < FREE:
        why.append(f"other programs left this one {closed['core']:.0%} of a processor core")
    return f"The time limit of {limit:.0f} s was overrun by {took - limit:.0f} s: {'; '.join(why)}."
