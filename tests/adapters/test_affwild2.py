"""Aff-Wild2: lines joined to frames, sentinels, two people in one video, lists, whole and cut videos."""

import random

import pytest

from ferdata.errors import BrokenSource, DatasetMissing, FerdataError, NotThisDataset
from ferdata.manifest import Manifest
from ferdata.schema import Frame
from ferdata.sources.left_out import NOTES
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from tests.adapters.test_contract import left_out_alone, read
from tests.fakes import affwild2, face, save

EXPR = "Aff-Wild2/Third ABAW Annotations/EXPR_Classification_Challenge"


def by_key(tmp_path, **options):
    return {s.key: s for s in read("affwild2", tmp_path, **options)[2]}


def test_line_i_after_the_header_is_frame_i(tmp_path):
    affwild2.frames(tmp_path)
    found = by_key(tmp_path)
    assert [found[f"10-60-1280x720/{n:05d}"].native_label for n in (1, 2, 3, 5, 7)] == ["0", "0", "4", "7", "6"]
    assert found["10-60-1280x720/00003"].image == "cropped_aligned/10-60-1280x720/00003.JPG"
    assert found["333/00002"].image == "cropped_aligned_new_50_vids/333/00002.jpg"


def test_what_the_tasks_say_of_a_frame_is_joined_and_sentinels_are_nothing(tmp_path):
    affwild2.frames(tmp_path)
    found = by_key(tmp_path)
    first, ignored = found["10-60-1280x720/00001"], found["10-60-1280x720/00005"]
    assert (first.valence, first.arousal) == (-0.3, 0)
    assert first.action_units == (("AU1", None), ("AU7", None), ("AU23", None))
    assert (ignored.valence, ignored.arousal) == (None, None)
    assert found["video45/00001"].valence is None
    assert found["333/00002"].action_units is None


def test_an_unlabelled_frame_keeps_its_minus_one_and_has_no_label(tmp_path):
    affwild2.frames(tmp_path)
    layout, _, samples, _ = read("affwild2", tmp_path)
    assert "-1" in {s.native_label for s in samples}
    assert (layout.labels["-1"], layout.labels["7"]) == ("unlabelled", "other")


def test_two_people_of_one_video_share_its_sequence_and_nothing_else(tmp_path):
    affwild2.frames(tmp_path)
    found = by_key(tmp_path)
    main, left = found["video45/00001"], found["video45_left/00001"]
    assert (main.sequence, left.sequence) == ("video45", "video45")
    assert (main.subject, left.subject) == ("video45", "video45_left")


def test_two_people_of_one_video_are_never_on_two_sides(tmp_path):
    """Releases put the two people of one video into two sets."""
    annotated = tmp_path / "annotations/EXPR_Classification_Challenge"
    for split, videos in (("Train_Set", ("v1_left", "v2")), ("Validation_Set", ("v1_right", "v3"))):
        (annotated / split).mkdir(parents=True)
        for video in videos:
            (annotated / split / f"{video}.txt").write_text(f"{affwild2.HEADER}\n0\n4\n")
            for number in (1, 2):
                seed = int(video[1]) * 100 + len(video) * 10 + number
                save(
                    tmp_path / "cropped_aligned" / video / f"{number:05d}.jpg",
                    face(seed),
                )
    ingested = ingest("affwild2", root=tmp_path, out=tmp_path / "a.parquet").out
    merged = merge(ingested, out=tmp_path / "m.parquet", by=("pixels", "subject", "sequence"))
    rows = Manifest(merged.out).table("sequence", "group", "split", "split_reason").to_pylist()
    two = [row for row in rows if row["sequence"] == "v1"]
    assert len({row["group"] for row in two}) == 1
    assert [(r["split"], r["split_reason"]) for r in two] == [(None, "group_in_val")] * 2 + [("val", None)] * 2
    assert merged.groups == 3


def test_what_is_left_out_is_told_one_by_one(tmp_path):
    affwild2.frames(tmp_path)
    skipped = {s.key: s.reason for s in read("affwild2", tmp_path)[3]}
    assert skipped == {
        "10-60-1280x720/00004": "labelled, but no face was cropped from the frame",
        "10-60-1280x720/00006": "labelled, but no face was cropped from the frame",
        "333/00001": "labelled, but no face was cropped from the frame",
        "video45/00005": "a frame without a line of its annotation file",
        "video45_right": "annotated, but its folder of crops is not there",
        "test-video": "a video that the task's files do not annotate",
    }


def test_every_nth_frame_counts_from_the_first(tmp_path):
    affwild2.frames(tmp_path)
    found = by_key(tmp_path, every="5")
    assert [k for k in found if k.startswith("10-60")] == ["10-60-1280x720/00001"]
    assert [k for k in found if k.startswith("video45")] == ["video45/00001", "video45_left/00001"]


def test_the_task_says_which_videos_are_rows(tmp_path):
    affwild2.frames(tmp_path)
    found = by_key(tmp_path, task="va")
    assert "video45/00001" not in found
    assert found["10-60-1280x720/00001"].native_label == "0"


def test_a_task_that_was_not_unpacked_is_named_with_what_is_there(tmp_path):
    affwild2.frames(tmp_path)
    (tmp_path / EXPR).rename(tmp_path / "x")
    with pytest.raises(DatasetMissing, match="--task va or au"):
        read("affwild2", tmp_path)


def test_a_folder_of_other_annotations_is_not_it(tmp_path):
    affwild2.crops(tmp_path / "cropped_aligned", ["333"])
    (tmp_path / "annotations").mkdir()
    with pytest.raises(NotThisDataset, match="no annotations of Aff-Wild2"):
        read("affwild2", tmp_path)


