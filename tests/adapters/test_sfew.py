"""SFEW: frames and their aligned faces, a test without labels, and the repack's table."""

import shutil

import pytest

from ferdata.errors import BrokenSource, UnknownLabel
from tests.adapters.test_contract import read
from tests.fakes import face, save, sfew


def test_frames_and_aligned_faces_have_the_same_keys(tmp_path):
    sfew.official(tmp_path)
    rows = [
        {(s.key, s.native_label, s.official_split): s.image for s in read("sfew", tmp_path, faces=faces)[2]}
        for faces in ("aligned", "original")
    ]
    assert rows[0].keys() == rows[1].keys()
    key = ("Val/Sad/Film'sName0_000031240_00000000", "Sad", "val")
    assert rows[0][key] == "Val_Aligned_Faces/Sad/Film'sName0_000031240_00000000.png"
    assert rows[1][key] == "Val/Sad/Film'sName0_000031240_00000000.png"


@pytest.mark.parametrize(
    ("gone", "faces", "other"), [("_Aligned_Faces", "aligned", "original"), ("", "original", "al")]
)
def test_a_form_that_is_not_there_is_named_with_the_one_that_is(tmp_path, gone, faces, other):
    sfew.official(tmp_path)
    shutil.rmtree(tmp_path / f"SFEW_2/Train{gone}")
    with pytest.raises(BrokenSource, match=f"Train{gone}(.|\n)*--faces {other}"):
        read("sfew", tmp_path, faces=faces)


def test_the_clip_is_read_from_the_name_so_that_a_split_does_not_part_its_frames(tmp_path):
    """Film, time of the clip, frame: names as the publishers give them, a film that is a number among them."""
    names = ("Hangover_005806334_00000019", "Hangover_005806334_00000036", "21_012239520_00000041", "montage")
    for folder in ("Train", "Val"):
        for label in sfew.CLASSES:
            for name in names:
                save(tmp_path / folder / label / f"{name}.png", face(1))
    samples = read("sfew", tmp_path, faces="original")[2]
    clips = {s.key.rpartition("/")[2]: (s.sequence, s.frame) for s in samples}
    assert clips == {
        names[0]: ("Hangover_005806334", 19),
        names[1]: ("Hangover_005806334", 36),
        names[2]: ("21_012239520", 41),
        "montage": (None, None),
    }


def test_test_pictures_are_unlabelled_and_strays_are_left_out(tmp_path):
    sfew.official(tmp_path)
    save(tmp_path / "SFEW_2/Val_Aligned_Faces/Bored/a.png", face(1))
    _, _, samples, skipped = read("sfew", tmp_path)
    assert {s.official_split for s in samples if s.native_label is None} == {"test"}
    assert {s.key: s.reason for s in skipped} == {
        "Train_Aligned_Faces/montage.png": "in no class folder",
        "Val_Aligned_Faces/Bored/a.png": "in a folder that is not a class",
    }


def test_the_same_name_twice_in_a_class_is_left_out_once(tmp_path):
    sfew.official(tmp_path)
    for suffix in ("png", "jpg"):
        save(tmp_path / f"SFEW_2/Val_Aligned_Faces/Sad/a.{suffix}", face(1))
    samples, skipped = read("sfew", tmp_path)[2:]
    assert [s.image for s in samples if s.key == "Val/Sad/a"] == ["Val_Aligned_Faces/Sad/a.jpg"]
    assert "Val_Aligned_Faces/Sad/a.png" in [s.key for s in skipped]


def test_the_tables_ids_are_not_trusted_and_its_words_are(tmp_path):
    sfew.table(tmp_path)
    path = tmp_path / "sfew_2.0_labels.csv"
    path.write_text(path.read_text().replace("image_000000.png,0,Angry", "image_000000.png,6,Angry"))
    assert read("sfew", tmp_path)[2][0].native_label == "Angry"


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("image_000001.png,0,Bored,Train_Aligned_Faces", UnknownLabel, "label 'Bored'"),
        ("image_000001.png,0,Sad,Dev", BrokenSource, "original_split 'Dev'"),
        ("image_000000.png,0,Sad,Train", BrokenSource, "second time"),
        ("a/b.png,0,Sad,Train", BrokenSource, "the name of a picture"),
    ],
)
def test_a_damaged_row_is_refused_with_its_line(tmp_path, line, error, said):
    sfew.table(tmp_path)
    path = tmp_path / "sfew_2.0_labels.csv"
    path.write_text("\n".join([*path.read_text().splitlines()[:2], line]))
    with pytest.raises(error, match=f"{path.name}:3: .*{said}"):
        read("sfew", tmp_path)


def test_a_picture_that_the_table_does_not_name_comes_unlabelled(tmp_path):
    sfew.table(tmp_path)
    assert [s.key for s in read("sfew", tmp_path)[2] if s.native_label is None] == ["unlisted/image_000099.png"]
