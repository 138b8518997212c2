"""Which column of a table is what: usual names, what is nearly one, tables without a header, cells of pandas."""

import pytest

from ferdata.errors import BadOption, BrokenSource, UnknownLabel
from tests.adapters.test_contract import read
from tests.adapters.test_csv import write


@pytest.mark.parametrize("name", ["split", "Subset", "fold", "Usage", "partition", "data_split", "set"])
def test_a_split_column_of_a_usual_name_is_read_and_told(tmp_path, name):
    write(
        tmp_path, f"path,label,{name}", "a.png,happy,Training", "b.png,sad,PublicTest", "c.png,sad,test", "d.png,sad,"
    )
    layout, _, samples, _ = read("csv", tmp_path)
    assert [s.official_split for s in samples] == ["train", "val", "test", None]
    assert f"splits in '{name}'" in layout.note


@pytest.mark.parametrize("name", ["person", "subject", "Subject ID", "participant"])
def test_a_column_of_people_is_read_and_told(tmp_path, name):
    write(tmp_path, f"path,label,{name}", "a.png,happy,ann", "b.png,sad,bob")
    layout, _, samples, _ = read("csv", tmp_path)
    assert [s.subject for s in samples] == ["ann", "bob"]
    assert f"subjects in '{name}'" in layout.note


def test_a_column_of_clips_is_read_and_told(tmp_path):
    write(tmp_path, "path,label,clip,take", "a.png,happy,c1,t1", "b.png,sad,c1,t2")
    layout, _, samples, _ = read("csv", tmp_path)
    assert [s.sequence for s in samples] == ["c1", "c1"]
    assert "clips in 'clip'" in layout.note
    assert [s.sequence for s in read("csv", tmp_path, clip_column="take")[2]] == ["t1", "t2"]


@pytest.mark.parametrize(
    ("image", "label"), [("pth", "labels"), ("image_name", "emotion_label"), ("img_path", "Class Name")]
)
def test_image_and_label_columns_have_usual_names(tmp_path, image, label):
    write(tmp_path, f"{image},{label}", "a.png,happy")
    layout, _, samples, _ = read("csv", tmp_path)
    assert [(s.image, s.native_label) for s in samples] == [("a.png", "happy")]
    assert f"images in '{image}', labels in '{label}'" in layout.note


def test_columns_that_were_not_used_are_named(tmp_path):
    write(tmp_path, ",pth,label,emotion,relFCs", "0,a.png,happy,sad,0.8")
    layout, _, samples, _ = read("csv", tmp_path)
    assert samples[0].native_label == "happy"
    assert "Not used: 'emotion', 'relFCs'" in layout.note


def test_a_fold_of_numbers_is_no_split_and_is_told(tmp_path):
    write(tmp_path, "path,label,fold", "a.png,happy,0", "b.png,sad,1")
    layout, _, samples, _ = read("csv", tmp_path)
    assert {s.official_split for s in samples} == {None}
    assert "'fold' (holds '0', which is not a split)" in layout.note


def test_a_split_column_with_one_strange_word_is_refused_with_its_line(tmp_path):
    write(tmp_path, "path,label,split", "a.png,happy,train", "b.png,sad,tset")
    with pytest.raises(BrokenSource, match=r"t\.csv:3: 'tset' in 'split'") as caught:
        read("csv", tmp_path)
    assert "--split-column none" in caught.value.hint
    assert {s.official_split for s in read("csv", tmp_path, split_column="none")[2]} == {None}


def test_a_second_split_column_is_named_as_not_used(tmp_path):
    write(tmp_path, "path,label,split,fold", "a.png,happy,train,test")
    layout, _, samples, _ = read("csv", tmp_path)
    assert samples[0].official_split == "train"
    assert "Not used: 'fold'" in layout.note


