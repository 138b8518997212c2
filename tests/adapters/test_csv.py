"""A table of images: its separators, its columns, its labels, and paths that would lead out of the folder."""

import pytest

from ferdata.errors import BadOption, BrokenSource, NotThisDataset, UnknownLabel
from tests.adapters.test_contract import read
from tests.fakes import csv


def write(root, *lines, name="t.csv"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_seen_in_the_header(tmp_path, separator):
    write(tmp_path, separator.join(("image", "label", "note")), separator.join(("a.png", "happy", "x")))
    _, _, samples, _ = read("csv", tmp_path)
    assert [(s.image, s.native_label) for s in samples] == [("a.png", "happy")]


def test_an_image_that_comes_again_carries_its_line(tmp_path):
    csv.table(tmp_path)
    _, _, samples, _ = read("csv", tmp_path)
    assert samples[-1].key == "pics/0 a.png@7"
    assert samples[-1].image == "pics/0 a.png"


def test_columns_of_any_name_are_chosen_by_option(tmp_path):
    write(tmp_path, "who,pic,feels,part", "ann,1.png,Joy,Training", "bob,2.png,sad,dev", "ann,3.png,sad,")
    chosen = {"image_column": "pic", "label_column": "feels", "split_column": "part", "subject_column": "who"}
    layout, _, samples, _ = read("csv", tmp_path, **chosen, image_folder="faces")
    assert layout.labels == {"Joy": "happiness", "sad": "sadness"}
    assert [(s.image, s.subject, s.official_split) for s in samples] == [
        ("faces/1.png", "ann", "train"),
        ("faces/2.png", "bob", "val"),
        ("faces/3.png", "ann", None),
    ]


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "/etc/passwd", "a/../../b.png", "C:\\Windows\\a.png", "..\\a.png", "\\\\host\\a.png", "~/a"],
)
def test_a_path_that_leads_out_of_the_folder_is_refused_with_its_line(tmp_path, path):
    write(tmp_path, "image,label", "a.png,happy", f"{path},happy")
    with pytest.raises(BrokenSource, match=r"t\.csv:3: the image path .* leads outside the folder"):
        read("csv", tmp_path)


@pytest.mark.parametrize("path", ["", "a\0.png", "a\tb.png"])
def test_a_path_that_is_none_is_refused_with_its_line(tmp_path, path):
    write(tmp_path, "image,label", f"{path},happy")
    with pytest.raises(BrokenSource, match=r"t\.csv:2: "):
        read("csv", tmp_path)


def test_a_label_of_unknown_meaning_is_refused_with_its_line_and_count(tmp_path):
    write(tmp_path, "image,label", "a.png,happy", "b.png,7", "c.png,7")
    with pytest.raises(UnknownLabel, match=r"t\.csv:3: .*'7' \(2 rows\)"):
        read("csv", tmp_path)
    (tmp_path / "map.toml").write_text('[labels]\n7 = "contempt"\n')
    layout, _, _, _ = read("csv", tmp_path, labels=str(tmp_path / "map.toml"))
    assert layout.labels == {"7": "contempt", "happy": "happiness"}


def test_a_split_of_unknown_meaning_is_refused_with_its_line(tmp_path):
    write(tmp_path, "image,label,fold", "a.png,happy,3")
    with pytest.raises(BrokenSource, match=r"t\.csv:2: '3' in 'fold'"):
        read("csv", tmp_path, split_column="fold")


@pytest.mark.parametrize("row", ["a.png", "a.png,happy,1"])
def test_a_row_of_the_wrong_width_is_refused_with_its_line(tmp_path, row):
    write(tmp_path, "image,label", row)
    with pytest.raises(BrokenSource, match=r"t\.csv:2: . cells, expected 2"):
        read("csv", tmp_path)


def test_one_of_several_tables_must_be_chosen(tmp_path):
    write(tmp_path, "image,label", "a.png,happy", name="a.csv")
    write(tmp_path, "image,label", "b.png,happy", name="sub/b.csv")
    write(tmp_path, "image,label", "c.png,happy", name="c.csv")
    with pytest.raises(BadOption, match=r"2 tables: a\.csv, c\.csv"):
        read("csv", tmp_path)
    assert read("csv", tmp_path, table="sub/b.csv")[2][0].image == "b.png"
    for elsewhere in ("../a.csv", "/etc/passwd", "gone.csv"):
        with pytest.raises(BadOption):
            read("csv", tmp_path, table=elsewhere)


def test_columns_that_are_not_there_are_answered_with_those_that_are(tmp_path):
    write(tmp_path, "pic,feels", "a.png,happy")
    with pytest.raises(BadOption, match="it has pic, feels"):
        read("csv", tmp_path)
    with pytest.raises(BadOption, match="no column 'label'; it has pic, feels"):
        read("csv", tmp_path, image_column="pic", label_column="label")


def test_a_folder_without_a_table_is_refused(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(NotThisDataset, match=r"no \*\.csv"):
        read("csv", tmp_path)
