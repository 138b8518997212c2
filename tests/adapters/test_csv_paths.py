"""From a table's paths to files: absolute ones, another machine's, another case, another Unicode form."""

import unicodedata

import pytest

from ferdata.errors import BrokenSource
from tests.adapters.test_contract import read
from tests.adapters.test_csv import write
from tests.fakes import face, save


@pytest.fixture
def root(tmp_path):
    for name in ("train/happy/1.png", "train/sad/2.png"):
        save(tmp_path / "set" / name, face(len(name), 8))
    return tmp_path / "set"


def images(root, **options):
    return [s.image for s in read("csv", root, **options)[2]]


def test_absolute_paths_inside_the_root_are_taken(root):
    write(root, "path,label", f"{root}/train/happy/1.png,happy", "train/sad/2.png,sad")
    _, _, samples, _ = read("csv", root)
    assert [(s.key, s.image) for s in samples] == [("train/happy/1.png",) * 2, ("train/sad/2.png",) * 2]


def test_a_root_that_is_a_link_may_be_named_either_way(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    write(root, "path,label", f"{root}/train/happy/1.png,happy", f"{tmp_path}/link/train/sad/2.png,sad")
    assert images(tmp_path / "link") == ["train/happy/1.png", "train/sad/2.png"]


@pytest.mark.parametrize("before", ["/content/drive/fer", "C:\\data\\me\\fer", "../input/fer", "fer"])
def test_what_all_paths_of_another_machine_share_is_stripped_and_told(root, before):
    write(root, "path,label", f"{before}/train/happy/1.png,happy", f"{before}/train/sad/2.png,sad")
    layout, _, samples, _ = read("csv", root)
    assert [(s.key, s.image) for s in samples] == [("train/happy/1.png",) * 2, ("train/sad/2.png",) * 2]
    assert f"'{before.replace(chr(92), '/')}/' was removed from every path" in layout.note


def test_a_prefix_is_not_guessed_where_one_of_the_remaining_paths_is_not_there(root):
    write(root, "path,label", "/x/fer/train/happy/1.png,happy", "/x/fer/train/sad/3.png,sad")
    with pytest.raises(BrokenSource, match=r"t\.csv:2: .*leads outside the folder") as caught:
        read("csv", root)
    assert "--strip-prefix /x/fer" in caught.value.hint
    assert images(root, strip_prefix="/x/fer") == ["train/happy/1.png", "train/sad/3.png"]
    assert images(root, strip_prefix="/x/fer/") == ["train/happy/1.png", "train/sad/3.png"]


def test_a_prefix_is_cut_at_a_folders_end_only(root):
    write(root, "path,label", "/x/fer/train/happy/1.png,happy")
    with pytest.raises(BrokenSource, match="leads outside the folder"):
        read("csv", root, strip_prefix="/x/fe")


def test_what_is_left_of_a_path_may_not_lead_out_either(root):
    write(root, "path,label", "/x/../../etc/1.png,happy")
    with pytest.raises(BrokenSource, match="leads outside the folder"):
        read("csv", root, strip_prefix="/x")


def test_paths_that_differ_from_the_files_in_case_only_are_found_and_counted(root):
    write(root, "path,label", "Train/Happy/1.PNG,happy", "train/sad/2.png,sad")
    layout, _, samples, _ = read("csv", root)
    assert [s.image for s in samples] == ["train/happy/1.png", "train/sad/2.png"]
    assert samples[0].key == "Train/Happy/1.PNG"
    assert "1 path differs from its file's name in capital letters or Unicode form only" in layout.note


def test_a_case_that_fits_two_files_is_not_guessed(root):
    save(root / "train/happy/A.png", face(3, 8))
    save(root / "train/happy/a.png", face(4, 8))
    write(root, "path,label", "train/happy/A.PNG,happy", "train/happy/a.png,happy")
    assert images(root) == ["train/happy/A.PNG", "train/happy/a.png"]


def test_two_paths_that_would_be_one_file_are_not_one(root):
    write(root, "path,label", "train/sad/2.png,sad", "train/sad/2.PNG,happy", "train/happy/1.PNG,happy")
    layout, _, samples, _ = read("csv", root)
    assert [s.image for s in samples] == ["train/sad/2.png", "train/sad/2.PNG", "train/happy/1.PNG"]
    assert "Capital letters in paths matter" in layout.note


@pytest.mark.parametrize(("table", "disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_in_another_unicode_form_is_found(root, table, disk):
    save(root / unicodedata.normalize(disk, "Müller/ä.png"), face(5, 8))
    write(root, "path,label", unicodedata.normalize(table, "Müller/ä.png") + ",happy")
    assert images(root) == [unicodedata.normalize(disk, "Müller/ä.png")]


def test_a_windows_root_and_a_windows_path_are_compared_as_windows_does():
    from ferdata.adapters.csv.paths import below

    assert below("c:/data/Set/a.png", ("C:/Data/set",)) == "a.png"
    assert below("C:/data/settings/a.png", ("C:/data/set",)) is None
    assert below("/data/Set/a.png", ("/data/set",)) is None


def test_images_that_all_lie_in_one_folder_beside_the_table_are_found_there_and_it_is_told(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / "images" / name, face(len(name), 8))
    write(tmp_path, "path,label", "a.png,happy", "b.png,sad", name="data/legend.csv")
    layout, _, samples, _ = read("csv", tmp_path, table="data/legend.csv")
    assert [s.image for s in samples] == ["images/a.png", "images/b.png"]
    assert "Its paths start at the folder images." in layout.note


def test_a_folder_that_has_only_some_of_them_is_not_taken(tmp_path):
    save(tmp_path / "images" / "a.png", face(1, 8))
    write(tmp_path, "path,label", "a.png,happy", "b.png,sad")
    assert [s.image for s in read("csv", tmp_path)[2]] == ["a.png", "b.png"]