def test_the_lists_and_the_files_say_the_same_of_the_same_frames(tmp_path):
    affwild2.frames(tmp_path / "a")
    affwild2.lists(tmp_path / "b")
    files, lists = by_key(tmp_path / "a"), by_key(tmp_path / "b")
    same = [k for k in files if k in lists and not k.startswith("video45/")]
    assert len(same) > 10
    for key in same:
        one, other = files[key], lists[key]
        assert (one.native_label, one.valence, one.action_units) == (
            other.native_label,
            other.valence,
            other.action_units,
        )
        assert (one.sequence, one.official_split) == (other.sequence, other.official_split)


def test_the_lists_are_read_beside_the_files_where_asked_for(tmp_path):
    affwild2.lists(tmp_path)
    affwild2.annotations(tmp_path / "5th_ABAW_Annotations")
    assert read("affwild2", tmp_path)[0].name == "frames"
    assert read("affwild2", tmp_path, task="mtl")[0].name == "lists"


def test_a_header_of_seven_names_knows_no_other(tmp_path):
    affwild2.frames(tmp_path)
    path = tmp_path / EXPR / "Validation_Set/333.txt"
    seven = affwild2.HEADER.removesuffix(",Other")
    path.write_text(f"{seven}\n0\n4\n6\n")
    assert by_key(tmp_path)["333/00003"].native_label == "6"
    path.write_text(f"{seven}\n0\n7\n6\n")
    left_out_alone("affwild2", tmp_path, r"333\.txt:3: '7', expected -1 or a code from 0 to 6")


@pytest.mark.parametrize(
    ("task", "text", "said"),
    [
        ("EXPR_Classification_Challenge", "0\n4\n", r":1: the header '0'"),
        ("EXPR_Classification_Challenge", "Anger,Neutral\n4\n", r":1: the header 'Anger,Neutral'"),
        ("EXPR_Classification_Challenge", affwild2.HEADER + "\n0\n\n1\n", r":3: '', expected -1"),
        ("VA_Estimation_Challenge", "valence,arousal\n0.1\n", r":2: '0\.1', expected two numbers"),
        ("VA_Estimation_Challenge", "valence,arousal\n0.1,nan\n", r":2: valence and arousal of 0\.1 and nan"),
        ("AU_Detection_Challenge", "AU1,AU2\n0,2\n", r":2: '0,2', expected 2 values"),
    ],
)
def test_a_damaged_file_costs_its_own_video_which_is_named_with_the_line(tmp_path, task, text, said):
    affwild2.frames(tmp_path)
    (tmp_path / "Aff-Wild2/Third ABAW Annotations" / task / "Validation_Set/333.txt").write_text(text)
    assert [row.key for row in left_out_alone("affwild2", tmp_path, r"333\.txt" + said)] == ["333"]


def test_a_video_in_two_sets_is_refused(tmp_path):
    affwild2.frames(tmp_path)
    (tmp_path / EXPR / "Train_Set/333.txt").write_text(f"{affwild2.HEADER}\n0\n")
    with pytest.raises(BrokenSource, match="333 is annotated twice"):
        read("affwild2", tmp_path)


@pytest.mark.parametrize(
    "name", ["../00001.jpg", "10-60-1280x720/99999999999.jpg", "10-60-1280x720/a.jpg", "a/b/1.jpg"]
)
def test_a_list_that_points_elsewhere_is_refused(tmp_path, name):
    affwild2.lists(tmp_path)
    path = tmp_path / "5th_ABAW_Annotations/MTL_Challenge/training_set_annotations.txt"
    path.write_text(path.read_text().replace("10-60-1280x720/00001.jpg", name))
    with pytest.raises(BrokenSource, match=r"training_set_annotations\.txt:2"):
        read("affwild2", tmp_path)


def test_a_frame_of_a_video_is_counted_from_0_where_lines_are_from_1(tmp_path):
    affwild2.videos(tmp_path)
    sample = by_key(tmp_path)["video45/00003"]
    assert sample.image == Frame("batch1/video45.AVI", 2)
    assert sample.native_label == "2"


def test_a_cut_video_costs_its_own_frames_only(tmp_path):
    affwild2.videos(tmp_path / "data")
    path = tmp_path / "data/batch1/batch1/10-60-1280x720.avi"
    whole = ingest("affwild2", root=tmp_path / "data", out=tmp_path / "whole.parquet")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    cut = ingest("affwild2", root=tmp_path / "data", out=tmp_path / "cut.parquet")
    lost = cut.rejected["broken image"]
    assert 0 < lost <= 7
    assert cut.rows == whole.rows - lost


def test_a_release_beside_crops_of_an_older_name_is_found(tmp_path):
    affwild2.annotations(tmp_path / "6th_ABAW_Annotations")
    save(tmp_path / "crops_aligned" / "333" / "00002.jpg", face(1))
    assert list(by_key(tmp_path)) == ["333/00002"]


def test_whatever_is_done_to_a_file_no_other_error_than_the_houses_own_comes_out(tmp_path):
    affwild2.frames(tmp_path)
    rng = random.Random(0)
    files = sorted(path for path in tmp_path.rglob("*.txt") if path.is_file())
    outcomes = set()
    for _ in range(80):
        path = rng.choice(files)
        whole = path.read_bytes()
        at = rng.randrange(len(whole) + 1)
        junk = rng.choice((b"\xff", b",", b"\n", b"-1", b"nan", b"\0", b"1e999", b"7"))
        path.write_bytes(whole[:at] + junk + (whole[at + rng.randrange(4) :] if rng.random() < 0.8 else b""))
        try:
            skipped = read("affwild2", tmp_path)[3]
            outcomes.add("left out" if NOTES in {row.reason for row in skipped} else "read")
        except FerdataError:
            outcomes.add("refused")
        path.write_bytes(whole)
    assert outcomes == {"read", "left out"}
