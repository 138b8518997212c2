import json

import pytest

from tests.zoo.conftest import shape_rows, write_shapes


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    return write_shapes(tmp_path / "shapes.parquet", shape_rows())


def test_augment_writes_a_sheet_and_prints_the_ranges_below_its_name(ferdata, drawn, tmp_path):
    ran = ferdata("augment", drawn, "--policy", "lethesec", "-o", tmp_path / "sheet.png", "--rows", 4)
    assert ran.code == 0, ran
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    for words in ("±10°, 50% of the time", "LetheSec/", "4 faces, 8 versions each, 32 x 32 px", "sheet.png"):
        assert words in ran.out
    assert ferdata("augment", drawn, "-o", tmp_path / "sheet.png").code == 1  # it is there already


def test_json_has_the_ranges_and_the_path(ferdata, drawn, tmp_path):
    ran = ferdata("augment", drawn, "-o", tmp_path / "s.png", "--engine", "workers", "--draws", 2, "--json")
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert told["policy"] == "standard"
    assert told["engine"] == "workers"
    assert told["ranges"]["rotation"] == "±12°"
    assert told["out"] == str(tmp_path / "s.png")


def test_a_policy_that_there_is_not_is_answered_with_those_that_there_are(ferdata, drawn, tmp_path):
    ran = ferdata("augment", drawn, "--policy", "heavy", "-o", tmp_path / "s.png")
    assert ran.code == 1
    assert "khaireddin" in ran.err


def test_a_policy_of_ones_own_is_shown_and_the_next_command_trains_with_it(ferdata, drawn, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("flip = 0.5\nrotation = 20\n")
    ran = ferdata("augment", drawn, "--policy", file, "--set", "rotation=30,zoom=0.15", "-o", tmp_path / "s.png")
    assert ran.code == 0, ran
    for words in ("±30°", "×0.85 to ×1.15", "mine.toml: ranges of your own, with another rotation, scale"):
        assert words in ran.out
    assert f"ferdata train --manifest {drawn} --augment {file} --set rotation=30,zoom=0.15" in ran.out
    said = ferdata("train", "--manifest", drawn, "--augment", file, "--set", "rotation=30,zoom=0.15", "--size", 32,
                   "--batch", 16, "--device", "cpu", "--dry-run")  # fmt: skip
    assert said.code == 0, said
    assert "own: scale ×0.85 to ×1.15, each axis separately; rotation ±30°; flip 50% of the time" in said.out
