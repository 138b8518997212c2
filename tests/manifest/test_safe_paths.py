"""Paths below a root: none leads out, in any system's spelling; links only within; two drives have no way between."""

import errno
import ntpath
import os
import posixpath
import unicodedata
from pathlib import Path

import pytest

from ferdata.manifest.safe_paths import Below, inside, read_inside, seen_from
from ferdata.schema import escapes


@pytest.mark.parametrize(
    "path",
    [
        "..\\..\\x",
        "a\\..\\x",
        "a\\b",
        "C:x",
        "C:\\x",
        "c:/x",
        "\\\\server\\x",
        "/x",
        "//x",
        "..",
        "a/../x",
        "a/..",
        "a\0b",
    ],
)
def test_a_path_that_leads_out_on_any_system_is_refused_on_every_one(tmp_path: Path, path: str) -> None:
    """On Windows `..\\\\..\\\\x` is a path of three parts; here it is the name of a file, which may even be there."""
    assert escapes(path)
    if "/" not in path and "\0" not in path and path != "..":
        (tmp_path / path).write_bytes(b"x")
    for read in (read_inside, inside, lambda root, given: Below(root).read(given)):
        with pytest.raises(PermissionError) as caught:
            read(tmp_path, path)
        assert (caught.value.errno, caught.value.strerror) == (errno.EPERM, "the path leads outside the root")
    if "/" not in path:
        with pytest.raises(PermissionError):
            read_inside(tmp_path, f"folder/{path}")


@pytest.mark.parametrize("path", ["a.png", "a/b/c d.png", "a..b/..c.png", "ü/~x.png"])
def test_a_path_that_stays_below_is_read(tmp_path: Path, path: str) -> None:
    place = tmp_path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"x")
    assert not escapes(path)
    assert read_inside(tmp_path, path) == b"x"


def test_a_link_is_followed_within_the_root_and_named_where_it_leads_out(tmp_path: Path) -> None:
    root, disk = tmp_path / "root", tmp_path / "disk"
    for folder in (root / "store", disk / "deep"):
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(folder.name.encode())
    (root / "within").symlink_to("store")
    (root / "file.png").symlink_to("within/a.png")
    (root / "out").symlink_to(disk)
    (root / "out.png").symlink_to(disk / "deep" / "a.png")
    (tmp_path / "named").symlink_to(root)  # the root itself, which the user named
    for start in (root, tmp_path / "named"):
        below = Below(start)
        assert below.read("within/a.png") == below.read("file.png") == b"store"
        assert below.has("within/a.png")
        assert not below.has("out/deep/a.png")
        for path, link in (("out/deep/a.png", "out"), ("out.png", "out.png")):
            with pytest.raises(PermissionError) as caught:
                below.read(path)
            assert caught.value.strerror == f"{link} is a link that leads outside the root"


def test_paths_that_differ_in_capitals_or_in_accents_are_found_for_who_asks(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Ärger")
    (tmp_path / decomposed).mkdir()
    for name in ("a.PNG", "A.png", "b.png"):
        (tmp_path / decomposed / name).write_bytes(b"x")
    below = Below(tmp_path)
    composed = unicodedata.normalize("NFC", "ärger")
    assert below.alike(f"{composed}/a.png") == [f"{decomposed}/A.png", f"{decomposed}/a.PNG"]
    assert below.alike(f"{composed}/B.png") == [f"{decomposed}/b.png"]
    assert below.alike("none/B.png") == below.alike("b.png") == []


def test_a_root_on_another_drive_is_recorded_whole(tmp_path: Path) -> None:
    """`relpath` has no answer over two drives of Windows, and raises ValueError."""
    assert seen_from("C:\\m\\manifests", "C:\\m\\data", ntpath) == "../data"  # type: ignore[arg-type]
    assert seen_from("C:\\m\\manifests", "D:\\data\\fer", ntpath) == "D:/data/fer"  # type: ignore[arg-type]
    assert seen_from("/m/manifests", "/m/data", posixpath) == "../data"  # type: ignore[arg-type]
    assert (tmp_path / seen_from(tmp_path, tmp_path.parent / "data")).resolve() == tmp_path.parent / "data"
    assert os.path.normpath(ntpath.join("C:/m/manifests", "D:/data/fer")) == "D:/data/fer"  # as it is read again


def test_a_link_to_itself_is_an_error_of_the_system_and_so_is_a_way_through_one(tmp_path: Path) -> None:
    (tmp_path / "circle.png").symlink_to("circle.png")
    (tmp_path / "folder").symlink_to("folder")
    for path in ("circle.png", "folder/1.png"):
        with pytest.raises(OSError, match="symbolic links") as refused:
            read_inside(tmp_path, path)
        assert refused.value.errno == errno.ELOOP
        assert not Below(tmp_path).has(path)