@pytest.mark.parametrize("header", ["x,y,w,h", "left,top,width,height"])
def test_four_columns_of_a_box_are_read(tmp_path, header):
    write(tmp_path, f"path,label,{header}", "a.png,happy,10,20,30.0,40", "a.png,sad,50,20,30,40", "b.png,sad,nan,,,")
    layout, _, samples, _ = read("csv", tmp_path)
    assert [s.face_box for s in samples] == [(10, 20, 30, 40), (50, 20, 30, 40), None]
    assert "boxes in" in layout.note


@pytest.mark.parametrize("header", ["xmin,ymin,xmax,ymax", "x1,y1,x2,y2", "left,top,right,bottom"])
def test_four_columns_of_corners_become_a_box(tmp_path, header):
    write(tmp_path, f"path,label,{header}", "a.png,happy,10,20,40,60")
    assert read("csv", tmp_path)[2][0].face_box == (10, 20, 30, 40)


def test_shares_of_the_picture_are_no_box_in_pixels_and_are_told(tmp_path):
    write(tmp_path, "path,label,x,y,w,h", "a.png,happy,0.5,0.5,0.9,0.9")
    layout, _, samples, _ = read("csv", tmp_path)
    assert samples[0].face_box is None
    assert "Not used: 'x', 'y', 'w', 'h' (no boxes in pixels" in layout.note


@pytest.mark.parametrize("cell", ['"[10, 20, 30, 40]"', "10 20 30 40", '"(10,20,30,40)"'])
def test_one_box_column_is_read_when_it_is_named_and_told_when_it_is_not(tmp_path, cell):
    write(tmp_path, "path,label,bbox", f"a.png,happy,{cell}")
    layout, _, samples, _ = read("csv", tmp_path)
    assert samples[0].face_box is None
    assert "Not used: 'bbox'" in layout.note
    assert read("csv", tmp_path, box_column="bbox")[2][0].face_box == (10, 20, 30, 40)


@pytest.mark.parametrize("cell", ["1 2 3", "1 2 0 4", "a b c d", "0.1 0.2 0.3 0.4"])
def test_a_box_that_is_none_is_refused_with_its_line(tmp_path, cell):
    write(tmp_path, "path,label,bbox", f"a.png,happy,{cell}")
    with pytest.raises(BrokenSource, match=r"t\.csv:2: .*x, y, width and height in pixels"):
        read("csv", tmp_path, box_column="bbox")


def test_rows_in_a_folder_of_another_split_than_their_column_says_are_counted(tmp_path):
    write(tmp_path, "path,label,split", "train/a.png,happy,val", "train/b.png,sad,train", "c.png,sad,test")
    layout, _, samples, _ = read("csv", tmp_path)
    assert [s.official_split for s in samples] == ["val", "train", "test"]
    assert "1 rows are in a folder of another split; 'split' is used" in layout.note


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "", "<NA>", " ", "null"])
def test_a_missing_person_clip_or_label_is_nobody_and_none(tmp_path, word):
    write(tmp_path, "path,label,subject,clip,split", f"a.png,{word},{word},{word},{word}", "b.png,happy,ann,c,train")
    _, _, samples, _ = read("csv", tmp_path)
    first = samples[0]
    assert (first.native_label, first.subject, first.sequence, first.official_split) == (None, None, None, None)
    assert samples[1].subject == "ann"


def test_initials_are_a_person(tmp_path):
    write(tmp_path, "path,label,subject", "a.png,happy,NA")
    assert read("csv", tmp_path)[2][0].subject == "NA"


def test_a_number_that_pandas_made_a_fraction_is_the_number(tmp_path):
    write(tmp_path, "path,label,subject", "a.png,3.0,12.0", "b.png,3,12", "c.png,4.5,1")
    (tmp_path / "map.toml").write_text('[labels]\n3 = "fear"\n"4.5" = "other"\n')
    layout, _, samples, _ = read("csv", tmp_path, labels=str(tmp_path / "map.toml"))
    assert [s.native_label for s in samples] == ["3", "3", "4.5"]
    assert [s.subject for s in samples] == ["12", "12", "1"]
    assert layout.labels == {"3": "fear", "4.5": "other"}


