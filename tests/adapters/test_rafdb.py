"""RAF-DB: the official tree with its annotations, the repack with its tables, and where they contradict."""

import shutil

import pytest

from ferdata.errors import BadOption, BrokenSource, UnknownLabel
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from tests.adapters.test_contract import left_out_alone, read
from tests.fakes import face, rafdb, save

LIST = "basic/EmoLabel/list_patition_label.txt"


@pytest.mark.parametrize(("outer", "inside"), [(True, True), (True, False), (False, True)])
def test_the_repack_reads_the_same_wherever_its_tables_lie(tmp_path, outer, inside):
    rafdb.kaggle(tmp_path, outer, inside)
    _, _, samples, _ = read("rafdb", tmp_path)
    assert {(s.official_split, s.key, int(s.native_label)) for s in samples} == set(rafdb.names())


@pytest.mark.parametrize("unknown_labels", ["refuse", "keep"])
def test_folders_that_somebody_numbered_from_zero_are_refused_whatever_is_asked_for(tmp_path, unknown_labels):
    """Of 0 to 6 the six from 1 on would each be read as the class before; a public copy has them."""
    rafdb.kaggle(tmp_path)
    for table in (tmp_path / "DATASET").glob("*.csv"):
        table.unlink()
    for split in rafdb.SPLITS:
        for code in range(1, 8):
            (tmp_path / "DATASET" / split / str(code)).rename(tmp_path / "DATASET" / split / str(code - 1))
    with pytest.raises(UnknownLabel, match="'0': 4 rows, first") as caught:
        ingest("rafdb", root=tmp_path, out=tmp_path / "m.parquet", unknown_labels=unknown_labels)
    assert "--unknown-labels keep" not in caught.value.hint
    assert not (tmp_path / "m.parquet").exists()


@pytest.mark.parametrize("shorter", [0, 1])
def test_the_compound_set_is_told_by_its_list_whatever_its_folder_is_called(tmp_path, shorter):
    """Its codes go to 11, and its names are train_0001 and test_001; either is enough."""
    rafdb.compound(tmp_path / "data", shorter)
    (tmp_path / "data" / "RAF" / "compound").rename(tmp_path / "data" / "RAF" / "second")
    path = tmp_path / "data" / "RAF" / "second" / "EmoLabel" / "list_patition_label.txt"
    if shorter:  # as in a part of the set
        path.write_text(
            "".join(f"{line.split()[0]} {1 + i % 3}\n" for i, line in enumerate(path.read_text().splitlines()))
        )
    done = ingest("rafdb", root=tmp_path / "data", out=tmp_path / "m.parquet", unknown_labels="keep")
    assert (done.release, done.labelled, dict(done.unlabelled)) == ("official-compound", 0, {"compound": 28})
    assert done.strange_count == (0 if shorter else 28)
    first = Manifest(done.out).table("sample_id", "compound_label").to_pylist()[0]
    assert first == {"sample_id": f"rafdb:compound/train_{1:0{5 - shorter}d}", "compound_label": "happily surprised"}


@pytest.mark.parametrize("subset", ["basic", "compound"])
def test_a_set_in_the_other_ones_folder_is_refused(tmp_path, subset):
    rafdb.both(tmp_path)
    other = tmp_path / "RAF" / ("compound" if subset == "basic" else "basic")
    shutil.rmtree(tmp_path / "RAF" / subset)
    shutil.copytree(other, tmp_path / "RAF" / subset)
    with pytest.raises(BrokenSource, match=f"is the list of the {other.name} set"):
        read("rafdb", tmp_path, subset=subset)
    shutil.rmtree(other)
    with pytest.raises(BrokenSource, match=f"is the list of the {other.name} set"):
        read("rafdb", tmp_path)


@pytest.mark.parametrize("code", ["0", "12"])
def test_a_compound_code_that_is_none_is_refused_whatever_is_asked_for(tmp_path, code):
    """As with the basic codes: who begins at 0 has moved them all."""
    rafdb.compound(tmp_path)
    path = tmp_path / "RAF" / "compound" / "EmoLabel" / "list_patition_label.txt"
    path.write_text(path.read_text().replace("train_0002.jpg 2", f"train_0002.jpg {code}"))
    for unknown_labels in ("refuse", "keep"):
        with pytest.raises(UnknownLabel, match=f"list_patition_label.txt:2: label 'compound {code}'"):
            ingest("rafdb", root=tmp_path, out=tmp_path / "m.parquet", unknown_labels=unknown_labels)


