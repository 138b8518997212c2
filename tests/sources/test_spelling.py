"""Spelling: names that differ in case alone are found, and never guessed among several."""

from pathlib import Path

import pytest

from ferdata.sources.declaration import Layout, Licence, Source
from ferdata.sources.recognise import recognise
from ferdata.sources.spelling import declared_label, in_any_case, spelled


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        ("label/label.lst", "Label/LABEL.lst"),
        ("*[bB]asic*/x", "RAF-BASIC/X"),
        ("[a-c]at/S[0-9]*", "CAT/s12"),
        ("[!._]*.png", "a.PNG"),
    ],
)
def test_a_pattern_matches_in_any_case(tmp_path: Path, mark: str, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    assert list(tmp_path.glob(in_any_case(mark))) == [tmp_path / name]


def test_a_pattern_matches_no_more_than_before_but_for_the_case(tmp_path: Path) -> None:
    for name in ("_a.png", "0at", "b1"):
        (tmp_path / name).touch()
    assert [list(tmp_path.glob(in_any_case(mark))) for mark in ("[!._]*.png", "[a-c]at", "B[2-9]")] == [[], [], []]


def test_a_name_is_taken_as_it_is_then_in_another_case_and_never_one_of_two(tmp_path: Path) -> None:
    (tmp_path / "Image" / "ALIGNED").mkdir(parents=True)
    assert spelled(tmp_path, "image/aligned") == tmp_path / "Image" / "ALIGNED"
    assert spelled(tmp_path, "image/original") == tmp_path / "Image" / "original"
    assert spelled(tmp_path / "nowhere", "image") == tmp_path / "nowhere" / "image"
    (tmp_path / "image").mkdir()
    if len(list(tmp_path.iterdir())) == 2:  # where case tells two folders apart
        assert spelled(tmp_path, "image") == tmp_path / "image"
        assert spelled(tmp_path, "IMAGE") == tmp_path / "IMAGE"


def test_a_class_folder_is_called_as_declared_and_an_unknown_one_as_it_is() -> None:
    layout = Layout("made", ("*",), {"Angry": "anger", "happy": "happiness"})
    assert [declared_label(name, layout) for name in ("angry", "HAPPY", "happy", "bored")] == [
        "Angry",
        "happy",
        "happy",
        "bored",
    ]


def test_a_layout_in_another_case_is_recognised_where_none_is_spelled_as_published(tmp_path: Path) -> None:
    source = Source("made", "", "", Licence("", ""), "", "", (), "", "", (Layout("one", ("label/label.lst",), {}),))
    (tmp_path / "copy" / "Label").mkdir(parents=True)
    (tmp_path / "copy" / "Label" / "label.lst").touch()
    found = recognise(source, tmp_path)
    assert found is not None
    assert found[1] == tmp_path / "copy"
    assert recognise(source, tmp_path, any_case=False) is None or (tmp_path / "copy" / "label").exists()
    (tmp_path / "published" / "label").mkdir(parents=True)
    (tmp_path / "published" / "label" / "label.lst").touch()
    assert recognise(source, tmp_path) == (source.layouts[0], tmp_path / "published")
