"""Archives: read as folders, gone afterwards; members that do harm are left out by name."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
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
    """Return the files below a folder and what they hold, links followed."""
    found = (Path(parent, name) for parent, _, names in os.walk(folder, followlinks=True) for name in names)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


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
                (f"{archive.name}/aligned/{name}", "another file has that name")
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
    "../out.txt": "a path that leads outside (..)",
    "set/../../out.txt": "a path that leads outside (..)",
    "/etc/out.txt": "an absolute path",
    "C:\\out.txt": "an absolute path",
    "..\\out.txt": "a path that leads outside (..)",
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
        assert [h.why for h in opened.left_out] == ["another file has that name"]


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
        assert opened.left_out[0].why.startswith("unpacks to 0.1 GB")
    with (
        pytest.raises(BrokenSource, match="unpacks from"),
        archives.opened(tarred(tmp_path / "x.tar.gz", {"b": b"\0" * (64 << 20)})),
    ):
        pass


def test_a_zip_that_is_cut_short_is_called_that(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", MEMBERS)
    path.write_bytes(path.read_bytes()[:-30])
    with (
        pytest.raises(BrokenSource, match=r"x\.zip is incomplete: the end of the zip archive is missing"),
        archives.opened(path),
    ):
        pass


TABLE = b"\n".join(b"%d,%d,abc" % (i, i * i) for i in range(20_000))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("where", [0.01, 0.3, 0.5, 0.9])
def test_damage_anywhere_is_told_or_does_no_harm(tmp_path: Path, kind: str, where: float) -> None:
    """Bytes in the middle of a compressed stream, its check sum, a header: never an error of the library's own."""
    path = tmp_path / f"x.{kind}"
    members = {"set/table.csv": TABLE, "set/noise": np.random.default_rng(0).bytes(50_000)}
    if kind == "zip":
        zipped(path, members)
    else:
        with tarfile.open(path, f"w:{kind.partition('.')[2]}") as file:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))
    whole = path.read_bytes()
    at = int(len(whole) * where)
    path.write_bytes(whole[:at] + b"\xff" * 40 + whole[at + 40 :])
    told, found = "", {}
    try:
        with archives.opened(path) as opened:
            found = files(opened.folder)
    except BrokenSource as error:
        told = error.message
    # A bare tar has no check sum of what it holds.
    assert kind == "tar" or found == members or f"{path} is damaged" in told


def tape(path: Path, data: bytes) -> Path:
    """Write the bytes of a tar, compressed as the ending says."""
    pack = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}
    path.write_bytes(pack[path.name.partition(".")[2]](data))
    return path


KINDS = ["tar", "tar.gz", "tar.bz2", "tar.xz"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_tar_that_ends_at_a_member_is_refused_and_not_taken_for_a_small_one(tmp_path: Path, kind: str) -> None:
    whole = tarred(tmp_path / "whole.tar", MEMBERS).read_bytes()
    with tarfile.open(tmp_path / "whole.tar") as file:
        starts = [member.offset for member in file][1:]
    for cut in starts:
        path = tape(tmp_path / f"x.{kind}", whole[:cut])
        with pytest.raises(BrokenSource, match=rf"x\.{kind} is damaged"), archives.opened(path):
            pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [3, 130, 150])  # in the name, in the size, in the header's own sum
def test_a_flipped_bit_in_a_header_does_not_end_a_tar_early(tmp_path: Path, kind: str, at: int) -> None:
    whole = bytearray(tarred(tmp_path / "whole.tar", MEMBERS).read_bytes())
    with tarfile.open(tmp_path / "whole.tar") as file:
        whole[file.getmembers()[1].offset + at] ^= 1
    path = tape(tmp_path / f"x.{kind}", whole)
    with pytest.raises(BrokenSource, match=rf"x\.{kind} is damaged"), archives.opened(path):
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_tar_with_a_hole_where_a_download_left_off_is_refused(tmp_path: Path, kind: str) -> None:
    whole = bytearray(tarred(tmp_path / "whole.tar", MEMBERS).read_bytes())
    with tarfile.open(tmp_path / "whole.tar") as file:
        at = file.getmembers()[1].offset
    whole[at : at + 512] = bytes(512)
    path = tape(tmp_path / f"x.{kind}", whole)
    with pytest.raises(BrokenSource, match="goes on behind its end"), archives.opened(path):
        pass


