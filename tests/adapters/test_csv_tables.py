"""Several tables, one for each split; splits by a table's name, by the folders in its paths, or as stated."""

import pytest

from ferdata.errors import BadOption, BrokenSource, NotThisDataset
from tests.adapters.test_contract import read
from tests.adapters.test_csv import write
from tests.fakes import face, save


def splits(samples):
    return {s.image: s.official_split for s in samples}


def test_a_table_per_split_beside_the_images_is_one_dataset(tmp_path):
    for part in ("train", "test"):
        write(
            tmp_path, "image_name,emotion_label", f"{part}/0.jpg,sad", f"{part}/1.jpg,happy", name=f"{part}_labels.csv"
        )
    layout, _, samples, _ = read("csv", tmp_path)
    assert splits(samples) == {
        "train/0.jpg": "train",
        "train/1.jpg": "train",
        "test/0.jpg": "test",
        "test/1.jpg": "test",
    }
    assert "test_labels.csv as test" in layout.note
    assert "train_labels.csv as train" in layout.note


def test_a_table_in_each_splits_folder_is_one_dataset_and_its_paths_start_beside_it(tmp_path):
    for part in ("train", "valid", "test"):
        save(tmp_path / part / "0.png", face(len(part), 8))
        write(tmp_path / part, "file_name,label", "0.png,sad", name="metadata.csv")
    layout, _, samples, _ = read("csv", tmp_path)
    assert splits(samples) == {"train/0.png": "train", "valid/0.png": "val", "test/0.png": "test"}
    assert len({s.key for s in samples}) == 3
    assert "paths start at the table's own folder" in layout.note


def test_the_split_of_a_table_can_be_stated(tmp_path):
    write(tmp_path, "path,label", "a.png,sad", name="one.csv")
    write(tmp_path, "path,label", "b.png,sad", name="two.csv")
    _, _, samples, _ = read("csv", tmp_path, table="train=one.csv,test=two.csv")
    assert splits(samples) == {"a.png": "train", "b.png": "test"}
    assert splits(read("csv", tmp_path, table="val=two.csv")[2]) == {"b.png": "val"}
    with pytest.raises(BadOption, match="'tset' is not a split"):
        read("csv", tmp_path, table="tset=two.csv")


def test_a_stated_split_decides_over_a_column_a_name_and_a_folder(tmp_path):
    write(tmp_path, "path,label,split", "test/b.png,sad,train", name="val.csv")
    assert splits(read("csv", tmp_path, table="test=val.csv")[2]) == {"test/b.png": "test"}
    assert splits(read("csv", tmp_path, table="none=val.csv")[2]) == {"test/b.png": None}
    assert splits(read("csv", tmp_path)[2]) == {"test/b.png": "train"}


def test_a_split_in_the_paths_is_read_as_it_is_of_folders(tmp_path):
    write(tmp_path, "path,label", "train_set/a.png,sad", "fer_test/x/b.png,sad", "c.png,happy")
    layout, _, samples, _ = read("csv", tmp_path)
    assert splits(samples) == {"train_set/a.png": "train", "fer_test/x/b.png": "test", "c.png": None}
    assert "fer_test as test, train_set as train" in layout.note


def test_two_splits_of_one_row_are_refused_with_both(tmp_path):
    write(tmp_path, "path,label", "train/a.png,sad", "train/b.png,sad", name="test.csv")
    with pytest.raises(BrokenSource, match=r"test\.csv:2: .*'test\.csv' \(test\).*'train' \(train\)") as caught:
        read("csv", tmp_path)
    assert "--table test=test.csv" in caught.value.hint


def test_tables_whose_names_say_no_split_must_be_chosen(tmp_path):
    write(tmp_path, "path,label", "a.png,sad", name="train.csv")
    write(tmp_path, "path,label", "b.png,sad", name="other.csv")
    with pytest.raises(BadOption, match=r"2 tables: other\.csv, train\.csv") as caught:
        read("csv", tmp_path)
    assert "--table train=" in caught.value.hint


def test_a_split_without_a_label_column_is_named(tmp_path):
    write(tmp_path, "path,label", "a.png,sad", name="train.csv")
    write(tmp_path, "path", "b.png", name="test.csv")
    with pytest.raises(BadOption, match=r"test\.csv is called label"):
        read("csv", tmp_path)
    assert len(read("csv", tmp_path, table="train.csv")[2]) == 1


def test_a_picture_of_two_tables_keeps_two_keys(tmp_path):
    write(tmp_path, "path,label", "a.png,sad", name="one.csv")
    write(tmp_path, "path,label", "a.png,sad", name="two.csv")
    _, _, samples, _ = read("csv", tmp_path, table="one.csv,two.csv")
    assert [s.key for s in samples] == ["a.png", "a.png@two.csv:2"]


def test_a_table_in_the_one_folder_that_an_archive_was_unpacked_into_is_found(tmp_path):
    for name in ("labels.csv", "train/metadata.csv"):
        inner = tmp_path / name[0] / "set" / "inner"
        save(inner / name.rpartition("/")[0] / "a.png", face(1, 8))
        write(inner, "path,label", "a.png,sad", name=name)
    assert [s.image for s in read("csv", tmp_path / "l")[2]] == ["set/inner/a.png"]
    assert splits(read("csv", tmp_path / "t")[2]) == {"set/inner/train/a.png": "train"}


def test_a_table_further_below_is_named(tmp_path):
    write(tmp_path / "lists", "path,label", "a.png,sad", name="all.csv")
    save(tmp_path / "a.png", face(1, 8))
    with pytest.raises(NotThisDataset, match=r"no \*\.csv or \*\.tsv in") as caught:
        read("csv", tmp_path)
    assert "--table lists/all.csv" in caught.value.hint


def test_parquet_is_called_what_it_is(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"PAR1\x15\x04\x15\x10PAR1")
    with pytest.raises(BrokenSource, match=r"t\.csv is a Parquet file") as caught:
        read("csv", tmp_path)
    assert "to_csv" in caught.value.hint
    (tmp_path / "t.csv").rename(tmp_path / "train-00000.parquet")
    with pytest.raises(NotThisDataset, match=r"train-00000\.parquet"):
        read("csv", tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252", "utf-8-sig"])
def test_a_table_is_read_in_the_encodings_that_windows_saves(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes("path;label;person\r\na.png;überrascht;José\r\n".encode(encoding))
    layout, _, samples, _ = read("csv", tmp_path)
    assert [(s.native_label, s.subject) for s in samples] == [("überrascht", "José")]
    assert layout.labels == {"überrascht": "surprise"}
    assert ("Windows-1252" in layout.note) == (encoding == "cp1252")
