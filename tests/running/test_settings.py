"""`ferdata.toml` stands for what is typed every day; what is given comes before it, and a slip in it is named."""

import os
from pathlib import Path

import pytest

from ferdata.errors import BadOption
from ferdata.running import settings

ALL = """
cache = "cache"
data = "~/faces"
cache_limit = "5GB"
reviewer = "ada"
device = "cpu"

[roots]
rafdb = "/data/RAF-DB"
"my-set" = "sets/mine"
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No file and no variable of this machine's is there, and none is left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {name: v for name, v in os.environ.items() if not name.startswith("FERDATA_")})
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *_, **__: str(tmp_path / "system"))


def test_each_setting_stands_for_its_variable_and_paths_are_seen_from_the_file(tmp_path: Path) -> None:
    there = tmp_path / "system"
    there.mkdir()
    (there / "ferdata.toml").write_text(ALL)
    assert settings.apply() == {"device": "cpu"}
    known = {name: value for name, value in os.environ.items() if name.startswith("FERDATA_")}
    assert known == {
        "FERDATA_CACHE": str(there / "cache"),
        "FERDATA_DATA": str(Path.home() / "faces"),
        "FERDATA_CACHE_LIMIT": "5GB",
        "FERDATA_REVIEWER": "ada",
        "FERDATA_ROOT_RAFDB": "/data/RAF-DB",
        "FERDATA_ROOT_MY_SET": str(there / "sets" / "mine"),
    }


def test_a_variable_comes_before_the_file_and_the_folders_own_file_before_the_systems(tmp_path: Path) -> None:
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "ferdata.toml").write_text('reviewer = "grace"\ndata = "d"\n')
    (tmp_path / "ferdata.toml").write_text('reviewer = "ada"\ncache = "c"\n')
    os.environ["FERDATA_CACHE"] = "elsewhere"
    settings.apply()
    assert (os.environ["FERDATA_REVIEWER"], os.environ["FERDATA_CACHE"]) == ("ada", "elsewhere")
    assert "FERDATA_DATA" not in os.environ
    (tmp_path / "named.toml").write_text('data = "n"\n')
    os.environ["FERDATA_CONFIG"] = str(tmp_path / "named.toml")
    settings.apply()
    assert os.environ["FERDATA_DATA"] == str(tmp_path / "n")


def test_without_a_file_nothing_is_set() -> None:
    assert settings.apply() == {}
    assert not [name for name in os.environ if name.startswith("FERDATA_")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('reviwer = "ada"', "reviwer, which is no setting"),
        ("cache = 5", "cache is 5"),
        ('roots = "/data"', "roots is '/data'"),
        ("[roots]\nrafdb = 1", "roots.rafdb is 1"),
        ("cache = ", "cannot be read"),
        ('cache = " "', "cache is ' '"),
    ],
)
def test_a_slip_is_named_with_the_file_and_its_form(text: str, words: str) -> None:
    Path("ferdata.toml").write_text(text)
    with pytest.raises(BadOption) as error:
        settings.apply()
    assert "ferdata.toml" in error.value.message
    assert words in error.value.message
    assert "[roots]" in error.value.hint


def test_a_misspelt_setting_is_answered_with_the_one_that_is_meant() -> None:
    Path("ferdata.toml").write_text('reviwer = "ada"')
    with pytest.raises(BadOption, match="reviewer"):
        settings.apply()


def test_a_named_file_that_is_not_there_is_not_passed_over() -> None:
    os.environ["FERDATA_CONFIG"] = "gone.toml"
    with pytest.raises(BadOption, match=r"FERDATA_CONFIG names gone\.toml"):
        settings.apply()
