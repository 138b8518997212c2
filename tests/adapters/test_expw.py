"""ExpW: one row a face, boxes turned into x, y, width, height, and lines that contradict themselves."""

import pytest

from ferdata.errors import BrokenSource, NotThisDataset, UnknownLabel
from tests.adapters.test_contract import read
from tests.fakes import expw


def test_each_face_of_a_picture_is_a_row_with_its_own_box(tmp_path):
    expw.official(tmp_path)
    samples = [s for s in read("expw", tmp_path)[2] if "actor" in s.key]
    assert [s.key for s in samples] == [f"sad_actor_11.JPG/{f}" for f in range(3)]
    assert {s.image for s in samples} == {"image/origin/sad_actor_11.JPG"}
    # The list says top 10, left 20, right 80, bottom 90.
    assert samples[0].face_box == (20, 10, 60, 80)
    assert samples[2].face_box == (22, 12, 60, 80)


@pytest.mark.parametrize("folder", ["image", "origin", "images", "image/origin", "Images", "IMAGE/Origin"])
def test_pictures_are_found_where_the_archive_puts_them(tmp_path, folder):
    expw.official(tmp_path, folder)
    _, base, samples, _ = read("expw", tmp_path)
    assert samples
    assert all((base / s.image).is_file() for s in samples)


def test_what_is_left_out_says_why(tmp_path):
    expw.official(tmp_path)
    assert {s.key: s.reason for s in read("expw", tmp_path)[3]} == {
        "afraid_African_214.jpg/0 (line 8)": "listed again",
        "angry_boss_3.jpg/9": "a face box without area",
        "nobody_1.jpg": "no labelled face",
    }


def test_a_missing_picture_still_comes(tmp_path):
    expw.official(tmp_path)
    (tmp_path / "image/origin" / expw.NAMES[0]).unlink()
    _, base, samples, _ = read("expw", tmp_path)
    assert [s.key for s in samples if not (base / s.image).exists()] == [f"{expw.NAMES[0]}/0"]


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("a.jpg 0 1 2 3 4 5.0 7", UnknownLabel, "label '7'"),
        ("a.jpg 0 1 2 3 4 5.0", BrokenSource, "expected"),
        ("../a.jpg 0 1 2 3 4 5.0 1", BrokenSource, "expected"),
        ("a.jpg 0 1 x 3 4 5.0 1", BrokenSource, "a face box of '1 x 3 4'"),
    ],
)
def test_a_damaged_line_is_refused_with_its_number(tmp_path, line, error, said):
    expw.official(tmp_path)
    path = tmp_path / "label/label.lst"
    path.write_text(f"{path.read_text().splitlines()[0]}\n{line}\n")
    with pytest.raises(error, match=f"label.lst:2: .*{said}"):
        read("expw", tmp_path)


@pytest.mark.parametrize(("folder", "error"), [("aligned_image", NotThisDataset), ("faces", BrokenSource)])
def test_a_list_without_its_original_pictures_is_refused(tmp_path, folder, error):
    expw.official(tmp_path, folder)
    with pytest.raises(error, match="ExpW"):
        read("expw", tmp_path)
