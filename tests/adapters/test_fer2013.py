"""FER2013: the table of pixels and its damage, and the folders of its repacks."""

from collections import Counter

import numpy as np
import pytest

from ferdata.errors import BrokenSource, UnknownLabel
from tests.adapters.test_contract import read
from tests.fakes import face, fer2013, pixels, save

GOOD = pixels(face(1))


def write(tmp_path, *lines, header="emotion,pixels,Usage"):
    (tmp_path / "fer2013.csv").write_text("\n".join([header, *lines]) + "\n")


def test_a_row_becomes_its_pixels_with_its_number_as_key(tmp_path):
    fer2013.table(tmp_path)
    _, _, samples, _ = read("fer2013", tmp_path)
    assert samples[12].key == "00012"
    assert np.array_equal(samples[12].image, face(12))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"0,{GOOD[:-1]}x,Training", "2: a pixel of"),
        (f"0,{GOOD.rsplit(' ', 1)[0]},Training", "2: 2,303 pixels, expected 2,304"),
        (f"0,{GOOD} 1,Training", "2: 2,305 pixels"),
        (f"0,{GOOD.rsplit(' ', 1)[0]} 256,Training", "2: a pixel of 256"),
        (f"0,{GOOD.rsplit(' ', 1)[0]} -1,Training", "2: a pixel of '-1'"),
        (f"0,{GOOD.rsplit(' ', 1)[0]} 1.5,Training", "2: a pixel of '1.5'"),
        (f"0,{GOOD[:3000]}", "2: 2 cells, expected 3"),
        (f"0,{GOOD},Trai", "2: Usage 'Trai'"),
        ("0,,Training", "2: 0 pixels"),
    ],
)
def test_a_damaged_row_is_refused_with_its_line(tmp_path, row, said):
    write(tmp_path, row)
    with pytest.raises(BrokenSource, match="fer2013.csv:" + said):
        read("fer2013", tmp_path)


@pytest.mark.parametrize("label", ["7", "", "-1", "happy"])
def test_a_label_of_seven_is_refused_with_its_line(tmp_path, label):
    write(tmp_path, f"3,{GOOD},Training", f"{label},{GOOD},Training")
    with pytest.raises(UnknownLabel, match=f"fer2013.csv:3: label '{label}'"):
        read("fer2013", tmp_path)


def test_a_table_without_its_header_is_refused(tmp_path):
    write(tmp_path, header=f"0,{GOOD},Training")
    with pytest.raises(BrokenSource, match=r"fer2013\.csv:1: no column 'pixels', 'emotion'"):
        read("fer2013", tmp_path)


def test_a_number_in_two_classes_is_two_images(tmp_path):
    fer2013.folders(tmp_path)
    _, _, samples, _ = read("fer2013", tmp_path)
    same = [s.key for s in samples if "52789098" in s.key]
    assert sorted(same) == ["neutral/Training_52789098", "surprise/Training_52789098"]


def test_the_prefix_tells_both_test_sets_apart_in_one_folder(tmp_path):
    fer2013.folders(tmp_path)
    _, _, samples, _ = read("fer2013", tmp_path)
    in_test = Counter(s.official_split for s in samples if s.image.startswith("test/"))
    assert in_test == {"val": 7, "test": 14}


def test_a_repack_in_three_folders_has_the_same_keys(tmp_path):
    save(tmp_path / "train" / "sad" / "Training_3.jpg", face(1))
    save(tmp_path / "validation" / "sad" / "PublicTest_4.jpg", face(2))
    _, _, samples, _ = read("fer2013", tmp_path)
    assert [(s.key, s.official_split) for s in samples] == [
        ("sad/Training_3", "train"),
        ("sad/PublicTest_4", "val"),
    ]


def test_augmented_copies_and_strangers_are_left_out_and_told_apart(tmp_path):
    fer2013.folders(tmp_path)
    save(tmp_path / "train" / "disgust" / "cat.jpg", face(3))
    assert [(s.key, s.reason) for s in read("fer2013", tmp_path)[3]] == [
        ("train/disgust/Training_1.jpg_4.jpg", "augmented copy"),
        ("train/disgust/cat.jpg", "not one of the challenge's names"),
    ]


def test_the_published_counts_add_up():
    from ferdata.adapters.fer2013 import SOURCE

    for layout in SOURCE.layouts:
        totals = {split: sum(counts.values()) for split, counts in layout.counts.items()}
        assert totals in (
            {"train": 28709, "val": 3589, "test": 3589},
            {"train": 28709},
        )
