"""CK+: which frames are taken, what is known of them, and the same keys from every form."""

import shutil
import zipfile
from collections import Counter

import pytest

from ferdata.errors import DatasetMissing, UnknownLabel
from ferdata.steps.ingest import ingest
from tests.adapters.test_contract import left_out_alone, read
from tests.conftest import real_data
from tests.fakes import ckplus, face, save


def labelled(samples):
    return [(s.key, s.subject, s.sequence, s.frame) for s in samples if s.native_label]


def test_both_trees_give_the_same_keys_in_the_same_order(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ckplus.official(tmp_path / "a")
    ckplus.ck48(tmp_path / "b")
    tree, small = read("ckplus", tmp_path / "a"), read("ckplus", tmp_path / "b")
    assert labelled(tree[2]) == labelled(small[2])
    meant = [
        [layout.labels[s.native_label] for s in samples if s.native_label] for layout, _, samples, _ in (tree, small)
    ]
    assert meant[0] == meant[1]


def test_archives_unpacked_each_in_its_own_folder_read_the_same(tmp_path):
    (tmp_path / "flat").mkdir()
    (tmp_path / "nested").mkdir()
    ckplus.official(tmp_path / "flat")
    ckplus.official(tmp_path / "nested", nested=True)
    assert read("ckplus", tmp_path / "flat")[2] == read("ckplus", tmp_path / "nested")[2]


def test_the_peak_is_the_last_frame_of_each_sequence(tmp_path):
    ckplus.official(tmp_path)
    _, _, samples, _ = read("ckplus", tmp_path, frames="peak")
    assert [s.frame for s in samples] == [s.frames[-1] for s in ckplus.sequences()]


def test_a_first_frame_is_neutral_only_where_frame_one_is_there_and_the_sequence_has_a_label(tmp_path):
    ckplus.official(tmp_path)
    layout, _, samples, _ = read("ckplus", tmp_path, frames="first-neutral")
    first = [s for s in samples if s.native_label == "first frame"]
    assert layout.labels["first frame"] == "neutral"
    assert {s.frame for s in first} == {1}
    assert [s.sequence for s in first] == [
        f"{s.subject}/{s.session}" for s in ckplus.sequences() if s.code and s.frames[0] == 1
    ]


def test_action_units_are_those_of_the_peak_and_zero_means_strength_not_given(tmp_path):
    ckplus.official(tmp_path)
    _, _, samples, _ = read("ckplus", tmp_path)
    units = {s.action_units for s in samples}
    assert units == {None, (("AU12", 4.0), ("AU25", None))}
    assert sum(s.action_units is not None for s in samples) == len(ckplus.sequences())


def test_every_frame_has_its_landmarks(tmp_path):
    ckplus.official(tmp_path)
    _, _, samples, _ = read("ckplus", tmp_path)
    assert {len(s.landmarks) for s in samples} == {136}
    assert samples[0].landmarks[:4] == (0.5, 100.0, 1.5, 100.00001)


def test_sequences_without_a_label_are_kept_without_one(tmp_path):
    ckplus.official(tmp_path)
    _, _, samples, _ = read("ckplus", tmp_path)
    assert sum(s.native_label is None for s in samples) == 6


def label_file(root):
    return root / "Emotion" / "S005" / "001" / "S005_001_00000006_emotion.txt"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("   3.5\n", "not a whole number"),
        ("", "0 numbers, expected 1"),
        ("happy\n", "not a file of numbers"),
        ("nan\n", "not finite"),
    ],
)
def test_a_damaged_label_file_costs_its_own_sequence_which_is_named(tmp_path, text, said):
    ckplus.official(tmp_path)
    label_file(tmp_path).write_text(text)
    (alone,) = left_out_alone("ckplus", tmp_path, f"S005_001_00000006_emotion.txt:1: .*{said}", frames="peak")
    assert alone.key.startswith("cohn-kanade-images/S005/001/S005_001_")