@pytest.mark.parametrize("names", ["basic", "compound", "both"])
def test_no_published_name_is_called_strange(tmp_path, names):
    rafdb.both(tmp_path / "data")
    done = ingest("rafdb", root=tmp_path / "data", out=tmp_path / "m.parquet", subset=names)
    assert done.strange == ()


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
        ("train_00002.jpg", BrokenSource, "expected an image name and a label"),
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
        ("1 2\n" * 5 + "0\n0\n", ":7: 7 lines, expected 8"),
        ("1 2\n" * 5 + "3\n0\n0\n", ":6: '3', expected a code from 0 to 2"),
        ("1 2\n" * 4 + "1\n0\n0\n0\n", ":5: 1 numbers, expected 2"),
        ("1 nan\n" + "1 2\n" * 4 + "0\n0\n0\n", ":1: numbers that are not finite"),
        ("1 x\n" + "1 2\n" * 4 + "0\n0\n0\n", ":1: '1 x', which are not numbers"),
    ],
)
def test_a_damaged_annotation_costs_its_own_picture_which_is_named_with_the_line(tmp_path, text, said):
    rafdb.official(tmp_path)
    (tmp_path / "basic/Annotation/manual (1)/train_00001_manu_attri.txt").write_text(text)
    (alone,) = left_out_alone("rafdb", tmp_path, "train_00001_manu_attri.txt" + said)
    assert alone.key.endswith("/train_00001_aligned.jpg")


def contradiction(root):
    """Let the tables give two pictures other labels than the folders."""
    rafdb.kaggle(root)
    for split, name, code in (("train", b"train_00003", b"4"), ("test", b"test_0002", b"6")):
        path = root / f"DATASET/{split}_labels.csv"
        path.write_bytes(path.read_bytes().replace(name + b"_aligned.jpg," + code, name + b"_aligned.jpg,5"))


def test_a_table_that_contradicts_its_folders_is_refused_with_the_number_of_rows_and_the_way_to_choose(tmp_path):
    contradiction(tmp_path)
    said = r"train_labels.csv:4: label 5 for train_00003_aligned.jpg, which is in folder 4. .*on 2 of 28 rows"
    with pytest.raises(BrokenSource, match=said) as caught:
        read("rafdb", tmp_path)
    assert "--labels-from table or --labels-from folders" in caught.value.hint


@pytest.mark.parametrize(("labels_from", "labels"), [("table", ("5", "5")), ("folders", ("4", "6"))])
def test_the_labels_are_those_of_the_table_or_of_the_folders_as_asked_for(tmp_path, labels_from, labels):
    contradiction(tmp_path)
    samples = {s.key: s.native_label for s in read("rafdb", tmp_path, labels_from=labels_from)[2]}
    assert len(samples) == 28
    assert (samples["train_00003"], samples["test_0002"]) == labels


def test_whose_labels_count_is_no_question_where_there_is_no_table(tmp_path):
    rafdb.both(tmp_path / "a")
    rafdb.kaggle(tmp_path / "b")
    for table in (tmp_path / "b" / "DATASET").glob("*.csv"):
        table.unlink()
    for root in (tmp_path / "a", tmp_path / "b"):
        with pytest.raises(BadOption, match="no table beside class folders"):
            read("rafdb", root, labels_from="table")


def test_an_added_copy_without_a_line_in_the_table_is_left_out_and_counted(tmp_path):
    rafdb.kaggle(tmp_path)
    _, _, before, _ = read("rafdb", tmp_path)
    save(tmp_path / "DATASET/train/3/train_00001_aligned_flipped.jpg", face(1))
    _, _, samples, skipped = read("rafdb", tmp_path)
    assert len(samples) == len(before)
    assert [(s.key, s.reason) for s in skipped] == [
        ("train/3/train_00001_aligned_flipped.jpg", "no line in train_labels.csv: is it an added copy?")
    ]


def test_a_line_without_its_image_comes_as_missing(tmp_path):
    rafdb.kaggle(tmp_path)
    (tmp_path / "DATASET/test/1/test_0001_aligned.jpg").unlink()
    _, base, samples, _ = read("rafdb", tmp_path)
    assert [s.key for s in samples if not (base / s.image).exists()] == ["test_0001"]


def test_the_compound_set_alone_is_read_with_keys_and_codes_of_its_own(tmp_path):
    rafdb.compound(tmp_path)
    for root in (tmp_path, tmp_path / "RAF", tmp_path / "RAF" / "compound"):
        layout, base, samples, _ = read("rafdb", root)
        assert layout.name == "official-compound"
        assert (samples[0].key, samples[0].native_label) == ("compound/train_0001", "compound 1")
        assert samples[0].compound_label == "happily surprised"
        assert layout.labels["compound 1"] == "compound"
        assert all((base / s.image).is_file() for s in samples)


