"""Tables that say more than a class, or say it in a column for each emotion; and columns named by the user."""

import pytest

from ferdata.errors import BadOption, BrokenSource
from ferdata.labels import EMOTIONS
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from tests.adapters.test_contract import read
from tests.adapters.test_csv import write
from tests.fakes import face, save

HEADER = "path,Angry,Happy,Sad,Neutral"


def ingested(tmp_path, *lines):
    write(tmp_path / "d", *lines)
    for i, name in enumerate(line.split(",")[0] for line in lines[1:]):
        save(tmp_path / "d" / name, face(i))
    done = ingest("csv", root=tmp_path / "d", out=tmp_path / "m.parquet", workers=1)
    return Manifest(done.out).table("label", "label_dist", "votes", "ratings").to_pylist(), done


def shares(**given):
    return pytest.approx([given.get(emotion, 0.0) for emotion in EMOTIONS], abs=1e-6)


def test_one_hot_columns_are_the_classes(tmp_path):
    rows, done = ingested(tmp_path, HEADER, "a.png,1,0,0,0", "b.png,0,0,0,1", "c.png,0,1.0,0,0", "d.png,0,0,0,0")
    assert [row["label"] for row in rows] == ["anger", "neutral", "happiness", None]
    assert all(row["ratings"] is None for row in rows)
    assert "one-hot for 4 emotions" in done.note


def test_shares_become_the_distribution_and_the_largest_the_label(tmp_path):
    rows, done = ingested(tmp_path, HEADER, "a.png,0.7,0.1,0.2,0", "b.png,0.25,0.25,0.25,0.25", "c.png,,,,")
    assert [row["label"] for row in rows] == ["anger", None, None]
    assert rows[0]["label_dist"] == shares(anger=0.7, happiness=0.1, sadness=0.2)
    assert rows[2]["label_dist"] is None
    assert "shares for 4 emotions" in done.note


def test_percent_are_shares_too(tmp_path):
    rows, _ = ingested(tmp_path, HEADER, "a.png,70,10,20,0", "b.png,0,100,0,0")
    assert rows[0]["label_dist"] == shares(anger=0.7, happiness=0.1, sadness=0.2)
    assert rows[1]["label"] == "happiness"


def test_ten_columns_of_votes_are_votes_whatever_their_order(tmp_path):
    header = "path,NF,unknown,happiness,surprise,sadness,anger,disgust,fear,contempt,neutral"
    rows, done = ingested(tmp_path, header, "a.png,0,1,7,0,0,0,0,0,0,2", "b.png,8,1,0,1,0,0,0,0,0,0")
    assert rows[0]["votes"] == [2, 7, 0, 0, 0, 0, 0, 0, 1, 0]
    assert [row["label"] for row in rows] == ["happiness", None]
    assert "votes for 10 emotions" in done.note


def test_a_column_of_labels_decides_and_shares_are_kept_beside_it(tmp_path):
    rows, _ = ingested(tmp_path, f"{HEADER},label", "a.png,0.4,0.6,0,0,angry")
    assert rows[0]["label"] == "anger"
    assert rows[0]["label_dist"] == shares(anger=0.4, happiness=0.6)


def test_one_hot_beside_labels_is_not_used_and_told(tmp_path):
    write(tmp_path, f"{HEADER},label", "a.png,0,1,0,0,angry")
    layout, _, samples, _ = read("csv", tmp_path)
    assert samples[0].native_label == "angry"
    assert "(one-hot, as the labels)" in layout.note


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("0.5,0.4,0,0", r"t.csv:3: shares that add up to 0.9"),
        ("0.5,0.5,-0.1,0.1", r"t.csv:3: .*where a number for each emotion belongs"),
        ("0.5,half,0,0", r"t.csv:3: .*half"),
        ("nan,nan,0.5,inf", r"t.csv:3: .*inf"),
    ],
)
def test_shares_that_are_none_are_refused_with_their_line(tmp_path, cells, words):
    write(tmp_path, HEADER, "a.png,0.7,0.1,0.2,0", f"b.png,{cells}")
    with pytest.raises(BrokenSource, match=words):
        read("csv", tmp_path)


def test_two_classes_at_once_are_refused(tmp_path):
    write(tmp_path, HEADER, "a.png,1,0,0,0", "b.png,1,1,0,0")
    with pytest.raises(BrokenSource, match=r"t.csv:3: 2 classes at once"):
        read("csv", tmp_path)


def test_valence_frame_age_and_gender_are_read_and_told(tmp_path):
    write(
        tmp_path,
        "path,label,valence,arousal,clip,frame,Age,sex,race",
        "a.png,happy,0.5,-1,c1,3,20-29,female,x",
        "b.png,sad,,,c1,4,,,",
    )
    layout, _, samples, _ = read("csv", tmp_path)
    first, second = samples
    assert (first.valence, first.arousal, first.sequence, first.frame) == (0.5, -1.0, "c1", 3)
    assert (first.age, first.gender, first.ethnicity) == ("20-29", "female", "x")
    assert (second.valence, second.frame, second.age) == (None, 4, None)
    assert "valence in 'valence'" in layout.note
    assert "gender in 'sex'" in layout.note


def test_valence_on_another_scale_is_not_used_and_told(tmp_path):
    write(tmp_path, "path,label,valence,arousal", "a.png,happy,7,0.2")
    layout, _, samples, _ = read("csv", tmp_path)
    assert (samples[0].valence, samples[0].arousal) == (None, 0.2)
    assert "'valence' (line 2 has the valence 7, which is not between -1 and 1)" in layout.note


class TestColumnsByName:
    def test_of_a_table_without_a_header(self, tmp_path):
        write(tmp_path, "17,a.png,happy,0.5,junk", "18,b.png,sad,-0.5,junk")
        layout, _, samples, _ = read("csv", tmp_path, columns="-,path,label,valence,-")
        assert [(s.image, s.native_label, s.valence) for s in samples] == [
            ("a.png", "happy", 0.5),
            ("b.png", "sad", -0.5),
        ]
        assert "Not used" not in layout.note

    def test_in_place_of_the_header_that_is_there(self, tmp_path):
        write(tmp_path, "a,b,c", "a.png,happy,train")
        _, _, samples, _ = read("csv", tmp_path, columns="path,label,split")
        assert [(s.image, s.native_label, s.official_split) for s in samples] == [("a.png", "happy", "train")]

    def test_of_emotions_without_a_header(self, tmp_path):
        write(tmp_path, "a.png,0.7,0.1,0.2", "b.png,0.1,0.1,0.8")
        _, _, samples, _ = read("csv", tmp_path, columns="path,anger,happiness,sadness")
        assert [s.native_label for s in samples] == ["anger", "sadness"]

    def test_too_few_of_them_are_refused_with_the_first_line(self, tmp_path):
        write(tmp_path, "a.png,happy,0.5")
        with pytest.raises(BadOption, match=r"--columns has 2 names, and .*3 columns: 0 'a.png', 1 'happy', 2 '0.5'"):
            read("csv", tmp_path, columns="path,label")

    def test_without_a_path_they_are_refused(self, tmp_path):
        write(tmp_path, "a.png,happy")
        with pytest.raises(BadOption, match="No column"):
            read("csv", tmp_path, columns="-,label")
