"""Generated faces: said to be generated, read with or without splits, strange folders told."""

import pytest

from ferdata.errors import NotThisDataset, UnknownLabel
from ferdata.steps.ingest import ingest
from tests.adapters.test_contract import read
from tests.fakes import face, fer_stable_diffusion, save


def test_every_image_is_said_to_be_generated(tmp_path):
    fer_stable_diffusion.folders(tmp_path)
    assert all(s.synthetic for s in read("fer_stable_diffusion", tmp_path)[2])


def test_splits_are_read_where_they_are_and_not_missed_where_they_are_not(tmp_path):
    fer_stable_diffusion.folders(tmp_path, splits=False)
    assert {s.official_split for s in read("fer_stable_diffusion", tmp_path)[2]} == {None}


def test_a_folder_of_unknown_meaning_is_refused_by_name_or_kept_without_a_label(tmp_path):
    fer_stable_diffusion.folders(tmp_path / "data")
    save(tmp_path / "data" / "fer stable diffusion" / "Train" / "smirk" / "1.png", face(9))
    with pytest.raises(UnknownLabel, match="'smirk': 1 rows"):
        ingest("fer_stable_diffusion", root=tmp_path / "data", out=tmp_path / "m.parquet")
    out = tmp_path / "kept.parquet"
    done = ingest("fer_stable_diffusion", root=tmp_path / "data", out=out, unknown_labels="keep")
    assert dict(done.unknown_labels) == {"smirk": 1}
    assert done.labelled == done.rows - 1


def test_two_folders_that_each_name_a_class_are_refused_and_guessed_words_are_printed(tmp_path):
    save(tmp_path / "train_set" / "Freude" / "1.png", face(1))
    layout, _, samples, _ = read("fer_stable_diffusion", tmp_path)
    assert [(s.native_label, s.official_split) for s in samples] == [("Freude", "train")]
    assert "train_set as train" in layout.note
    assert "Freude as happiness" in layout.note
    save(tmp_path / "train_set" / "angry" / "Joy" / "1.png", face(2))
    with pytest.raises(UnknownLabel, match=r"'angry' \(anger\) and 'Joy' \(happiness\)"):
        read("fer_stable_diffusion", tmp_path)


def test_a_folder_without_class_folders_is_not_it(tmp_path):
    save(tmp_path / "train" / "1.png", face(1))
    with pytest.raises(NotThisDataset, match="no images in class folders"):
        read("fer_stable_diffusion", tmp_path)
