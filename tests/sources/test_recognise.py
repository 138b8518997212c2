"""How a dataset's folder is recognised, and which files in it are images."""

import errno
import os

import pytest

from ferdata.adapters import load
from ferdata.errors import BrokenSource, NotThisDataset
from ferdata.sources.declaration import Layout, Licence, Source
from ferdata.sources.recognise import image_names, images_below, leads_out, other_files, recognise
from tests.fakes import face, save


def source(*layouts: Layout) -> Source:
    return Source("made", "", "", Licence("", ""), "", "", (), "", "", layouts)


def test_a_layout_is_found_two_folders_below_and_the_first_declared_wins(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one.csv").touch()
    (tmp_path / "two.csv").touch()
    first, second = Layout("one", ("one.csv",), {}), Layout("two", ("two.csv",), {})
    assert recognise(source(first, second), tmp_path) == (first, tmp_path / "a" / "b")
    assert recognise(source(second, first), tmp_path) == (second, tmp_path)
    assert recognise(source(second), tmp_path / "a") is None


@pytest.mark.parametrize("text", ["emotion;pixels\n", "emotion\tpixels\n", '"emotion","pixels"\n'])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_header_is_known_with_any_separator_and_in_any_encoding(tmp_path, text, encoding):
    layout = Layout("one", ("train.csv",), {}, header=("emotion", "pixels"))
    (tmp_path / "train.csv").write_bytes(text.encode(encoding))
    assert recognise(source(layout), tmp_path) == (layout, tmp_path)
    (tmp_path / "train.csv").write_text("id;pixels\n")
    assert recognise(source(layout), tmp_path) is None


def test_every_mark_must_match_in_the_same_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.csv").touch()
    (tmp_path / "two.csv").touch()
    assert recognise(source(Layout("both", ("one.csv", "two.csv"), {})), tmp_path) is None


def test_images_are_found_by_suffix_in_any_case_and_leftovers_are_not(tmp_path):
    for name in ("b.PNG", "a.jpeg", ".hidden.png", "._a.png", "Thumbs.db", "__MACOSX/a.png", ".git/a.png", "c/d.JPG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.name for p in images_below(tmp_path)] == ["a.jpeg", "b.PNG", "d.JPG"]


def test_a_root_without_rights_is_said_so(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(NotThisDataset, match="You may not read"):
        recognise(source(Layout("one", ("one.csv",), {})), tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../up", "a/../../up", "a/..", "~", "~root/x", "a\0b"),
        *("C:\\x", "C:x", "c:/x", "\\x", "\\\\server\\share\\x", "//server/share/x", "..\\up", "a\\..\\..\\up"),
    ],
)
def test_a_path_leads_out_in_either_spelling(path: str) -> None:
    assert leads_out(path)


@pytest.mark.parametrize("path", ["", "a.png", "a/b/c.png", "a\\b.png", "./a", "a..b/c", "...", "a~b", "é/ü"])
def test_a_path_below_the_folder_does_not(path: str) -> None:
    assert not leads_out(path)


def test_images_come_folder_by_folder_as_paths_are_sorted(tmp_path):
    names = [
        "a/1.png",
        "a/b/2.png",
        "a b/3.png",
        "a-b/4.png",
        "a.png",
        "b.png",
        "a/10.png",
        "a/2.png",
        "A/1.png",
        "ä/1.png",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    in_order = sorted(tmp_path / name for name in names)
    assert images_below(tmp_path) == in_order
    assert image_names(tmp_path) == [path.relative_to(tmp_path).as_posix() for path in in_order]


def forbidden(monkeypatch, place):
    """Have the system refuse to list a folder: the tests may run as root, whom no right stops."""
    real = os.scandir

    def scandir(path="."):
        if str(path) == str(place):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_may_not_be_read_is_refused_by_name(tmp_path, monkeypatch):
    for name in ("happy/1.png", "fear/2.png"):
        save(tmp_path / name, face(1, 8))
    forbidden(monkeypatch, tmp_path / "fear")
    with pytest.raises(BrokenSource, match=r"Cannot read the folder .*/fear: Permission denied"):
        image_names(tmp_path)


def test_a_disks_own_folder_is_passed_over(tmp_path, monkeypatch):
    save(tmp_path / "happy/1.png", face(1, 8))
    (tmp_path / "lost+found").mkdir()
    forbidden(monkeypatch, tmp_path / "lost+found")
    assert image_names(tmp_path) == ["happy/1.png"]


def test_a_link_to_itself_is_no_folder_and_no_reason_to_stop(tmp_path):
    save(tmp_path / "Train/Angry/1.png", face(1, 8))
    save(tmp_path / "Train/Surprise/2.png", face(2, 8))
    (tmp_path / "circle").symlink_to("circle")
    assert recognise(load("sfew").SOURCE, tmp_path)


def test_folders_that_may_not_be_read_are_said_to_who_asks(tmp_path, monkeypatch):
    save(tmp_path / "happy/1.png", face(1, 8))
    (tmp_path / "lost+found").mkdir()
    forbidden(monkeypatch, tmp_path / "happy")
    closed = []
    assert other_files(tmp_path, (), closed) == []
    assert [error.filename for error in closed] == [str(tmp_path / "happy")]
