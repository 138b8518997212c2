"""AffectNet: lists with and without a header, damaged records, npy without pickle, and class folders."""

import os
from collections import Counter

import numpy as np
import pytest

from ferdata.adapters.affectnet import SOURCE
from ferdata.errors import BadOption, BrokenSource, UnknownLabel
from tests.adapters.test_contract import read
from tests.fakes import affectnet, face, save

LISTS = "Manually_Annotated_file_lists"


def test_a_record_gives_box_points_and_affect(tmp_path):
    affectnet.csv(tmp_path)
    sample = read("affectnet", tmp_path)[2][1]
    assert sample.key == affectnet.name(1)
    assert sample.image == f"Manually_Annotated/Manually_Annotated_Images/{affectnet.name(1)}"
    assert (sample.native_label, sample.valence, sample.arousal) == ("1", -0.3, 0.05)
    assert sample.face_box == (20, 20, 137, 137)
    assert sample.landmarks[:4] == (10, 20, 10.25, 20.12)
    assert len(sample.landmarks) == 136


def test_the_three_other_answers_have_no_affect_and_no_face_has_no_box(tmp_path):
    affectnet.csv(tmp_path)
    layout, _, samples, _ = read("affectnet", tmp_path)
    reasons = {}
    for s in samples:
        if int(s.native_label) > 7:
            assert (s.valence, s.arousal) == (None, None)
            reasons[layout.labels[s.native_label]] = (s.face_box is None, s.landmarks is None)
    assert reasons == {"other": (False, False), "uncertain": (False, False), "not_a_face": (True, True)}


def test_images_unpacked_without_their_outer_folder_are_found(tmp_path):
    affectnet.csv(tmp_path)
    (tmp_path / "Manually_Annotated/Manually_Annotated_Images").rename(tmp_path / "Manually_Annotated_Images")
    _, base, samples, _ = read("affectnet", tmp_path)
    assert all((base / s.image).is_file() for s in samples)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1/a.jpg,20,20,137", "cells"),
        (f"{affectnet.record(70, 1)},more", "cells"),
        (affectnet.record(70, 1).replace("20,20,", "x,20,"), "not a number"),
        (affectnet.record(70, 1).replace("20,20,", "nan,20,"), "not a number"),
        (affectnet.record(70, 1).replace(",0.05", ",7.5"), "not a number"),
        (affectnet.record(70, 1).replace("2/", "../"), "name"),
        (affectnet.record(70, 1).replace("2/", "/2/"), "name"),
        (affectnet.record(70, 1).replace(".jpg", ""), "name"),
        (affectnet.record(70, 1).replace("2/", "2\\"), "name"),
        ('"\0,"', "cells"),
    ],
)
def test_a_damaged_record_is_left_out_with_its_line_and_the_rest_goes_on(tmp_path, line, reason):
    affectnet.csv(tmp_path)
    path = tmp_path / LISTS / "validation.csv"
    rest = path.read_text()
    before = len(read("affectnet", tmp_path)[2])
    path.write_text(f"{line}\n{rest}")
    _, _, samples, skipped = read("affectnet", tmp_path)
    assert len(samples) == before
    assert reason in next(s.reason for s in skipped if s.key == "validation.csv:1")


def test_a_record_without_landmarks_keeps_its_face(tmp_path):
    affectnet.csv(tmp_path)
    (tmp_path / LISTS / "validation.csv").write_text(affectnet.record(70, 1).replace(affectnet.POINTS, "1;2"))
    sample = next(s for s in read("affectnet", tmp_path)[2] if s.official_split == "val")
    assert (sample.landmarks, sample.native_label) == (None, "1")


def test_an_unknown_expression_is_refused_with_its_line(tmp_path):
    affectnet.csv(tmp_path)
    (tmp_path / LISTS / "validation.csv").write_text(affectnet.record(70, 11))
    with pytest.raises(UnknownLabel, match=r"validation.csv:1: label '11'"):
        read("affectnet", tmp_path)


def test_a_header_without_a_needed_column_is_refused(tmp_path):
    affectnet.csv(tmp_path)
    (tmp_path / LISTS / "validation.csv").write_text(affectnet.HEADER.replace(",arousal", "") + "\n")
    with pytest.raises(BrokenSource, match="no column arousal"):
        read("affectnet", tmp_path)


def test_automatically_annotated_pictures_come_on_demand_and_in_no_split(tmp_path):
    affectnet.csv(tmp_path)
    _, base, samples, _ = read("affectnet", tmp_path, automatic="yes")
    extra = [s for s in samples if s.official_split is None]
    assert [s.key for s in extra] == [affectnet.name(60)]
    assert (base / extra[0].image).is_file()


def test_the_automatic_list_that_is_not_there_is_named(tmp_path):
    affectnet.csv(tmp_path, automatic=False)
    with pytest.raises(BrokenSource, match=r"automatically_annotated\.csv"):
        read("affectnet", tmp_path, automatic="yes")


