"""A cache of its own for each test of packs."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FERDATA_CACHE_LIMIT", raising=False)
    return tmp_path / "cache"