def test_a_wrong_check_sum_at_a_gzips_end_is_damage_and_rubbish_behind_it_is_not(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar.gz", MEMBERS)
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole + b"rubbish")
    with archives.opened(path) as opened:
        assert files(opened.folder) == MEMBERS
    whole[-8] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(BrokenSource, match=r"x\.tar\.gz is damaged"), archives.opened(path):
        pass


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page (HTML), not an archive"),
        (b"<HTML><head></head></HTML>", "a web page (HTML), not an archive"),
        (b"Rar!\x1a\x07\x01\0" + b"\0" * 600, "a RAR archive, which is not supported"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 600, "a 7-Zip archive, which is not supported"),
        (b"", "an empty file, which is not supported"),
        (b"PAR1" + b"\0" * 600, "a Parquet file, which is not supported"),
        (b"some text", "damaged or not an archive"),
    ],
)
@pytest.mark.parametrize("name", ["data.zip", "data.tar.gz"])
def test_what_is_no_archive_is_called_what_it_is(tmp_path: Path, name: str, data: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(data)
    for root in (tmp_path, tmp_path / name):
        with pytest.raises(BrokenSource) as caught, archives.opened(root):
            pass
        assert f"{tmp_path / name} is {what}" in caught.value.message


@pytest.mark.parametrize("make", [zipped, tarred])
def test_an_archive_that_is_called_a_table_is_unpacked_and_a_table_is_left_alone(tmp_path: Path, make) -> None:
    """The challenge's own archive has been passed on as fer2013.csv."""
    make(tmp_path / "made.tar" if make is tarred else tmp_path / "made.zip", {"fer2013/fer2013.csv": TABLE})
    next(tmp_path.iterdir()).rename(tmp_path / "fer2013.csv")
    (tmp_path / "labels.csv").write_bytes(TABLE)
    with archives.opened(tmp_path) as opened:
        assert files(opened.folder) == {"fer2013/fer2013.csv": TABLE, "labels.csv": TABLE}
    with archives.opened(tmp_path / "fer2013.csv") as opened:
        assert files(opened.folder) == {"fer2013/fer2013.csv": TABLE}


def test_backslashes_in_a_zip_are_folders_as_on_the_system_that_wrote_it(tmp_path: Path) -> None:
    members = {"d\\train\\": b"", "d\\train\\happy\\1.png": b"1", "d\\train\\sad\\2.png": b"2"}
    with archives.opened(zipped(tmp_path / "d.zip", members)) as opened:
        assert files(opened.folder) == {"d/train/happy/1.png": b"1", "d/train/sad/2.png": b"2"}


def test_a_name_that_no_file_can_have_is_left_out_by_name(tmp_path: Path) -> None:
    root = tmp_path / "in"
    path = zipped(root / "d.zip", MEMBERS | {f"set/{'x' * 300}.txt": b"x"})
    for given in (root, path):
        with archives.opened(given) as opened:
            assert files(opened.folder) == MEMBERS
            assert [h.why for h in opened.left_out] == ["a name that is not allowed on this system"]


def test_errors_name_the_archive_and_never_the_temporary_folder(tmp_path: Path) -> None:
    path = zipped(tmp_path / "d.zip", MEMBERS)
    with pytest.raises(BrokenSource) as caught, archives.opened(path) as opened:
        raise BrokenSource(f"There is nothing in {opened.folder / 'set'}.", f"Look into {opened.folder}.")
    assert (caught.value.message, caught.value.hint) == (f"There is nothing in {path / 'set'}.", f"Look into {path}.")


def test_what_lies_beside_an_archive_is_neither_copied_nor_opened_for_writing(tmp_path: Path) -> None:
    """An archive within two folders of a large set must not have the set copied, nor its own files shared."""
    for place in ("happy/1.png", "sad/deep/2.png", "aligned/3.png"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_bytes(place.encode())
    (tmp_path / "happy" / "link.png").symlink_to("1.png")
    (tmp_path / "to sad").symlink_to("sad")
    mine = files(tmp_path)
    zipped(tmp_path / "paper.zip", {"paper/readme.txt": b"x"})
    zipped(tmp_path / "aligned (1).zip", {"aligned/9.png": b"9"})
    with archives.opened(tmp_path) as opened:
        assert files(opened.folder) == mine | {"paper/readme.txt": b"x", "aligned/9.png": b"9"}
        own = [p for p in opened.folder.rglob("*") if p.is_file() and not p.is_symlink()]
        assert sorted(p.name for p in own) == ["9.png", "readme.txt"]
        assert all(p.stat().st_nlink == 1 for p in tmp_path.rglob("*.png"))
    assert {k: v for k, v in files(tmp_path).items() if not k.endswith(".zip")} == mine


def test_archives_of_other_kinds_and_parts_of_one_are_found_and_pictures_with_numbers_are_not(tmp_path: Path) -> None:
    for name in ("a.rar", "b.7z", "c.zip.001", "d.z01", "e.csv.gz", "f.part1.rar", "inner/g.tar.zst"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for name in ("h.zip", "i.tar.gz", "face.001", "k.png", "._l.rar"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in archives.foreign(tmp_path)] == [
        *("a.rar", "b.7z", "c.zip.001", "d.z01", "e.csv.gz", "f.part1.rar", "g.tar.zst"),
    ]


def test_a_tar_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar.gz", {"set/noise": os.urandom(200_000)})
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(BrokenSource, match=r"x\.tar\.gz is damaged"), archives.opened(path):
        pass


def test_too_little_room_is_said_before_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(CannotWrite, match="free") as caught, archives.opened(zipped(tmp_path / "x.zip", MEMBERS)):
        pass
    assert "TMPDIR" in caught.value.hint