def test_a_label_that_no_release_has_is_refused(tmp_path):
    ckplus.official(tmp_path)
    label_file(tmp_path).write_text("   9.0000000e+00\n")
    with pytest.raises(UnknownLabel, match=r"S005_001_00000006_emotion.txt:1: .*label '9'"):
        read("ckplus", tmp_path)


def test_two_label_files_for_one_sequence_leave_it_out(tmp_path):
    ckplus.official(tmp_path)
    label_file(tmp_path).with_name("S005_001_00000005_emotion.txt").write_text("1.0")
    left_out_alone("ckplus", tmp_path, "2 emotion files")


def test_images_without_the_emotion_archive_are_no_dataset(tmp_path):
    ckplus.official(tmp_path)
    (tmp_path / "Emotion").rename(tmp_path / "x")
    with pytest.raises(DatasetMissing, match=r"Emotion_labels\.zip"):
        read("ckplus", tmp_path)


def test_a_file_that_is_no_frame_is_counted(tmp_path):
    ckplus.ck48(tmp_path)
    (tmp_path / "CK+48" / "happy" / "copy of S005.png").touch()
    _, _, _, skipped = read("ckplus", tmp_path)
    assert [s.key for s in skipped] == ["happy/copy of S005.png"]


def test_a_copy_that_lacks_class_folders_is_read_with_its_subjects_and_says_which_are_missing(tmp_path):
    ckplus.ck48(tmp_path / "d")
    whole = read("ckplus", tmp_path / "d")
    for name in ("disgust", "happy", "surprise"):
        shutil.rmtree(tmp_path / "d" / "CK+48" / name)
    layout, _, samples, _ = read("ckplus", tmp_path / "d")
    there = ("anger", "contempt", "fear")
    assert samples == [s for s in whole[2] if s.native_label in there]
    assert {s.subject for s in samples} <= {"S005", "S010", "S501", "S999"}
    assert "missing here: disgust, happy, sadness, surprise." in layout.note
    assert "missing here: sadness." in whole[0].note
    done = ingest("ckplus", root=tmp_path / "d", out=tmp_path / "m.parquet")
    assert "'surprise' in all: 0 found, 249 published (-249)" in done.differences


def test_a_frame_that_a_copy_has_in_two_classes_is_two_rows_told_apart_by_their_class(tmp_path):
    ckplus.ck48(tmp_path)
    before = read("ckplus", tmp_path)[2]
    for frame in (6, 5, 4):
        save(tmp_path / "CK+48" / "happy" / f"S005_001_{frame:08d}.png", face(frame))
    samples = read("ckplus", tmp_path)[2]
    twice = [(s.key, s.native_label, s.subject, s.sequence) for s in samples if s.sequence == "S005/001"]
    assert twice == [
        (f"{label}/S005_001_{frame:08d}", label, "S005", "S005/001")
        for label in ("anger", "happy")
        for frame in (4, 5, 6)
    ]
    assert [s for s in samples if s.sequence != "S005/001"] == [s for s in before if s.sequence != "S005/001"]


def test_the_real_frames_give_the_published_counts_from_both_trees(tmp_path):
    small, tree = tmp_path / "small", tmp_path / "tree"
    codes = {name: code for code, name in enumerate(ckplus.FOLDERS)}
    with zipfile.ZipFile(real_data() / "ck48.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".png"))
    for name in names:  # no image is opened, so names are enough
        _, label, file = name.split("/")
        subject, session, _ = file.split("_")
        for path in (small / name, tree / "cohn-kanade-images" / subject / session / file):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        emotion = tree / "Emotion" / subject / session / f"{subject}_{session}_emotion.txt"
        emotion.parent.mkdir(parents=True, exist_ok=True)
        emotion.write_text(f"   {codes[label]}.0000000e+00\n")
    found = [read("ckplus", root) for root in (small, tree)]
    for layout, _, samples, skipped in found:
        assert Counter(s.native_label for s in samples) == layout.counts["all"]
        assert (len(samples), len(skipped)) == (981, 0)
        assert len({s.sequence for s in samples}) == 327
        assert len({s.subject for s in samples}) == 118
    assert labelled(found[0][2]) == labelled(found[1][2])
