"""Class folders: everyday spellings, the user's own map, splits, and names that bite."""

import os
import unicodedata
from collections import Counter

import pytest

from ferdata.errors import BadOption, BrokenSource, NotThisDataset, UnknownLabel
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
    assert [s.reason for s in skipped] == ["a file name that is not valid text"] * 2


def test_linked_folders_are_read_and_a_link_to_a_parent_ends(tmp_path):
    save(tmp_path / "elsewhere" / "1.png", face(1, 8))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "happy").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "sad").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "elsewhere")
    _, _, samples, _ = read("folder", tmp_path / "data")
    assert [s.key for s in samples] == ["happy/1.png", "sad/1.png"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train_set", "train"), ("Training Data", "train"), ("fer_train", "train"), ("trainset", "train"),
        ("TrainImages", "train"), ("val_set", "val"), ("Validation_Images", "val"), ("public test", "val"),
        ("PublicTest", "val"), ("Private_Test", "test"), ("test_faces", "test"), ("fer2013-test", "test"),
    ],
)  # fmt: skip
def test_a_split_is_read_from_a_folder_in_everyday_words(tmp_path, name, split):
    save(tmp_path / name / "happy" / "1.png", face(1, 8))
    layout, _, samples, _ = read("folder", tmp_path)
    assert [(s.official_split, s.native_label) for s in samples] == [(split, "happy")]
    assert (f"{name} as {split}" in layout.note) == (name.casefold() != split)


@pytest.mark.parametrize("name", ["train_val", "test subject 3", "happy_test", "train_1", "Dev Patel"])
def test_a_folder_that_only_looks_like_a_split_is_none_and_is_named(tmp_path, name):
    save(tmp_path / name / "sad" / "1.png", face(1, 8))
    layout, _, samples, _ = read("folder", tmp_path)
    assert [(s.official_split, s.native_label) for s in samples] == [(None, "sad")]
    assert ("Not read as splits" in layout.note) == (name != "Dev Patel")
    assert name in layout.note or name == "Dev Patel"


def test_two_splits_above_one_image_are_refused_with_both(tmp_path):
    save(tmp_path / "train" / "sad" / "test" / "1.png", face(1, 8))
    with pytest.raises(BrokenSource, match=r"'train' \(train\) and 'test' \(test\)"):
        read("folder", tmp_path)


def test_two_folders_that_each_name_a_class_are_refused_with_both(tmp_path):
    for i, name in enumerate(("angry/Joy/1.png", "angry/Max/2.png", "sad/Joy/3.png")):
        save(tmp_path / "data" / name, face(i, 8))
    with pytest.raises(
        UnknownLabel,
        match=r"2 images .* two classes, the first angry/Joy/1\.png: 'angry' \(anger\) and 'Joy' \(happiness\)",
    ):
        read("folder", tmp_path / "data")
    (tmp_path / "map.toml").write_text('[labels]\nangry = "anger"\nsad = "sadness"\n')
    layout, _, samples, _ = read("folder", tmp_path / "data", labels=str(tmp_path / "map.toml"))
    assert [layout.labels[s.native_label] for s in samples] == ["anger", "anger", "sadness"]


def test_two_words_for_one_class_are_one(tmp_path):
    save(tmp_path / "happy" / "smile" / "1.png", face(1, 8))
    assert [s.native_label for s in read("folder", tmp_path)[2]] == ["smile"]


@pytest.mark.parametrize(("images", "labels"), [("{}/images", "{}/labels"), ("images/{}", "labels/{}")])
def test_a_tree_of_boxes_is_called_what_it_is(tmp_path, images, labels):
    for part in ("train", "valid", "test"):
        save(tmp_path / images.format(part) / "1.png", face(1, 8))
        (tmp_path / labels.format(part)).mkdir(parents=True)
        (tmp_path / labels.format(part) / "1.txt").write_text("5 0.499 0.499 0.999 0.999\n")
    with pytest.raises(NotThisDataset, match="YOLO") as caught:
        read("folder", tmp_path)
    assert "happiness" not in caught.value.hint
    assert "ferdata ingest detection" in caught.value.hint


def test_no_hint_says_what_a_folder_of_unknown_meaning_means(tmp_path):
    save(tmp_path / "images" / "1.png", face(1, 8))
    with pytest.raises(UnknownLabel) as caught:
        read("folder", tmp_path)
    assert '"images" = "happiness"' not in caught.value.hint


def test_many_folders_of_unknown_meaning_are_cut_with_the_number_of_the_others(tmp_path):
    for i in range(15):
        save(tmp_path / f"class {i:02}" / "1.png", face(i, 8))
    with pytest.raises(UnknownLabel, match="and 3 more"):
        read("folder", tmp_path)


def test_spellings_that_are_no_class_names_are_printed_with_their_class(tmp_path):
    for i, name in enumerate(("0_angry", "Suprise", "Happy_faces", "normal", "Traurig", "miedo", "Disgust")):
        save(tmp_path / name / "1.png", face(i, 8))
    layout, _, _, _ = read("folder", tmp_path)
    assert layout.labels["0_angry"] == "anger"
    told = "0_angry as anger, Happy_faces as happiness, miedo as fear, normal as neutral, Suprise as surprise"
    assert layout.note == f"Labels read by their spelling: {told}, Traurig as sadness."


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_folder_in_another_unicode_form_than_the_map_is_found(tmp_path, forms):
    on_disk, in_map = (unicodedata.normalize(form, "Wüt") for form in forms)
    save(tmp_path / "data" / on_disk / "1.png", face(1, 8))
    (tmp_path / "map.toml").write_text(f'[labels]\n"{in_map}" = "anger"\n', encoding="utf-8")
    layout, _, _, _ = read("folder", tmp_path / "data", labels=str(tmp_path / "map.toml"))
    assert layout.labels == {on_disk: "anger"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_map_is_read_as_windows_saves_it(tmp_path, encoding):
    save(tmp_path / "data" / "böse" / "1.png", face(1, 8))
    (tmp_path / "map.toml").write_bytes('[labels]\r\n"böse" = "anger"\r\n'.encode(encoding))
    assert read("folder", tmp_path / "data", labels=str(tmp_path / "map.toml"))[0].labels == {"böse": "anger"}
