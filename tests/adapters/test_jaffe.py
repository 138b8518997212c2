"""JAFFE: names as they come, ratings joined to the files, and labels by pose or by rating."""

import os

import pytest

from ferdata.adapters.jaffe import COUNTS, TIE
from ferdata.errors import BrokenSource, DatasetMissing
from ferdata.labels import EMOTIONS
from tests.adapters.test_contract import read
from tests.fakes import face, jaffe, save


def test_odd_names_give_the_same_keys_as_regular_ones(tmp_path):
    jaffe.official(tmp_path)
    _, _, samples, _ = read("jaffe", tmp_path)
    assert {s.key for s in samples} == {f"{subject}.{code}.{serial}" for subject, code, serial in jaffe.names()}
    assert {s.key[:2] for s in samples} == {s.subject for s in samples}


@pytest.mark.parametrize("readme", ["README_FIRST.txt", "A_README_FIRST.txt", "a_readme_first.TXT"])
def test_ratings_come_in_canonical_order_and_from_the_first_table(tmp_path, readme):
    jaffe.official(tmp_path, readme)
    sample = next(s for s in read("jaffe", tmp_path)[2] if s.key == "KA.NE1.1")
    happy, sad, surprised, angry, disgusted, afraid = jaffe.ratings(1)
    assert dict(zip(EMOTIONS, sample.ratings, strict=True)) == {
        "neutral": None,
        "happiness": happy,
        "surprise": surprised,
        "sadness": sad,
        "anger": angry,
        "disgust": disgusted,
        "fear": afraid,
        "contempt": None,
    }


def test_a_picture_that_was_not_rated_comes_without_ratings(tmp_path):
    jaffe.official(tmp_path)
    samples = read("jaffe", tmp_path)[2]
    assert [s.key for s in samples if s.ratings is None] == ["YM.FE1.45"]
    assert all(s.native_label for s in samples)


def test_the_highest_rating_labels_every_pose_but_neutral(tmp_path):
    jaffe.official(tmp_path)
    labels = {s.key: s.native_label for s in read("jaffe", tmp_path, label_source="max_rating")[2]}
    assert labels["KA.NE1.1"] == "NE"
    assert labels["KA.HA1.2"] == TIE
    assert labels["KA.SA1.5"] == "FEA"
    assert labels["YM.FE1.45"] is None


def test_without_the_table_there_are_labels_by_pose_only(tmp_path):
    jaffe.official(tmp_path, None)
    assert {s.ratings for s in read("jaffe", tmp_path)[2]} == {None}
    with pytest.raises(DatasetMissing, match="README_FIRST"):
        read("jaffe", tmp_path, label_source="max_rating")


@pytest.mark.parametrize("move", [lambda stem: stem, lambda stem: f"{stem[:2].upper()}/{stem}"])
def test_pictures_sorted_by_person_are_all_read_and_the_table_among_pictures_is_found(tmp_path, move):
    jaffe.flat(tmp_path)
    for path in [p for p in tmp_path.iterdir() if p.name[2:3] == "."]:
        (tmp_path / move(path.name)).parent.mkdir(exist_ok=True)
        path.rename(tmp_path / move(path.name))
    samples = read("jaffe", tmp_path)[2]
    assert len(samples) == len(jaffe.names())
    assert sum(s.ratings is not None for s in samples) == len(samples) - 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("7 1 2 3 4 5 x KA-NE1", "six ratings"),
        ("7 1 2 3 4 5 5.1 KA-NE1", "outside 1..5"),
        ("7 nan 2 3 4 5 5 KA-NE1", ""),
    ],
)
def test_a_damaged_rating_is_refused_with_its_line(tmp_path, text, said):
    jaffe.official(tmp_path)
    (tmp_path / "jaffedbase/README_FIRST.txt").write_text(f"prose\n{text}\n")
    with pytest.raises(BrokenSource, match=f"README_FIRST.txt:2: .*{said}"):
        read("jaffe", tmp_path)


def test_a_name_that_the_table_has_twice_is_told_apart_by_its_number(tmp_path):
    jaffe.official(tmp_path)
    rows = ["1 1 2 3 4 5 1 KA-NE1", "2 2 2 3 4 5 1 KA-NE1", "3 1 2 3 4 5 1 KM-NE1", "4 1 2 3 4 5 1 KM-NE1"]
    (tmp_path / "jaffedbase/README_FIRST.txt").write_text("\n".join(rows))
    rated = {s.key: s.ratings for s in read("jaffe", tmp_path)[2]}
    assert rated["KA.NE1.1"][1] == 1
    assert rated["KM.NE1.16"] is None


def test_the_same_picture_under_two_names_is_left_out_once(tmp_path):
    jaffe.official(tmp_path)
    save(tmp_path / "jaffedbase/jaffe/ka.ne1.1.TIF", face(5))
    samples, skipped = read("jaffe", tmp_path)[2:]
    assert len(samples) == len(jaffe.names())
    assert "second time" in " ".join(s.reason for s in skipped)


def test_the_published_counts_add_up():
    assert sum(COUNTS.values()) == 213


def test_a_list_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    jaffe.official(tmp_path)
    locked, real = tmp_path / "jaffedbase/README_FIRST.txt", os.open

    def refuse(path, *args, **options):
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **options)

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(BrokenSource, match=f"{locked.name}: Permission denied"):
        read("jaffe", tmp_path)
