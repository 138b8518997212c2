"""Oulu-CASIA: which frames, which camera, which light, which set."""

from collections import Counter

import pytest

from ferdata.errors import BadOption, BrokenSource
from tests.adapters.test_contract import read
from tests.fakes import oulu_casia


def test_the_last_three_frames_are_taken_with_their_person_and_clip(tmp_path):
    oulu_casia.one_set(tmp_path)
    _, _, samples, _ = read("oulu_casia", tmp_path)
    assert [s.key for s in samples[:3]] == [f"VL/Strong/P001/Anger/{n:03d}" for n in (2, 3, 4)]
    assert (samples[0].subject, samples[0].sequence, samples[0].frame) == ("P001", "VL/Strong/P001/Anger", 2)


@pytest.mark.parametrize(
    ("frames", "taken"), [("peak", [4]), ("all", [0, 1, 2, 3, 4]), ("first-neutral", [0, 2, 3, 4])]
)
def test_a_policy_takes_its_frames(tmp_path, frames, taken):
    oulu_casia.one_set(tmp_path)
    _, _, samples, _ = read("oulu_casia", tmp_path, frames=frames)
    assert [s.frame for s in samples if s.sequence == "VL/Strong/P001/Anger"] == taken


def test_the_first_frame_is_neutral_only_where_it_is_no_peak_frame_too(tmp_path):
    oulu_casia.one_set(tmp_path)
    _, _, samples, _ = read("oulu_casia", tmp_path, frames="first-neutral")
    found = Counter(s.native_label for s in samples)
    assert found["first frame"] == 11  # one sequence has two frames, and both are near the peak
    assert [s.frame for s in samples if s.sequence == "VL/Strong/P042/Surprise"] == [0, 1]


def test_cameras_and_lights_are_chosen(tmp_path):
    oulu_casia.one_set(tmp_path)
    for options, folders in (
        ({"camera": "NI"}, {"NI/Strong"}),
        ({"light": "Weak"}, {"VL/Weak"}),
        ({"camera": "both", "light": "all"}, {"VL/Strong", "VL/Weak", "NI/Strong", "NI/Weak"}),
    ):
        _, _, samples, _ = read("oulu_casia", tmp_path, **options)
        assert {"/".join(s.key.split("/")[:2]) for s in samples} == folders


def test_a_light_that_was_not_unpacked_is_named(tmp_path):
    oulu_casia.one_set(tmp_path)
    with pytest.raises(BrokenSource, match="no VL under Dark light"):
        read("oulu_casia", tmp_path, light="Dark")
    with pytest.raises(BadOption, match="Strong, Weak, Dark, all"):
        read("oulu_casia", tmp_path, light="dim")


def test_whole_and_cut_images_have_the_same_keys(tmp_path):
    oulu_casia.official(tmp_path)
    whole, cut = (read("oulu_casia", tmp_path, faces=faces)[2] for faces in ("original", "cropped"))
    assert [s.key for s in whole] == [s.key for s in cut]
    assert whole[0].image.startswith("B_OriginalImg/")
    assert cut[0].image.startswith("B_Acropped/")


def test_two_sets_of_whole_images_are_not_mixed(tmp_path):
    oulu_casia.tree(tmp_path / "OriginalImg", 0, ("Strong",))
    oulu_casia.tree(tmp_path / "B_OriginalImg", 0, ("Strong",))
    with pytest.raises(BrokenSource, match="B_OriginalImg, OriginalImg"):
        read("oulu_casia", tmp_path)


def test_the_published_counts_are_80_people_and_480_sequences():
    from ferdata.adapters.oulu_casia import SOURCE

    assert sum(SOURCE.layouts[0].counts["all"].values()) == 480 * 3
