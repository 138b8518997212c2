"""Cores and memory are those that a container allows, by either version of control groups."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from ferdata.running import machine
from ferdata.running.processes import Processes, Threads

GB = 1 << 30


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 8 cores and much memory, with no control groups yet."""
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "OWN", tmp_path / "own")
    monkeypatch.setattr(machine, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(os, "sched_getaffinity", lambda of: set(range(8)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GB // 4096}.__getitem__)
    (tmp_path / "meminfo").write_text(f"MemTotal: {64 << 20} kB\nMemAvailable: {32 << 20} kB\n")
    return tmp_path


def laid(folder: Path, own: str, files: Mapping[str, object]) -> None:
    """Lay out control groups: `own` is what a process reads of itself."""
    (folder / "own").write_text(own)
    for name, text in files.items():
        path = folder / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def test_without_limits_all_of_the_machine_is_there(group: Path) -> None:
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (8, 64 * GB, 32 * GB)
    laid(group, "0::/\n", {"cpu.max": "max 100000", "memory.max": "max", "memory.current": 5})
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (8, 64 * GB, 32 * GB)


@pytest.mark.parametrize(("quota", "expected"), [("150000 100000", 2), ("20000 100000", 1), ("1600000 100000", 8)])
def test_a_quota_of_time_bounds_the_cores(group: Path, quota: str, expected: int) -> None:
    laid(group, "0::/\n", {"cpu.max": quota})
    assert machine.cores() == expected


def test_workers_are_as_many_as_the_quota_allows(group: Path) -> None:
    laid(group, "0::/\n", {"cpu.max": "300000 100000"})
    assert (Threads().workers, Processes().workers) == (3, 3)


def test_the_limit_of_a_group_above_holds_too_and_files_in_memory_count_as_free(group: Path) -> None:
    laid(group, "0::/a/b\n", {
        "a/cpu.max": "200000 100000", "a/b/cpu.max": "400000 100000",
        "a/b/memory.max": 4 * GB, "a/b/memory.current": 3 * GB, "a/b/memory.stat": f"anon 5\ninactive_file {2 * GB}",
        "a/memory.max": 6 * GB, "a/memory.current": 4 * GB,
    })  # fmt: skip
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (2, 4 * GB, 2 * GB)


def test_a_container_that_sees_its_path_outside_has_its_limits_at_the_root(group: Path) -> None:
    laid(group, "0::/docker/123\n", {"cpu.max": "100000 100000", "memory.max": GB, "memory.current": 0})
    assert (machine.cores(), machine.memory()) == (1, GB)


def test_version_1_has_a_tree_for_each_resource(group: Path) -> None:
    laid(group, "4:memory:/a\n3:cpu,cpuacct:/a\n1:name=systemd:/a\n", {
        "cpu/a/cpu.cfs_quota_us": 250000, "cpu/a/cpu.cfs_period_us": 100000, "cpu/cpu.cfs_quota_us": -1,
        "cpu/cpu.cfs_period_us": 100000, "memory/a/memory.limit_in_bytes": 2 * GB,
        "memory/a/memory.usage_in_bytes": GB, "memory/memory.limit_in_bytes": 1 << 62,
        "memory/memory.usage_in_bytes": 0,
    })  # fmt: skip
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (3, 2 * GB, GB)


def test_a_system_that_says_nothing_is_not_guessed_at(group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (group / "meminfo").unlink()
    monkeypatch.delattr(os, "sysconf")
    assert (machine.memory(), machine.free_memory()) == (None, None)


def test_the_processor_is_named_as_the_system_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROCESSORS", tmp_path / "cpuinfo")
    kind = machine.processor()  # where the system does not say
    assert kind
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A Processor 9000 \nmodel name\t: Another\n")
    assert machine.processor() == "A Processor 9000"
