"""Archives: read as folders, gone afterwards; members that do harm are left out by name."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from ferdata.errors import BrokenSource, CannotWrite
from ferdata.sources import archives


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix != ".tar" else "w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


MEMBERS = {"set/a/1.txt": b"one", "set/b/2.txt": b"two"}


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tar.gz", "SET.TGZ"])
def test_an_archive_is_a_folder_while_it_is_open_and_gone_afterwards(tmp_path: Path, name: str) -> None:
    make = zipped if name.endswith(".zip") else tarred
    with archives.opened(make(tmp_path / name, MEMBERS)) as opened:
        assert opened.unpacked
        assert files(opened.folder) == MEMBERS
        folder = opened.folder
    assert not folder.exists()


def test_a_folder_without_archives_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with archives.opened(tmp_path) as opened:
        assert (opened.folder, opened.unpacked) == (tmp_path, False)


def test_archives_in_a_folder_are_unpacked_where_they_lie_beside_the_other_files(tmp_path: Path) -> None:
    (tmp_path / "EmoLabel").mkdir()
    (tmp_path / "EmoLabel" / "list.txt").write_text("list")
    zipped(tmp_path / "Image" / "aligned.zip", {"aligned/1.jpg": b"1"})
    zipped(tmp_path / "Image" / "loose.zip", {"2.jpg": b"2", "3.jpg": b"3"})
    with archives.opened(tmp_path) as opened:
        assert files(opened.folder) == {
            "EmoLabel/list.txt": b"list",
            "Image/aligned/1.jpg": b"1",
            "Image/loose/2.jpg": b"2",
            "Image/loose/3.jpg": b"3",
        }
    assert (tmp_path / "EmoLabel" / "list.txt").read_text() == "list"


def test_what_lies_beside_an_archive_is_never_written_over(tmp_path: Path) -> None:
    """A browser saves a second download as `aligned (1).zip`; its folder is there already."""
    for i in range(3):
        (tmp_path / "aligned").mkdir(exist_ok=True)
        (tmp_path / "aligned" / f"{i}.png").write_bytes(b"the user's own %d" % i)
    mine = files(tmp_path)
    other = {"aligned/0.png": b"other", "aligned/1.png": mine["aligned/1.png"], "aligned/9.png": b"new",
             "aligned/2.png/inner.png": b"a file is in the way"}  # fmt: skip
    for suffix, make in ((".zip", zipped), (".tar.gz", tarred)):
        archive = make(tmp_path / f"aligned (1){suffix}", other)
        with archives.opened(tmp_path) as opened:
            assert files(opened.folder) == mine | {"aligned/9.png": b"new"}
            assert {(h.name, h.why) for h in opened.left_out} == {
                (f"{archive.name}/aligned/{name}", "another file of that name is there")
                for name in ("0.png", "2.png/inner.png")
            }
        archive.unlink()
        assert files(tmp_path) == mine


def test_of_two_archives_with_one_name_inside_the_second_is_counted(tmp_path: Path) -> None:
    zipped(tmp_path / "set (1).zip", {"set/1.png": b"one", "set/2.png": b"two"})
    zipped(tmp_path / "set (2).zip", {"set/1.png": b"another one", "set/2.png": b"two"})
    with archives.opened(tmp_path) as opened:
        assert files(opened.folder) == {"set/1.png": b"one", "set/2.png": b"two"}
        assert [h.name for h in opened.left_out] == ["set (2).zip/set/1.png"]


def test_an_archive_that_was_unpacked_already_is_passed_over(tmp_path: Path) -> None:
    zipped(tmp_path / "aligned.zip", {"aligned/1.jpg": b"1"})
    (tmp_path / "aligned").mkdir()
    with archives.opened(tmp_path) as opened:
        assert not opened.unpacked


HOSTILE = {
    "../out.txt": "a path that leads out (..)",
    "set/../../out.txt": "a path that leads out (..)",
    "/etc/out.txt": "an absolute path",
    "C:\\out.txt": "an absolute path",
    "..\\out.txt": "a path that leads out (..)",
}


@pytest.mark.parametrize("make", [zipped, tarred])
def test_members_that_lead_out_are_left_out_by_name(tmp_path: Path, make) -> None:
    path = make(tmp_path / ("x.zip" if make is zipped else "x.tar.gz"), MEMBERS | dict.fromkeys(HOSTILE, b"evil"))
    with archives.opened(path) as opened:
        assert set(files(opened.folder).values()) == {b"one", b"two"}
        found = {h.name.split("/", 1)[1]: h.why for h in opened.left_out}
    assert found == HOSTILE
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


def test_links_in_a_tar_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for kind, name in (
            (tarfile.SYMTYPE, "set/soft"),
            (tarfile.LNKTYPE, "set/hard"),
            (tarfile.FIFOTYPE, "set/pipe"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/hostname"
            file.addfile(info)
    with archives.opened(tmp_path / "x.tar") as opened:
        assert files(opened.folder) == {}
        assert [h.name for h in opened.left_out] == ["x.tar/set/soft", "x.tar/set/hard", "x.tar/set/pipe"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_second_member_of_the_same_name_is_counted(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for data in (b"one", b"two"):
            file.writestr("set/a.txt", data)
    with archives.opened(tmp_path / "x.zip") as opened:
        assert files(opened.folder) == {"set/a.txt": b"one"}
        assert [h.why for h in opened.left_out] == ["another file of that name is there"]


def test_a_link_in_a_zip_is_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        info = zipfile.ZipInfo("set/link")
        info.external_attr = 0o120777 << 16
        file.writestr(info, "/etc/hostname")
    with archives.opened(tmp_path / "x.zip") as opened:
        assert [(h.name, h.why) for h in opened.left_out] == [("x.zip/set/link", "a link")]


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    zipped(tmp_path / "x.zip", MEMBERS | {"set/bomb.bin": b"\0" * (64 << 20)})
    with archives.opened(tmp_path / "x.zip") as opened:
        assert files(opened.folder) == MEMBERS
        assert opened.left_out[0].why.startswith("swells to 0.1 GB")
    with (
        pytest.raises(BrokenSource, match="swells"),
        archives.opened(tarred(tmp_path / "x.tar.gz", {"b": b"\0" * (64 << 20)})),
    ):
        pass


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", MEMBERS)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BrokenSource, match=r"x\.zip is damaged"), archives.opened(path):
        pass


def test_a_tar_that_is_cut_short_is_named(tmp_path: Path) -> None:
    import os

    path = tarred(tmp_path / "x.tar.gz", {"set/noise": os.urandom(200_000)})
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(BrokenSource, match=r"x\.tar\.gz is damaged"), archives.opened(path):
        pass


def test_too_little_room_is_said_before_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(CannotWrite, match="free") as caught, archives.opened(zipped(tmp_path / "x.zip", MEMBERS)):
        pass
    assert "TMPDIR" in caught.value.hint
