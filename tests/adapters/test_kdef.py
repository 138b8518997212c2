"""KDEF: what its names say, and the names that do not say it."""

import pytest

from tests.adapters.test_contract import read
from tests.fakes import face, kdef, save


def test_both_forms_give_the_same_rows(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    kdef.official(tmp_path / "a")
    kdef.flat(tmp_path / "b")
    rows = [sorted((s.key, s.native_label, s.subject) for s in read("kdef", tmp_path / f)[2]) for f in "ab"]
    assert rows[0] == rows[1]
    assert [key for key, _, _ in rows[0]] == sorted(kdef.names())


def test_a_name_says_session_person_expression_and_angle(tmp_path):
    kdef.official(tmp_path)
    samples = {s.key: s for s in read("kdef", tmp_path)[2]}
    woman, man, later = samples["AF01HAHL"], samples["AM01HAHL"], samples["BF01HAHL"]
    assert (woman.native_label, woman.subject, woman.gender) == ("HA", "F01", "female")
    assert (man.subject, man.gender) == ("M01", "male")
    assert later.subject == woman.subject
    assert {s.sequence for s in samples.values()} == {None}


def test_names_cut_short_are_left_out_with_that_reason(tmp_path):
    kdef.official(tmp_path)
    skipped = {s.key: s.reason for s in read("kdef", tmp_path)[3]}
    assert sorted(skipped) == ["AF31/AF31V.JPG", "AM31/AM31H.JPG", "contact sheet.jpg"]
    assert [key for key, reason in skipped.items() if "cut short" in reason] == ["AF31/AF31V.JPG", "AM31/AM31H.JPG"]


def test_pictures_sorted_by_expression_are_all_read(tmp_path):
    kdef.flat(tmp_path)
    for name in kdef.names():
        path = next(tmp_path.glob(f"{name}.*"))
        (tmp_path / name[4:6]).mkdir(exist_ok=True)
        path.rename(tmp_path / name[4:6] / path.name)
    assert sorted(s.key for s in read("kdef", tmp_path)[2]) == sorted(kdef.names())


@pytest.mark.parametrize(("angles", "share"), [("all", 5), ("half", 3), ("straight", 1)])
def test_angles_are_chosen(tmp_path, angles, share):
    kdef.official(tmp_path)
    samples = read("kdef", tmp_path, angles=angles)[2]
    assert len(samples) == len(kdef.names()) * share / 5


def test_the_same_name_twice_is_left_out_once(tmp_path):
    kdef.official(tmp_path)
    save(tmp_path / "KDEF_and_AKDEF/KDEF/copy/AF01HAHL.JPG", face(5))
    samples, skipped = read("kdef", tmp_path)[2:]
    assert len(samples) == len(kdef.names())
    assert ("copy/AF01HAHL.JPG", "the same picture for the second time by its name") in [
        (s.key, s.reason) for s in skipped
    ]
