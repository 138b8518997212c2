"""Get: what is not on Kaggle says how else; what Kaggle refuses, or cannot answer, says what to do."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ferdata.adapters import load
from ferdata.errors import AlreadyExists, BadOption, MissingExtra
from ferdata.steps import get as step
from ferdata.steps.get import get


@pytest.fixture
def on_kaggle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let CK+, whose adapter is real, be free on Kaggle."""
    free = dataclasses.replace(load("ckplus").SOURCE, kaggle="datasets/nobody/nothing")
    monkeypatch.setattr(step, "load", lambda name: SimpleNamespace(SOURCE=free))


def test_a_dataset_that_is_not_on_kaggle_says_how_it_is_obtained() -> None:
    with pytest.raises(BadOption, match="not available on Kaggle") as caught:
        get("rafdb")
    assert "Who may have it" in caught.value.hint


def test_what_is_there_already_is_not_written_over(tmp_path: Path, on_kaggle: None) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(AlreadyExists):
        get("ckplus", out=tmp_path)


def test_without_kagglehub_the_extra_is_named(tmp_path: Path, on_kaggle: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(MissingExtra) as caught:
        get("ckplus", out=tmp_path / "new")
    assert "[kaggle]'" in caught.value.hint


def test_when_kaggle_cannot_be_reached_the_page_is_named_and_no_folder_stays(tmp_path: Path) -> None:
    # A process of its own: kagglehub reads its endpoint when it is imported. Nothing listens on port 9 here.
    code = (
        "import sys, dataclasses, types; from ferdata.steps import get as step; from ferdata.adapters import load\n"
        "free = dataclasses.replace(load('ckplus').SOURCE, kaggle='datasets/nobody/nothing')\n"
        "step.load = lambda name: types.SimpleNamespace(SOURCE=free)\n"
        "from ferdata.errors import DatasetMissing\n"
        "try: step.get('ckplus', out=sys.argv[1])\n"
        "except DatasetMissing as error: print(error)\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "KAGGLE_API_ENDPOINT": "http://127.0.0.1:9"}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "new")],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert "cannot be reached" in ran.stdout or "refuses" in ran.stdout, ran.stdout
    assert "datasets/nobody/nothing" in ran.stdout
    assert not (tmp_path / "new").exists()