def test_both_sets_are_read_where_asked_for_and_never_collide(tmp_path):
    rafdb.both(tmp_path)
    found = {subset: read("rafdb", tmp_path, subset=subset)[2] for subset in ("basic", "compound", "both")}
    assert [s.key for s in found["both"]] == [s.key for s in [*found["basic"], *found["compound"]]]
    assert len({s.key for s in found["both"]}) == 2 * len(rafdb.names())
    assert {s.compound_label for s in found["basic"]} == {None}


def test_a_compound_row_has_no_label_and_says_why(tmp_path):
    rafdb.both(tmp_path / "data")
    done = ingest("rafdb", root=tmp_path / "data", out=tmp_path / "m.parquet", subset="both")
    assert dict(done.unlabelled) == {"compound": len(rafdb.names())}
    assert done.labelled == len(rafdb.names())


def test_an_annotation_that_is_no_text_costs_its_own_picture(tmp_path):
    rafdb.official(tmp_path)
    (tmp_path / "basic/Annotation/boundingbox/train_00001_boundingbox.txt").write_bytes(b"\xff\xfe\x00")
    left_out_alone("rafdb", tmp_path, r"Cannot read .*train_00001_boundingbox\.txt", faces="original")


def test_a_code_of_the_compound_set_is_refused_in_the_basic_one(tmp_path):
    rafdb.both(tmp_path)
    path = tmp_path / "RAF" / LIST
    path.write_text(path.read_text().replace("train_00001.jpg 1", "train_00001.jpg 11"))
    with pytest.raises(UnknownLabel, match=r":1: label '11'"):
        read("rafdb", tmp_path)


def test_the_automatic_landmarks_are_read_where_asked_for(tmp_path):
    rafdb.official(tmp_path)
    sample = read("rafdb", tmp_path, faces="original", landmarks="auto")[2][1]
    assert len(sample.landmarks) == 74
    assert sample.landmarks[:4] == (30.25, 41, 31.25, 41)
    assert sample.gender == "female"
    with pytest.raises(BadOption, match="original"):
        read("rafdb", tmp_path, landmarks="auto")


def test_automatic_landmarks_that_are_cut_short_cost_their_picture_and_without_any_it_is_refused(tmp_path):
    rafdb.official(tmp_path)
    folder = tmp_path / "basic/Annotation/auto"
    (folder / "train_00001_auto_attri.txt").write_text("1 2\n" * 36)
    said = r"train_00001_auto_attri\.txt:36: 36 lines, expected 37"
    left_out_alone("rafdb", tmp_path, said, faces="original", landmarks="auto")
    folder.rename(tmp_path / "x")
    with pytest.raises(BrokenSource, match="no folder auto"):
        read("rafdb", tmp_path, faces="original", landmarks="auto")


def test_a_list_with_the_split_as_a_column_is_read_and_checked(tmp_path):
    rafdb.official(tmp_path)
    path = tmp_path / LIST
    plain = read("rafdb", tmp_path)[2]
    rows = [line.split() for line in path.read_text().splitlines()]
    path.write_text("".join(f"{name}\t{name.split('_')[0]}\t{code}\n" for name, code in rows))
    assert read("rafdb", tmp_path)[2] == plain
    path.write_text(path.read_text().replace("train_00002.jpg\ttrain", "train_00002.jpg\ttest"))
    with pytest.raises(BrokenSource, match=r"list_patition_label\.txt:2: train_00002\.jpg in test"):
        read("rafdb", tmp_path)


def test_boxes_that_lie_beside_the_annotations_are_found(tmp_path):
    rafdb.official(tmp_path)
    (tmp_path / "basic/Annotation/boundingbox").rename(tmp_path / "basic/boundingbox")
    assert read("rafdb", tmp_path, faces="original")[2][1].face_box == (11.5, 20, 80, 100)


def test_the_published_counts_add_up():
    from ferdata.adapters.rafdb import SOURCE

    for layout in SOURCE.layouts:
        totals = {s: sum(c.values()) for s, c in layout.counts.items()}
        assert totals == ({} if layout.name == "official-compound" else {"train": 12271, "test": 3068})


def test_the_repack_with_train_alone_is_told_that_the_test_is_the_publishers(ferdata, tmp_path):
    """The copy of 12,271 images: somebody has left out test."""
    rafdb.kaggle(tmp_path / "d")
    shutil.rmtree(tmp_path / "d" / "DATASET" / "test")
    (tmp_path / "d" / "DATASET" / "test_labels.csv").unlink()
    ran = ferdata("ingest", "rafdb", "--root", tmp_path / "d", "-o", tmp_path / "m.parquet")
    assert ran.code == 0, ran
    told = " ".join(ran.out.split())
    for words in ("no test: 0 found, 3,068 published", "has no official test", "by e-mail", "datasets show rafdb"):
        assert words in told
    assert "in test: 0 found" not in told
    assert Manifest(tmp_path / "m.parquet").sources["rafdb"]["differences"][0] == "no test: 0 found, 3,068 published"