def test_none_is_a_class_where_the_users_own_map_says_so(tmp_path):
    write(tmp_path, "path,label", "a.png,None", "b.png,happy")
    (tmp_path / "map.toml").write_text('[labels]\nnone = "neutral"\n')
    layout, _, samples, _ = read("csv", tmp_path, labels=str(tmp_path / "map.toml"))
    assert [layout.labels[s.native_label] for s in samples] == ["neutral", "happiness"]


def test_a_table_without_a_header_is_read_where_its_columns_are_unmistakable(tmp_path):
    write(tmp_path, "0,imgs/a.jpg,happy", "1,imgs/b.jpg,sad")
    layout, _, samples, _ = read("csv", tmp_path)
    assert [(s.image, s.native_label) for s in samples] == [("imgs/a.jpg", "happy"), ("imgs/b.jpg", "sad")]
    assert "no header line: images in column 1, labels in column 2" in layout.note


def test_a_table_without_a_header_is_read_by_number(tmp_path):
    write(tmp_path, "happy,imgs/a.jpg,sad,train", "sad,imgs/b.jpg,sad,test")
    with pytest.raises(BadOption, match=r"no header line.*0 'happy', 1 'imgs/a\.jpg', 2 'sad', 3 'train'") as caught:
        read("csv", tmp_path)
    assert "--label-column" in caught.value.hint
    _, _, samples, _ = read("csv", tmp_path, label_column="0", split_column="3")
    assert [(s.image, s.native_label, s.official_split) for s in samples] == [
        ("imgs/a.jpg", "happy", "train"),
        ("imgs/b.jpg", "sad", "test"),
    ]


@pytest.mark.parametrize(("first", "second"), [("a,happy", "b,sad"), ("a,3", "b,4")])
def test_a_first_line_with_a_label_is_no_header_though_its_path_has_no_ending(tmp_path, first, second):
    write(tmp_path, first, second)
    (tmp_path / "map.toml").write_text('[labels]\n3 = "fear"\n4 = "anger"\n')
    given = {"image_column": "0", "label_column": "1", "labels": str(tmp_path / "map.toml")}
    assert [s.image for s in read("csv", tmp_path, **given)[2]] == ["a", "b"]


def test_a_column_of_a_table_with_a_header_may_be_given_by_number(tmp_path):
    write(tmp_path, "pic,feels", "a.png,happy")
    assert read("csv", tmp_path, image_column="0", label_column="1")[2][0].native_label == "happy"
    with pytest.raises(BadOption, match="no column '2'; it has pic, feels"):
        read("csv", tmp_path, image_column="2", label_column="1")


def test_a_column_name_that_occurs_twice_is_refused_and_its_number_asked_for(tmp_path):
    write(tmp_path, "path,label,label", "a.png,happy,sad")
    with pytest.raises(BadOption, match="2 columns are called 'label'"):
        read("csv", tmp_path)
    assert read("csv", tmp_path, label_column="2")[2][0].native_label == "sad"


def test_labels_of_unknown_meaning_point_to_other_columns_that_may_hold_them(tmp_path):
    write(tmp_path, "path,label,emotion", "a.png,3,happy")
    with pytest.raises(UnknownLabel) as caught:
        read("csv", tmp_path)
    assert "--label-column emotion" in caught.value.hint
    assert '"3" = "happiness"' not in caught.value.hint


def test_what_was_not_literally_a_class_is_printed_with_its_class(tmp_path):
    write(tmp_path, "path,label", "a.png,Suprise", "b.png,anger", "c.png,0_sad")
    layout, _, _, _ = read("csv", tmp_path)
    assert "0_sad as sadness, Suprise as surprise" in layout.note
    assert "anger is" not in layout.note