def test_npy_annotations_come_as_numbers_or_as_text(tmp_path):
    affectnet.npy(tmp_path)
    samples = {s.key: s for s in read("affectnet", tmp_path)[2]}
    for key, label in (("train/2", "2"), ("train/3", "3"), ("train/10", "2"), ("train/20", None)):
        assert samples[key].native_label == label
    assert {samples[k].valence for k in ("train/2", "train/3")} == {-0.25}
    assert [samples[k].arousal for k in ("train/2", "train/3")] == [0.5, None]
    assert samples["val/5"].landmarks == tuple(range(136))


def test_pictures_come_in_the_order_of_their_numbers(tmp_path):
    affectnet.npy(tmp_path)
    keys = [s.key for s in read("affectnet", tmp_path)[2] if s.official_split == "train"]
    assert keys == [f"train/{n}" for n in [*range(16), 20]]


def test_a_pickle_is_never_opened(tmp_path):
    affectnet.npy(tmp_path)
    skipped = read("affectnet", tmp_path)[3]
    assert [(s.key, s.reason) for s in skipped] == [("train/21", "annotations that cannot be read")]


@pytest.mark.parametrize("value", [np.array("happy"), np.array([1, 2]), np.float64(1.5)])
def test_a_label_that_is_no_number_is_left_out(tmp_path, value):
    affectnet.npy(tmp_path)
    np.save(tmp_path / "AffectNet/val_set/annotations/7_exp.npy", value)
    assert "val/7" in [s.key for s in read("affectnet", tmp_path)[3]]


@pytest.mark.parametrize("what", ["exp", "val", "aro", "lnd"])
@pytest.mark.parametrize("data", [b"", b"PK\3\4zip", b"\x93NUMPY\1\0v\0{'descr'", b"\x80\4pickle", "cut", "huge"])
def test_a_damaged_annotation_is_left_out_and_the_rest_goes_on(tmp_path, what, data):
    affectnet.npy(tmp_path)
    path = tmp_path / f"AffectNet/val_set/annotations/7_{what}.npy"
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }".ljust(117) + "\n"
    huge = b"\x93NUMPY\1\0\x76\0" + text.encode()
    path.write_bytes({"cut": path.read_bytes()[:-3], "huge": huge}.get(data, data))
    _, _, samples, skipped = read("affectnet", tmp_path)
    assert "val/7" in [s.key for s in skipped]
    assert "val/8" in [s.key for s in samples]


def test_a_label_of_another_release_is_refused(tmp_path):
    affectnet.npy(tmp_path)
    np.save(tmp_path / "AffectNet/val_set/annotations/7_exp.npy", np.int64(12))
    with pytest.raises(UnknownLabel, match="'12'"):
        read("affectnet", tmp_path)


def test_annotations_without_their_picture_come_as_missing(tmp_path):
    affectnet.npy(tmp_path)
    (tmp_path / "AffectNet/val_set/images/7.jpg").unlink()
    _, base, samples, _ = read("affectnet", tmp_path)
    assert [s.key for s in samples if not (base / s.image).exists()] == ["val/7"]


def test_a_class_folder_of_unknown_meaning_is_refused_by_name(tmp_path):
    affectnet.folders(tmp_path)
    save(tmp_path / "archive/Train/bored/a.jpg", face(1))
    with pytest.raises(UnknownLabel, match="'bored'"):
        read("affectnet", tmp_path)


def test_numbered_folders_follow_the_ids_and_the_note_warns_of_the_alphabet(tmp_path):
    affectnet.numbered(tmp_path)
    layout = read("affectnet", tmp_path)[0]
    assert (layout.labels["0"], layout.labels["7"]) == ("neutral", "contempt")
    assert "alphabet" in layout.note
    save(tmp_path / "train/11/a.jpg", face(1))
    with pytest.raises(UnknownLabel, match="11 is a class folder of unknown meaning"):
        read("affectnet", tmp_path)


def test_a_table_that_contradicts_the_folders_is_refused_with_the_number_of_rows_and_the_way_to_choose(tmp_path):
    affectnet.mirror(tmp_path)
    said = r"labels.csv:4: label surprise for Train/anger/image0000001.jpg, .* folder anger\. .*on 6 of 18 rows"
    with pytest.raises(BrokenSource, match=said) as caught:
        read("affectnet", tmp_path)
    assert "--labels-from table or --labels-from folders" in caught.value.hint


def test_a_mirror_without_splits_is_stopped_by_its_table_too(tmp_path):
    affectnet.flat(tmp_path)
    layout, base, samples, _ = read("affectnet", tmp_path)
    assert (layout.name, base.name) == ("flat", "archive")
    assert {s.official_split for s in samples} == {None}
    assert "labels.csv labels 16 of 16 pictures, as their folders do" in layout.note
    table = base / "labels.csv"
    table.write_text(table.read_text().replace("image0000001.jpg,anger", "image0000001.jpg,surprise"))
    with pytest.raises(BrokenSource, match=r"labels.csv:3: label surprise for anger/image0000001.jpg.*on 1 of 16 rows"):
        read("affectnet", tmp_path)


