"""The cache: entries appear whole, the least recently used go first, what is in use stays, limits are kept."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ferdata.errors import BadOption, CannotWrite
from ferdata.running import cache


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FERDATA_CACHE_LIMIT", raising=False)
    return tmp_path / "cache"


def put(key: str, size: int = 1000, kind: str = "pack", age: float = 0.0) -> Path:
    """Make an entry of `size` bytes that was last used `age` seconds ago."""
    with cache.turn(kind, key), cache.fresh(kind, key) as part:
        (part / "data").write_bytes(b"x" * size)
        held = cache.publish(part, kind, key, {"what": key})
    assert held
    held.release()
    os.utime(held.path / cache.ABOUT, (time.time() - age,) * 2)
    return held.path


def keys() -> list[str]:
    return [entry.key for entry in cache.entries()]


def test_an_entry_says_what_it_is_and_nothing_else_is_left(place: Path) -> None:
    put("one", 5000, kind="media")
    (entry,) = cache.entries()
    assert (entry.kind, entry.key, entry.size, entry.about["what"]) == ("media", "one", 5000, "one")
    assert not entry.in_use
    assert sorted(p.name for p in place.rglob("*")) == ["data", "entry.json", "media", "one"]


def test_an_entry_that_fails_half_way_leaves_nothing(place: Path) -> None:
    def failing() -> None:
        with cache.turn("pack", "one"), cache.fresh("pack", "one") as part:
            (part / "data").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert list((place / "pack").iterdir()) == []
    assert cache.find("pack", "one") is None


def test_what_was_used_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERDATA_CACHE_LIMIT", "3500")
    for age, key in ((30, "old"), (20, "older-but-used"), (10, "new")):
        put(key, age=age)
    held = cache.find("pack", "old")
    assert held
    held.release()
    cache.make_room(1000)
    assert keys() == ["new", "old"]


def test_an_entry_in_use_is_never_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERDATA_CACHE_LIMIT", "2500")
    put("used", age=100)
    put("free")
    held = cache.find("pack", "used")
    assert held
    os.utime(held.path / cache.ABOUT, (0, 0))
    cache.make_room(1000)
    assert keys() == ["used"]
    gone, kept = cache.clear()
    assert (gone, [entry.key for entry in kept]) == ([], ["used"])
    held.release()
    assert [entry.key for entry in cache.clear()[0]] == ["used"]


def test_an_entry_that_another_process_uses_is_never_taken_out() -> None:
    put("used")
    code = "from ferdata.running import cache; h = cache.find('pack', 'used'); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        assert cache.clear()[0] == []
        assert cache.entries()[0].in_use
        other.communicate("\n")
    assert len(cache.clear()[0]) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_lock_ends_with_the_process_that_took_it_whoever_was_forked_from_it() -> None:
    put("used")
    code = (
        "import os, time\nfrom ferdata.running import cache\nheld = cache.find('pack', 'used')\n"
        "if not os.fork():\n    held.release()\n    print('forked', flush=True)\n    time.sleep(60)\n"
        "input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "forked\n"
        (child,) = psutil.Process(other.pid).children()
        assert cache.entries()[0].in_use  # what the child lets go is its parent's
        assert cache.clear()[0] == []
        other.kill()
        other.wait()
        try:
            assert child.is_running()
            assert len(cache.clear()[0]) == 1
        finally:
            child.kill()


def test_what_cannot_fit_is_refused_and_takes_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERDATA_CACHE_LIMIT", "2KB")
    put("one")
    with pytest.raises(CannotWrite, match=r"of 2 KB used") as refused:
        cache.make_room(2001)
    assert "ferdata cache limit" in refused.value.hint
    assert keys() == ["one"]


def test_a_finished_entry_takes_the_place_of_a_damaged_one() -> None:
    first = put("one")
    (first / "data").write_bytes(b"")
    second = put("one", 50)
    assert second == first
    assert (second / "data").stat().st_size == 50
    assert len(list(second.parent.iterdir())) == 1


def test_two_processes_take_turns() -> None:
    code = (
        "import sys, time\nfrom ferdata.running import cache\n"
        "with cache.turn('pack', 'one'):\n"
        "    held = cache.find('pack', 'one')\n"
        "    if held:\n        print('found')\n        sys.exit()\n"
        "    with cache.fresh('pack', 'one') as part:\n"
        "        time.sleep(0.5)\n        (part / 'data').write_bytes(b'x')\n"
        "        cache.publish(part, 'pack', 'one', {})\n        print('made')\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(process.communicate()[0].strip() for process in both) == ["found", "found", "made"]
    assert [p.name for p in (cache.folder() / "pack").iterdir()] == ["one"]


def test_without_locks_an_entry_is_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refused(*given: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    put("one")
    assert keys() == ["one"]
    assert cache.entries()[0].in_use  # nobody can know
    cache.sweep()


def test_what_a_killed_process_left_half_done_is_swept(place: Path) -> None:
    code = (
        "import time\nfrom ferdata.running import cache\n"
        "with cache.turn('pack', 'one'), cache.fresh('pack', 'one') as part:\n"
        "    (part / 'data').write_bytes(b'half')\n    print('half', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "half\n"
        cache.sweep()
        assert len(list((place / "pack").glob(".*.part"))) == 1  # it lives
        process.send_signal(signal.SIGKILL)
    cache.sweep()
    assert list((place / "pack").iterdir()) == []


def test_clear_takes_a_few_letters_of_a_key_or_an_age() -> None:
    put("abcdef", age=3600)
    put("abx", age=10)
    put("zzz", age=7200)
    assert [entry.key for entry in cache.clear(["abc"])[0]] == ["abcdef"]
    assert [entry.key for entry in cache.clear(older_than=3600)[0]] == ["zzz"]
    with pytest.raises(BadOption, match="no entry 'q'"):
        cache.clear(["q"])
    assert keys() == ["abx"]


def test_the_limit_is_the_environments_else_the_one_set_else_twenty_gigabytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cache.limit() == 20 * 10**9
    assert cache.set_limit("1.5 tb") == 1_500_000_000_000 == cache.limit()
    monkeypatch.setenv("FERDATA_CACHE_LIMIT", "7M")
    assert cache.limit() == 7_000_000
    monkeypatch.setenv("FERDATA_CACHE_LIMIT", "plenty")
    with pytest.raises(BadOption, match="FERDATA_CACHE_LIMIT cannot be 'plenty'"):
        cache.limit()


def test_a_cache_whose_place_is_taken_by_a_file_is_refused_with_a_remedy(place: Path) -> None:
    place.write_text("no folder")
    with pytest.raises(CannotWrite, match="cannot be written") as refused, cache.turn("pack", "one"):
        pass
    assert "FERDATA_CACHE" in refused.value.hint
    assert cache.entries() == []


def test_the_folder_is_where_this_system_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FERDATA_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    expected = {"linux": Path.home() / ".cache/ferdata", "darwin": Path.home() / "Library/Caches/ferdata"}
    assert cache.folder() == expected[sys.platform]
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/else")
        assert cache.folder() == Path("/somewhere/else/ferdata")


def test_a_folder_that_is_no_entry_is_left_alone(place: Path) -> None:
    (place / "pack" / "mine").mkdir(parents=True)
    (place / "pack" / "mine" / "entry.json").write_text('{"name": "something else"}')
    put("one")
    assert keys() == ["one"]
    cache.clear()
    assert (place / "pack" / "mine" / "entry.json").exists()


def test_what_is_being_made_without_a_lock_as_on_a_disk_without_any_is_not_swept(place: Path) -> None:
    with cache.fresh("pack", "one") as part:
        (part / "data").write_bytes(b"half")
        cache.sweep()
        assert (part / "data").exists()


def test_what_a_killed_process_left_is_swept_by_who_makes_the_same_anew(place: Path) -> None:
    with cache.turn("pack", "one"):
        with cache.fresh("pack", "one") as part:
            dead = part.with_name(part.name.replace(f"-{os.getpid()}-", "-999999999-"))
        dead.mkdir()
        cache.sweep()
        assert not dead.exists()
        assert (place / "pack" / ".one.lock").exists()  # which is held
