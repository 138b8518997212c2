"""muxspace: the legend's rows, those listed again, pictures that it does not name, and whose face it is."""

import pytest

from ferdata.errors import BrokenSource, UnknownLabel
from ferdata.steps.ingest import ingest
from tests.adapters.test_contract import read
from tests.fakes import muxspace

LEGEND = "facial_expressions/data/legend.csv"


def test_a_picture_that_is_listed_again_keeps_its_first_label_and_the_rest_is_counted(tmp_path):
    muxspace.official(tmp_path)
    _, _, samples, skipped = read("muxspace", tmp_path)
    assert next(s for s in samples if s.key == "Avinash_30.jpg").native_label == "sadness"
    assert {s.key: s.reason for s in skipped} == {
        "Avinash_30.jpg (line 10)": "listed again with another label",
        "Britney_Spears_0014.jpg (line 11)": "listed again",
    }


def test_the_subject_is_the_name_before_the_number(tmp_path):
    muxspace.official(tmp_path)
    subjects = {s.key: s.subject for s in read("muxspace", tmp_path)[2]}
    assert subjects["Britney_Spears_0014.jpg"] == subjects["Britney_Spears_0015.jpg"] == "Britney_Spears"
    assert subjects["Lim_Dong-won_0001.jpg"] == "Lim_Dong-won"
    assert subjects["Dileep_3.jpg"] == subjects["Dileep_57.jpg"] == "Dileep"
    assert subjects["Arun.jpg"] is None


def test_either_case_means_the_same(tmp_path):
    muxspace.official(tmp_path)
    layout = read("muxspace", tmp_path)[0]
    assert all(layout.labels[word.upper()] == meaning for word, meaning in layout.labels.items())


def test_pictures_that_the_legend_does_not_name_come_last_and_unlabelled(tmp_path):
    muxspace.official(tmp_path)
    samples = read("muxspace", tmp_path)[2]
    assert [s.key for s in samples if s.native_label is None] == [s.key for s in samples[-2:]] == [*muxspace.UNLISTED]


def test_a_row_without_its_picture_comes_as_missing(tmp_path):
    muxspace.official(tmp_path)
    (tmp_path / "facial_expressions/images/Arun.jpg").unlink()
    _, base, samples, _ = read("muxspace", tmp_path)
    assert [s.key for s in samples if not (base / s.image).exists()] == ["Arun.jpg"]


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("302,a.jpg,sad", UnknownLabel, "label 'sad'"),
        ("302,../a.jpg,sadness", BrokenSource, "the name of a picture"),
        ("302,a.jpg", BrokenSource, "2 cells, expected 3"),
    ],
)
def test_a_damaged_row_is_refused_with_its_line(tmp_path, line, error, said):
    muxspace.official(tmp_path)
    (tmp_path / LEGEND).write_text(f"user.id,image,emotion\n{line}\n")
    with pytest.raises(error, match=f"legend.csv:2: .*{said}"):
        read("muxspace", tmp_path)


def test_an_unknown_label_that_is_listed_twice_is_kept_once_and_counted(tmp_path):
    muxspace.official(tmp_path)
    legend = tmp_path / LEGEND
    lines = legend.read_text().splitlines()
    own, name = lines[1].split(",")[0], lines[1].split(",")[1]
    odd = [f"{own},{name},bored", f"{own},odd_1.jpg,bored", f"{own},odd_1.jpg,bored", f"{own},odd_1.jpg,puzzled"]
    legend.write_text("\n".join((*lines, *odd)) + "\n")
    done = ingest("muxspace", root=tmp_path, out=tmp_path / "m.parquet", unknown_labels="keep", workers=1)
    assert done.rejected == {"listed again": 2, "listed again with another label": 3, "missing file": 1}
    assert done.unknown_labels == {"bored": 1}
