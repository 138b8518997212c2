"""What `ferdata ingest` prints of tables and class folders: which words were read as what, and what was not read."""

import pytest

from tests.fakes import face, save


@pytest.fixture
def root(tmp_path):
    for i in range(4):
        save(tmp_path / "set" / "pics" / f"{i}.png", face(i, 8))
    return tmp_path / "set"


def test_a_tables_columns_and_labels_are_printed_with_what_they_were_read_as(root, tmp_path, ferdata):
    rows = ["pth,emotion,Usage,person,relFCs", "pics/0.png,Suprise,Training,ann,0.9", "pics/1.png,0_angry,test,,0.1"]
    (root / "t.csv").write_text("\n".join(rows) + "\n")
    printed = ferdata("ingest", "csv", "--root", root, "-o", tmp_path / "m.parquet").out
    assert "t.csv: images in 'pth', labels in 'emotion', splits in 'Usage', subjects in 'person'." in printed
    assert "Not used: 'relFCs'." in printed
    assert "Labels read by their spelling: 0_angry as anger, Suprise as surprise." in printed


def test_a_folder_that_holds_something_else_is_listed_with_the_number_that_is_left_out(tmp_path, ferdata):
    for name in range(1, 12):
        (tmp_path / "set" / str(name)).mkdir(parents=True)
    ran = ferdata("ingest", "ckplus", "--root", tmp_path / "set")
    assert "It holds: 1, 10, 11, 2, 3, 4, 5, 6 and 3 more." in ran.err
