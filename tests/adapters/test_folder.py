"""Class folders: everyday spellings, the user's own map, splits, and names that bite."""

import os
from collections import Counter

import pytest

from ferdata.errors import BadOption, NotThisDataset, UnknownLabel
from tests.adapters.test_contract import read
from tests.fakes import face, folder, save


def test_spellings_are_mapped_and_kept_verbatim(tmp_path):
    folder.folders(tmp_path)
    layout, _, samples, _ = read("folder", tmp_path)
    assert layout.labels == {"Happy": "happiness", "SAD": "sadness", "anger": "anger"}
    assert Counter(s.official_split for s in samples) == {"train": 18, "val": 18}


def test_folders_of_unknown_meaning_are_named_with_their_counts(tmp_path):
    for i, name in enumerate(("happy", "bored", "bored", "3")):
        save(tmp_path / name / f"{i}.png", face(i, 8))
    with pytest.raises(UnknownLabel, match=r"'3' \(1 images\), 'bored' \(2 images\)"):
        read("folder", tmp_path)


def test_the_users_own_map_goes_first(tmp_path):
    for i, name in enumerate(("3", "happy", "Bored")):
        save(tmp_path / "data" / name / f"{i}.png", face(i, 8))
    labels = tmp_path / "map.toml"
    labels.write_text('[labels]\n3 = "fear"\nbored = "other"\nhappy = "neutral"\n')
    layout, _, samples, _ = read("folder", tmp_path / "data", labels=str(labels))
    assert layout.labels == {"3": "fear", "Bored": "other", "happy": "neutral"}
    assert [s.native_label for s in samples] == ["3", "Bored", "happy"]


@pytest.mark.parametrize("text", ["", "labels = 3", "[labels", '[labels]\n"a" = "joyous"', "\xff"])
def test_a_map_that_is_none_is_refused(tmp_path, text):
    save(tmp_path / "data" / "happy" / "1.png", face(1, 8))
    (tmp_path / "map.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadOption, match=r"map\.toml"):
        read("folder", tmp_path / "data", labels=str(tmp_path / "map.toml"))
    with pytest.raises(BadOption, match="Cannot read the label map"):
        read("folder", tmp_path / "data", labels=str(tmp_path / "gone.toml"))


def test_images_above_the_class_folders_come_without_a_label(tmp_path):
    save(tmp_path / "happy" / "1.png", face(1, 8))
    save(tmp_path / "train" / "2.png", face(2, 8))
    save(tmp_path / "3.png", face(3, 8))
    _, _, samples, _ = read("folder", tmp_path)
    assert {s.key: (s.native_label, s.official_split) for s in samples} == {
        "happy/1.png": ("happy", None),
        "train/2.png": (None, "train"),
        "3.png": (None, None),
    }


def test_a_folder_without_class_folders_is_refused(tmp_path):
    save(tmp_path / "train" / "2.png", face(2, 8))
    with pytest.raises(NotThisDataset, match="1 images, but none in a class folder"):
        read("folder", tmp_path)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "happy").mkdir()
    with pytest.raises(NotThisDataset, match="no images"):
        read("folder", tmp_path)


def test_generated_images_are_marked(tmp_path):
    folder.folders(tmp_path)
    assert {s.synthetic for s in read("folder", tmp_path, synthetic="yes")[2]} == {True}
    assert {s.synthetic for s in read("folder", tmp_path)[2]} == {False}
    with pytest.raises(BadOption, match="--synthetic cannot be 'maybe'"):
        read("folder", tmp_path, synthetic="maybe")


def test_a_file_name_that_is_no_text_is_left_out_and_counted(tmp_path):
    save(tmp_path / "happy" / "1.png", face(1, 8))
    for name in (b"\xff\xfe.png", b"new\nline.png"):
        os.close(os.open(os.fsencode(tmp_path / "happy") + b"/" + name, os.O_CREAT))
    _, _, samples, skipped = read("folder", tmp_path)
    assert [s.key for s in samples] == ["happy/1.png"]
    assert len(skipped) == 2
    assert all(s.key.isascii() and s.key.isprintable() for s in skipped)


def test_linked_folders_are_read_and_a_link_to_a_parent_ends(tmp_path):
    save(tmp_path / "elsewhere" / "1.png", face(1, 8))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "happy").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "sad").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "elsewhere")
    _, _, samples, _ = read("folder", tmp_path / "data")
    assert [s.key for s in samples] == ["happy/1.png", "sad/1.png"]
