"""RaFD: what its names say of model, gender, ethnicity, gaze and angle."""

import pytest

from ferdata.adapters.rafd import SOURCE
from tests.adapters.test_contract import read
from tests.fakes import face, rafd, save


def test_a_name_says_who_and_what(tmp_path):
    rafd.official(tmp_path)
    samples = {s.key: s for s in read("rafd", tmp_path)[2]}
    assert set(samples) == set(rafd.names())
    adult = samples["Rafd090_29_Moroccan_male_contemptuous_frontal"]
    assert (adult.subject, adult.gender, adult.ethnicity, adult.age) == ("29", "male", "Moroccan", None)
    assert adult.native_label == "contemptuous"
    child = samples["Rafd000_41_Kid_female_sad_left"]
    assert (child.subject, child.gender, child.ethnicity, child.age) == ("41", "female", None, "Kid")


@pytest.mark.parametrize(("angles", "views"), [("all", 6), ("half", 4), ("frontal", 2)])
def test_angles_are_chosen_and_every_gaze_stays(tmp_path, angles, views):
    rafd.official(tmp_path)
    samples = read("rafd", tmp_path, angles=angles)[2]
    assert len(samples) == len(rafd.names()) * views / len(rafd.VIEWS)


def test_pictures_sorted_by_angle_are_all_read(tmp_path):
    rafd.official(tmp_path)
    for path in [p for p in (tmp_path / "RafD").iterdir() if p.name.startswith("Rafd")]:
        (tmp_path / "RafD" / path.name[4:7]).mkdir(exist_ok=True)
        path.rename(tmp_path / "RafD" / path.name[4:7] / path.name)
    assert {s.key for s in read("rafd", tmp_path)[2]} == set(rafd.names())


@pytest.mark.parametrize(
    "name", ["Rafd091_01_Caucasian_female_angry_frontal", "Rafd090_01_Caucasian_female_bored_frontal", "mean face"]
)
def test_a_name_that_says_something_else_is_left_out(tmp_path, name):
    rafd.official(tmp_path)
    save(tmp_path / "RafD" / f"{name}.jpg", face(1))
    assert f"RafD/{name}.jpg" in [s.key for s in read("rafd", tmp_path)[3]]


def test_the_same_name_twice_is_left_out_once(tmp_path):
    rafd.official(tmp_path)
    save(tmp_path / "RafD/more" / f"{rafd.names()[0].lower()}.png", face(1))
    samples, skipped = read("rafd", tmp_path)[2:]
    assert len(samples) == len(rafd.names())
    assert "second time" in " ".join(s.reason for s in skipped)


def test_the_published_counts_add_up():
    assert sum(SOURCE.layouts[0].counts["all"].values()) == 8040
