"""RAF-DB: the official tree with its annotations, the repack with its tables, and where they contradict."""

import pytest

from ferdata.errors import BrokenSource, NotThisDataset, UnknownLabel
from tests.adapters.test_contract import read
from tests.fakes import face, rafdb, save

LIST = "basic/EmoLabel/list_patition_label.txt"


@pytest.mark.parametrize(("outer", "inside"), [(True, True), (True, False), (False, True)])
def test_the_repack_reads_the_same_wherever_its_tables_lie(tmp_path, outer, inside):
    rafdb.kaggle(tmp_path, outer, inside)
    _, _, samples, _ = read("rafdb", tmp_path)
    assert {(s.official_split, s.key, int(s.native_label)) for s in samples} == set(rafdb.names())


def test_both_forms_give_the_same_keys(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    rafdb.official(tmp_path / "a")
    rafdb.kaggle(tmp_path / "b")
    keys = [{(s.key, s.native_label) for s in read("rafdb", tmp_path / f)[2]} for f in ("a", "b")]
    assert keys[0] == keys[1]
    assert ("test_0001", "1") in keys[0]


def test_landmarks_and_boxes_are_given_for_the_original_image_only(tmp_path):
    rafdb.official(tmp_path)
    aligned = read("rafdb", tmp_path)[2][1]
    original = read("rafdb", tmp_path, faces="original")[2][1]
    assert (aligned.landmarks, aligned.face_box) == (None, None)
    assert original.landmarks == (10.5, 21, 11.5, 21, 12.5, 21, 13.5, 21, 14.5, 21)
    assert original.face_box == (11.5, 20, 80, 100)
    for sample in (aligned, original):
        assert (sample.gender, sample.ethnicity, sample.age) == ("female", "African-American", "4-19")
    assert (aligned.image, original.image) == (
        "Image/aligned/train_00002_aligned.jpg",
        "Image/original/train_00002.jpg",
    )


def test_a_folder_of_images_that_was_not_unpacked_is_named(tmp_path):
    rafdb.official(tmp_path)
    (tmp_path / "basic/Image/original").rename(tmp_path / "x")
    with pytest.raises(BrokenSource, match=r"original\.zip"):
        read("rafdb", tmp_path, faces="original")


def test_an_image_that_the_list_does_not_name_comes_unlabelled_and_a_missing_one_still_comes(tmp_path):
    rafdb.official(tmp_path)
    folder = tmp_path / "basic/Image/aligned"
    save(folder / "train_99999_aligned.jpg", face(1))
    (folder / "train_00003_aligned.jpg").unlink()
    _, base, samples, _ = read("rafdb", tmp_path)
    assert [s.key for s in samples if s.native_label is None] == ["unlisted/train_99999_aligned"]
    assert [s.key for s in samples if not (base / s.image).exists()] == ["train_00003"]


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("train_00002.jpg 8", UnknownLabel, "label '8'"),
        ("train_00002.jpg", BrokenSource, "an image name and a label belong"),
        ("val_00002.jpg 3", BrokenSource, "neither train_... nor test_..."),
        ("train_00001.jpg 3", BrokenSource, "second time"),
        ("train_/../../a.jpg 3", BrokenSource, "neither train_... nor test_..."),
    ],
)
def test_a_damaged_line_of_the_list_is_refused_with_its_number(tmp_path, line, error, said):
    rafdb.official(tmp_path)
    lines = (tmp_path / LIST).read_text().splitlines()
    (tmp_path / LIST).write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(error, match=f"list_patition_label.txt:2: .*{said}"):
        read("rafdb", tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2\n" * 5 + "0\n0\n", ":7: 7 lines where 8 belong"),
        ("1 2\n" * 5 + "3\n0\n0\n", ":6: '3', where a code from 0 to 2 belongs"),
        ("1 2\n" * 4 + "1\n0\n0\n0\n", ":5: 1 numbers where 2 belong"),
        ("1 x\n" + "1 2\n" * 4 + "0\n0\n0\n", ":1: '1 x', which are no numbers"),
    ],
)
def test_a_damaged_annotation_is_refused_with_its_line(tmp_path, text, said):
    rafdb.official(tmp_path)
    (tmp_path / "basic/Annotation/manual (1)/train_00001_manu_attri.txt").write_text(text)
    with pytest.raises(BrokenSource, match="train_00001_manu_attri.txt" + said):
        read("rafdb", tmp_path)


def test_a_table_that_contradicts_its_folder_is_refused_with_the_line(tmp_path):
    rafdb.kaggle(tmp_path)
    path = tmp_path / "DATASET/test_labels.csv"
    path.write_bytes(path.read_bytes().replace(b"test_0002_aligned.jpg,6", b"test_0002_aligned.jpg,5"))
    with pytest.raises(BrokenSource, match=r"test_labels.csv:3: label 5 for test_0002_aligned.jpg"):
        read("rafdb", tmp_path)


def test_an_image_without_a_line_in_the_table_is_refused(tmp_path):
    rafdb.kaggle(tmp_path)
    save(tmp_path / "DATASET/train/3/train_00001_aligned_flipped.jpg", face(1))
    with pytest.raises(BrokenSource, match="has no line in"):
        read("rafdb", tmp_path)


def test_a_line_without_its_image_comes_as_missing(tmp_path):
    rafdb.kaggle(tmp_path)
    (tmp_path / "DATASET/test/1/test_0001_aligned.jpg").unlink()
    _, base, samples, _ = read("rafdb", tmp_path)
    assert [s.key for s in samples if not (base / s.image).exists()] == ["test_0001"]


def test_the_compound_set_is_not_taken_for_the_basic_one(tmp_path):
    rafdb.official(tmp_path)
    (tmp_path / "basic").rename(tmp_path / "compound")
    with pytest.raises(NotThisDataset, match="compound"):
        read("rafdb", tmp_path)
    with pytest.raises(NotThisDataset, match="compound"):
        read("rafdb", tmp_path / "compound")


def test_the_published_counts_add_up():
    from ferdata.adapters.rafdb import SOURCE

    for layout in SOURCE.layouts:
        assert {s: sum(c.values()) for s, c in layout.counts.items()} == {"train": 12271, "test": 3068}
