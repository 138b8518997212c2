"""Cache: ages and sizes as people say them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ferdata.errors import BadOption
from ferdata.running import cache as room
from ferdata.steps import cache
from tests.conftest import Ran


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FERDATA_CACHE_LIMIT", raising=False)


def test_an_empty_cache_has_a_folder_a_limit_and_nothing_in_it(tmp_path: Path) -> None:
    found = cache.contents()
    assert (found.folder, found.items, found.bytes, found.limit) == (tmp_path / "cache", (), 0, room.LIMIT)


def test_what_a_killed_process_left_is_counted_until_it_is_cleared(ferdata: Callable[..., Ran]) -> None:
    code = (
        "import os\nfrom ferdata.running import cache\n"
        "with cache.fresh('pack', 'one') as part:\n"
        "    (part / 'pixels.npy').write_bytes(bytes(3000))\n    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    found = cache.contents()
    assert (found.items, found.bytes, found.unfinished) == ((), 0, 3000)
    assert "3 KB, being written, or left by a killed process" in ferdata("cache").out
    cache.clear()
    assert cache.contents().unfinished == 0
    assert "unfinished" not in ferdata("cache").out


def test_the_limit_is_set_and_told() -> None:
    assert cache.limit() == room.LIMIT
    assert cache.limit("3 GB") == cache.limit() == cache.contents().limit == 3_000_000_000
    with pytest.raises(BadOption, match="The limit cannot be 'a lot'"):
        cache.limit("a lot")


@pytest.mark.parametrize(("age", "gone"), [("90m", 2), ("12h", 2), ("2d", 1), ("1.5w", 0)])
def test_entries_go_by_age(age: str, gone: int) -> None:
    import os
    import time

    for key, days in (("a", 1), ("b", 3)):
        with room.turn("media", key), room.fresh("media", key) as part:
            held = room.publish(part, "media", key, {})
        assert held
        held.release()
        os.utime(held.path / room.ABOUT, (time.time() - days * 86400,) * 2)
    assert len(cache.clear(older_than=age).gone) == gone


def test_an_age_without_a_unit_is_refused() -> None:
    with pytest.raises(BadOption, match="--older-than cannot be '30'"):
        cache.clear(older_than="30")
