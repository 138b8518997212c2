"""How much of the machine this process may use: its cores and its memory, what a container allows included; its name.

Control groups bound both (Linux's `cgroups(7)`): version 2 in one tree, version 1 in a tree for each resource. A limit
of any group above the process's own holds too.
"""

import contextlib
import math
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
MEMORY = Path("/proc/meminfo")
PROCESSORS = Path("/proc/cpuinfo")


def cores() -> int:
    """Return how many cores this process may use, at least 1; a quota of one and a half counts as two."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group, is_second in _groups("cpu"):
        with contextlib.suppress(OSError, ValueError):  # no limit, or "max"
            if is_second:
                quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
            else:
                quota, period = ((group / f"cpu.cfs_{n}_us").read_text(encoding="ascii") for n in ("quota", "period"))
            if int(quota) > 0:  # -1: none
                usable = min(usable, math.ceil(int(quota) / int(period)))
    return max(usable, 1)


def processor() -> str:
    """Return what the processor is called; its kind, such as x86_64, where the system does not say."""
    with contextlib.suppress(OSError, UnicodeError):
        if found := re.search(r"^model name\s*: (.+)$", PROCESSORS.read_text(encoding="utf-8"), re.MULTILINE):
            return found[1].strip()
    return platform.processor() or platform.machine()


def memory() -> int | None:
    """Return the memory that there is to use, in bytes; None where the system does not say."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return min([whole, *(limit for limit, _ in _memory_limits())])


def free_memory() -> int | None:
    """Return the memory that could be taken now, in bytes; None where the system does not say."""
    try:
        lines = MEMORY.read_text(encoding="ascii").splitlines()
        free = int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024
    except (OSError, ValueError, StopIteration):
        return None
    return max(min([free, *(limit - used for limit, used in _memory_limits())]), 0)


def _memory_limits() -> Iterator[tuple[int, int]]:
    """Yield each group's limit of memory, and what is used of it and cannot be had back at once."""
    for group, is_second in _groups("memory"):
        names = ("memory.max", "memory.current") if is_second else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        with contextlib.suppress(OSError, ValueError):  # no limit, or "max"
            limit, used = (int((group / name).read_text(encoding="ascii")) for name in names)
            yield limit, used - _cached(group)


def _cached(group: Path) -> int:
    """Return the bytes of files that a group holds in memory and has not used lately."""
    with contextlib.suppress(OSError, ValueError):
        for line in (group / "memory.stat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name in ("inactive_file", "total_inactive_file"):
                return int(value)
    return 0


def _groups(resource: str) -> Iterator[tuple[Path, bool]]:
    """Yield the folder of each group that this process is in, from its own upwards, and whether it is of version 2.

    In a container the root of the tree is its own group, whose path may be that outside of it.
    """
    try:
        lines = OWN.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, resources, own = line.split(":", 2)
        if resources and resource not in resources.split(","):
            continue
        root = GROUPS / resource if resources else GROUPS
        group = root / own.strip("/")
        for folder in (group, *group.parents):
            if folder.is_dir():
                yield folder, not resources
            if folder == root:
                break
