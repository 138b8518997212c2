"""FiftyOne as we start it: silent, and with the user's own plugins."""

import logging
from pathlib import Path
from typing import Any

import pytest

from ferdata.reviewing.fiftyone import fields, start


def test_a_users_plugins_stay_beside_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs" / "mine"
    theirs.mkdir(parents=True)
    (theirs / "fiftyone.yml").write_text("name: mine\n")
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FIFTYONE_PLUGINS_DIR", str(theirs.parent))
    folder = start.plugins()
    assert (folder / "yours" / "mine" / "fiftyone.yml").is_file()
    assert (folder / "ferdata-review" / "fiftyone.yml").is_file()
    monkeypatch.setenv("FIFTYONE_PLUGINS_DIR", str(folder))
    assert sorted(p.name for p in start.plugins().iterdir()) == ["ferdata-review", "yours"]


def test_nothing_is_sent_anywhere(fo: Any) -> None:
    assert fo.config.do_not_track
    assert not fo.config.show_progress_bars
    assert fo.config.logging_level == "ERROR"
    assert not logging.getLogger("fiftyone.core.config").isEnabledFor(logging.WARNING)
    assert fields.name_of(Path("a/m.parquet")) != fields.name_of(Path("b/m.parquet"))
