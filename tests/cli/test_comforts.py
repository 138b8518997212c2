"""What spares typing and noise: a file of settings, no colour, nothing but the result."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ferdata.running import progress
from tests.conftest import MakeManifest, Ran

Run = Callable[..., Ran]


def test_a_file_of_settings_chooses_the_device_and_an_option_comes_before_it(ferdata: Run, tmp_path: Path) -> None:
    """No machine here has a device of Apple's and one of NVIDIA's."""
    (tmp_path / "ferdata.toml").write_text('device = "gpu"')
    chosen = ferdata("train", "--manifest", "m.parquet")
    assert chosen.code == 2
    assert "'gpu' is not one of" in chosen.err
    assert "m.parquet" in ferdata("train", "--manifest", "m.parquet", "--device", "cpu").err


def test_a_broken_file_of_settings_ends_every_command_but_help_with_what_is_wrong(ferdata: Run, tmp_path: Path) -> None:
    (tmp_path / "ferdata.toml").write_text('reviwer = "ada"')
    ran = ferdata("datasets")
    assert ran.code == 1
    assert "ferdata.toml has reviwer" in ran.err
    assert ferdata("--help").code == 0
    assert ferdata("--version").out.startswith("ferdata 0.")


def test_quiet_leaves_results_and_drops_what_comes_next(
    ferdata: Run, make_manifest: MakeManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(progress.QUIET, "")
    manifest = make_manifest({"native_label": "fear"}, name="faces")
    loud = ferdata("show", manifest)
    assert "\nNext: " in loud.out
    quiet = ferdata("--quiet", "show", manifest)
    assert os.environ[progress.QUIET] == "1"
    assert quiet.out == loud.out[: loud.out.index("\nNext: ")]


def test_no_colour_where_nobody_wants_one(tmp_path: Path) -> None:
    """In a terminal: `script` is one. Without the wish there are colours, or this would show nothing."""
    command = f"{sys.executable} -m ferdata.cli evaluate gone"
    shown = {}
    for wish in ("", "1"):
        ran = subprocess.run(
            ["script", "-qec", command, "/dev/null"],
            capture_output=True, cwd=tmp_path, env={**os.environ, "NO_COLOR": wish}, check=False, timeout=120,
        )  # fmt: skip
        shown[wish] = ran.stdout
    assert b"\x1b[31m" in shown[""]
    assert b"\x1b[" not in shown["1"]
    assert b"gone" in shown["1"]