def test_the_labels_are_the_folders_where_that_is_asked_for(tmp_path):
    affectnet.mirror(tmp_path)
    layout, _, samples, skipped = read("affectnet", tmp_path, labels_from="folders")
    assert Counter(layout.labels[s.native_label] for s in samples) == {"anger": 12, "happiness": 8, "contempt": 4}
    assert skipped == []
    assert "labels.csv labels 16 of 24 pictures, whose labels are not used" in layout.note


def test_the_labels_are_the_tables_where_that_is_asked_for_and_a_line_that_fits_two_pictures_labels_neither(tmp_path):
    affectnet.mirror(tmp_path)
    layout, _, samples, skipped = read("affectnet", tmp_path, labels_from="table")
    labels = {s.key: s.native_label and layout.labels[s.native_label] for s in samples}
    assert len(labels) == 24
    assert [labels[f"Train/anger/image000000{i}.jpg"] for i in range(8)] == [*["anger", "surprise"] * 3, None, None]
    assert [labels[f"Test/Anger/image000000{i}.jpg"] for i in range(6, 10)] == [None, None, "surprise", "surprise"]
    assert labels["Train/happy/image0000020.jpg"] == "happiness"
    assert labels["Train/contempt/image0000060.jpg"] is None
    assert [s.key for s in skipped] == ["labels.csv:20", "labels.csv:21"]
    assert "4 have none because their line fits several pictures" in layout.note


def test_a_table_that_says_what_the_folders_say_is_no_question(tmp_path):
    affectnet.mirror(tmp_path)
    path = tmp_path / "labels.csv"
    path.write_text(path.read_text().replace("surprise", "Anger"))
    layout, _, samples, skipped = read("affectnet", tmp_path)
    assert (len(samples), skipped) == (24, [])
    assert "labels.csv labels 16 of 24 pictures, as their folders do" in layout.note


def test_a_table_of_words_beside_numbered_folders_shows_that_the_alphabet_numbered_them(tmp_path):
    affectnet.numbered(tmp_path)
    (tmp_path / "labels.csv").write_text("pth,label\n0/ffhq_0_0.png,anger\n")
    (tmp_path / "val" / "0" / "ffhq_0_0.png").unlink()
    with pytest.raises(BrokenSource, match="on 1 of 1 rows"):
        read("affectnet", tmp_path)
    assert read("affectnet", tmp_path, labels_from="table")[0].labels == {"anger": "anger"}


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (
            "pth,label\nanger/image0000001.jpg,bored\n",
            UnknownLabel,
            "labels.csv has labels of unknown meaning: 'bored'",
        ),
        ("pth,label\na/1.jpg,anger\na/1.jpg,happy\n", BrokenSource, "labels.csv:3: a/1.jpg for the second time"),
        ("name,class\n1.jpg,anger\n", BadOption, "no table beside class folders"),
    ],
)
def test_a_table_that_cannot_be_followed_is_refused(tmp_path, text, error, said):
    affectnet.mirror(tmp_path)
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(error, match=said):
        read("affectnet", tmp_path, labels_from="table")


def test_labels_that_do_not_count_need_not_be_known(tmp_path):
    affectnet.mirror(tmp_path)
    path = tmp_path / "labels.csv"
    path.write_text(path.read_text().replace("surprise", "bored"))
    assert set(read("affectnet", tmp_path, labels_from="folders")[0].labels.values()) == {
        "anger",
        "contempt",
        "happiness",
    }
    path.write_text(path.read_text().replace("bored", "sad"))
    save(tmp_path / "Train" / "bored" / "a.jpg", face(1))
    assert set(read("affectnet", tmp_path, labels_from="table")[0].labels.values()) == {
        "anger",
        "happiness",
        "sadness",
    }


def test_a_table_with_other_columns_is_said_not_to_be_read(tmp_path):
    affectnet.folders(tmp_path)
    (tmp_path / "archive" / "labels.csv").write_text("name,class\n1.jpg,anger\n")
    assert "labels.csv is not read" in read("affectnet", tmp_path)[0].note


def test_whose_labels_count_is_no_question_where_there_is_no_table(tmp_path):
    for layout, write in affectnet.LAYOUTS.items():
        if layout == "flat":  # it has one
            continue
        (tmp_path / layout).mkdir()
        write(tmp_path / layout)
        with pytest.raises(BadOption, match="no table beside class folders"):
            read("affectnet", tmp_path / layout, labels_from="table")


def test_the_published_counts_add_up():
    totals = {layout.name: {s: sum(c.values()) for s, c in layout.counts.items()} for layout in SOURCE.layouts}
    assert totals["npy"] == {"train": 287_651, "val": 3_999}
    assert totals["csv"] == {"train": 283_901, "val": 3_500}


def test_a_list_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    affectnet.csv(tmp_path)
    locked, real = tmp_path / LISTS / "validation.csv", os.open

    def refuse(path, *args, **options):
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **options)

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(BrokenSource, match=f"{locked.name}: Permission denied"):
        read("affectnet", tmp_path)
