"""Ingest and the user's own files: none is changed, none is passed over, and each is read from where it lies."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ferdata import images
from ferdata.errors import BrokenSource, NotThisDataset
from ferdata.manifest import Manifest
from ferdata.steps.ingest import Ingested, ingest
from ferdata.steps.validate import validate
from tests.fakes import face, layouts, save
from tests.steps.test_ingest import emotions

ALL = sorted(layouts())
IDS = [f"{dataset}-{layout}" for dataset, layout in ALL]


def tree(root: Path) -> dict[str, object]:
    """Return all that a folder holds, to the byte: files with rights, time and content, links with where they lead."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            what: object = str(path.readlink())
        elif path.is_file():
            what = (hashlib.sha256(path.read_bytes()).hexdigest(), status.st_nlink, status.st_mtime_ns)
        else:
            what = "folder"
        found[path.relative_to(root).as_posix()] = (status.st_mode, what)
    return found


def packed(root: Path, name: str, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(root / name, "w") as file:
        for member, data in members.items():
            file.writestr(member, data)
    return root / name


def with_hostile_archives(root: Path) -> int:
    """Lay beside a dataset what a browser saves: each folder once more, with other bytes. Return how many files."""
    names = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if p.is_file()]
    inner = [name for name in names if "/" in name]
    for folder in {name.partition("/")[0] for name in inner}:
        packed(
            root, f"{folder} (1).zip", dict.fromkeys((n for n in inner if n.startswith(f"{folder}/")), b"other bytes")
        )
    packed(root, "paper.zip", {"paper/readme.txt": b"a note"})
    return len(inner)


def paths(done: Ingested) -> list[str]:
    return [row["image"]["path"] for b in Manifest(done.out).batches(["image"]) for row in b.to_pylist()]


@pytest.mark.parametrize(("dataset", "layout"), ALL, ids=IDS)
class TestEveryLayout:
    def test_its_files_stay_as_they_are_also_beside_archives_that_hold_them_once_more(
        self, tmp_path: Path, dataset: str, layout: str
    ) -> None:
        root = tmp_path / "in"
        root.mkdir()
        layouts()[dataset, layout](root)
        before = tree(root)
        plain = ingest(dataset, root=root, out=tmp_path / "a.parquet")
        assert tree(root) == before
        refused = with_hostile_archives(root)
        before = tree(root)
        beside = ingest(dataset, root=root, out=tmp_path / "b.parquet")
        assert tree(root) == before
        assert beside.fingerprint == plain.fingerprint
        assert Manifest(beside.out).sources == Manifest(plain.out).sources  # the root, too
        assert paths(beside) == paths(plain)
        assert beside.out.stat().st_size < plain.out.stat().st_size * 1.2  # no picture is embedded for it
        assert beside.rejected.get("left out of an archive", 0) == refused
        assert validate(beside.out, images=True) == plain.rows

    def test_every_file_is_a_row_or_a_reject_or_counted(self, tmp_path: Path, dataset: str, layout: str) -> None:
        root = tmp_path / "in"
        root.mkdir()
        layouts()[dataset, layout](root)
        done = ingest(dataset, root=root, out=tmp_path / "m.parquet")
        first = next((root / path for path in paths(done) if path), done.base / "none")
        for name in ("README.txt", "IMG_1.heic", "no ending", "notes.rar"):
            (first.parent / name).write_bytes(b"a note")
        done = ingest(dataset, root=root, out=tmp_path / "m.parquet", force=True)
        there = {
            path.relative_to(done.base).as_posix()
            for path in done.base.rglob("*")
            if path.is_file() and not any(part.startswith((".", "__")) for part in path.relative_to(done.base).parts)
        }
        prefix = "" if done.base == root else done.base.relative_to(root).as_posix() + "/"
        of_rows = {path.removeprefix(prefix) for path in paths(done) if path}
        of_rows |= {path for path in there if (dataset, layout) == ("hf", "parquet") and path.endswith(".parquet")}
        rejects = pq.read_table(done.rejects).to_pylist() if done.rejects else []
        rejected = {(r["path"] or "").removeprefix(prefix) or r["sample_id"].partition(":")[2] for r in rejects}
        left = Counter(Path(p).suffix.lower() or "without an ending" for p in there - of_rows - rejected)
        of_videos = Counter({ending: n for ending, n in left.items() if ending in (".avi", ".mp4")})  # rows name none
        assert Counter(done.others) + of_videos >= left >= Counter(done.others)
        assert {".txt", ".rar", "without an ending"} <= set(done.others)
        assert Manifest(done.out).metadata["lineage"][0]["other_files"] == done.others


STOPPED = """
import os, sys, time
from ferdata import images
from ferdata.sources import archives
begun = False
def slowly(function):
    def slow(*given):
        global begun
        if not begun:
            begun = True
            os.write(1, b"begun\\n")
            time.sleep(0.5)  # the signal comes meanwhile
        return function(*given)
    return slow
if sys.argv[1] == "measuring":
    images.Measured.add = slowly(images.Measured.add)
else:
    archives.pieces = slowly(archives.pieces)
from ferdata.steps.ingest import ingest
for line in sys.stdin:
    dataset, root, out = line.rstrip("\\n").split("\\t")
    begun = False
    try:
        ingest(dataset, root=root, out=out, workers=1)
    except KeyboardInterrupt:
        os.write(1, b"stopped\\n")
    else:
        os.write(1, b"done\\n")
"""


@pytest.mark.slow
@pytest.mark.parametrize("at", ["measuring", "unpacking"])
def test_files_stay_as_they_are_when_any_dataset_is_stopped_in_the_middle(tmp_path: Path, at: str) -> None:
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    arguments = [sys.executable, "-c", STOPPED, at]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for (dataset, layout), name in zip(ALL, IDS, strict=True):
            root = tmp_path / name
            root.mkdir()
            layouts()[dataset, layout](root)
            with_hostile_archives(root)
            before = tree(root)
            process.stdin.write(f"{dataset}\t{root}\t{tmp_path / 'out' / name}.parquet\n")
            process.stdin.flush()
            assert process.stdout.readline() == "begun\n", name
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "stopped\n", name
            assert tree(root) == before, name
            assert list((tmp_path / "temporary").iterdir()) == [], name
        process.stdin.close()
    assert not list((tmp_path / "out").glob("[!.]*.parquet"))


def test_pictures_in_archives_are_embedded_and_those_beside_them_stay_where_they_are(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data")
    packed(root, "more.zip", {f"sad/{i}.png": images.encode_png(face(200 + i)) for i in range(4)})
    done = ingest("folder", root=root, out=tmp_path / "m.parquet")
    stored = {
        row["image"]["path"]: row["image"]["bytes"]
        for b in Manifest(done.out).batches(["image"])
        for row in b.to_pylist()
    }
    assert (done.rows, done.rejected) == (16, {})
    assert {path for path, data in stored.items() if data} == {f"sad/{i}.png" for i in range(4)}
    assert Manifest(done.out).sources["folder"]["root"] == "data"
    assert validate(done.out, images=True) == 16
    shutil.rmtree(root / "fear")
    shutil.rmtree(root / "Joy")
    alone = ingest("folder", root=root, out=tmp_path / "alone.parquet")
    assert alone.rows == validate(alone.out, images=True) == 4


def test_links_within_the_root_are_followed_also_beside_an_archive(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data")
    (root / "fear").rename(root / ".store")
    (root / "fear").mkdir()
    for i in range(6):
        (root / "fear" / f"{i}.png").symlink_to(f"../.store/{i}.png")
    (root / "anger").symlink_to("Joy")
    plain = ingest("folder", root=root, out=tmp_path / "a.parquet")
    assert (plain.rows, plain.rejected) == (18, {})
    packed(root, "notes.zip", {"notes/readme.txt": b"x"})
    assert ingest("folder", root=root, out=tmp_path / "b.parquet").fingerprint == plain.fingerprint
    (tmp_path / "named").symlink_to(root)  # the user names it
    assert ingest("folder", root=tmp_path / "named", out=tmp_path / "c.parquet").rows == 18


def test_pictures_behind_a_link_that_leads_out_are_rejected_by_that_name(tmp_path: Path) -> None:
    emotions(tmp_path / "disk")
    root = tmp_path / "data"
    save(root / "sad" / "0.png", face(50))
    (root / "fear").symlink_to(tmp_path / "disk" / "fear")
    done = ingest("folder", root=root, out=tmp_path / "m.parquet")
    assert (done.rows, done.rejected) == (1, {"outside the root": 6})
    details = set(pq.read_table(done.rejects)["detail"].to_pylist())
    assert details == {"fear is a link that leads outside the root"}
    shutil.rmtree(root / "sad")
    with pytest.raises(BrokenSource, match=r"6 x outside the root such as .*fear is a link that leads out") as caught:
        ingest("folder", root=root, out=tmp_path / "n.parquet")
    assert "Links are followed only inside" in caught.value.hint


def listed(root: Path, *names: str) -> Path:
    (root / "labels.csv").write_text("\n".join(["image,label", *(f"{name},happy" for name in names)]), encoding="utf-8")
    return root


def test_a_file_that_differs_in_capitals_is_missing_and_named_and_one_that_reads_the_same_is_found(
    tmp_path: Path, ferdata
) -> None:
    umlaut = unicodedata.normalize("NFD", "Jürgen.png")
    save(tmp_path / "data" / "Faces" / "a.png", face(1))
    save(tmp_path / "data" / "Faces" / umlaut, face(2))
    composed = unicodedata.normalize("NFC", umlaut)  # a table that has both spellings means two files
    root = listed(tmp_path / "data", "Faces/a.png", "faces/a.PNG", f"Faces/{composed}", "Faces/c.png")
    done = ingest("csv", root=root, out=tmp_path / "m.parquet", name="mine")
    assert (done.rows, done.rejected) == (2, {"missing file": 2})
    assert paths(done) == ["Faces/a.png", f"Faces/{umlaut}"]
    assert validate(done.out, images=True) == 2
    details = {r["path"]: r["detail"] for r in pq.read_table(done.rejects).to_pylist()}
    assert details == {"faces/a.PNG": "Faces/a.png exists, with another spelling", "Faces/c.png": ""}
    said = ferdata("ingest", "csv", "--root", root, "-o", tmp_path / "n.parquet", "--name", "mine").out
    assert "mine:faces/a.PNG (Faces/a.png exists, with another spelling), mine:Faces/c.png" in said


def test_where_nothing_could_be_read_the_first_file_that_was_looked_for_is_named(tmp_path: Path) -> None:
    root = listed(tmp_path, "pics/1.png", "pics/2.png")
    with pytest.raises(BrokenSource, match=f"2 x missing file such as {tmp_path / 'pics' / '1.png'}"):
        ingest("csv", root=root, out=tmp_path / "m.parquet")


def test_pictures_that_no_decoder_reads_are_rejected_by_what_they_are(tmp_path: Path, ferdata) -> None:
    root = emotions(tmp_path / "data", n=2)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 400
    (root / "fear" / "IMG_1.HEIC").write_bytes(heic)
    (root / "fear" / "2.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8X")
    (root / "fear" / "notes").write_bytes(b"x")
    ran = ferdata("ingest", "folder", "--root", root, "-o", tmp_path / "m.parquet")
    assert ran.code == 0, ran
    for words in ("1 unsupported format", "folder:fear/IMG_1.HEIC", "HEIC, which is not supported", "1 broken image"):
        assert words in ran.out
    assert "other files     1 without an ending\n                fear/notes" in ran.out


def test_an_archive_that_is_not_read_is_named_where_nothing_else_is_there(tmp_path: Path) -> None:
    for name in ("fer.rar", "set.zip.001"):
        (tmp_path / name).write_bytes(b"x")
    for dataset in ("folder", "fer2013", "csv"):
        with pytest.raises((NotThisDataset, BrokenSource)) as caught:
            ingest(dataset, root=tmp_path, out=tmp_path / "m.parquet")
        assert "fer.rar, set.zip.001" in caught.value.hint, dataset


def test_an_archive_on_its_own_is_never_told_by_its_temporary_folder(tmp_path: Path) -> None:
    root = packed(tmp_path, "d.zip", {"d/notes.txt": b"x", "d/more.txt": b"x"})
    for dataset in ("folder", "fer2013", "csv"):
        with pytest.raises((NotThisDataset, BrokenSource)) as caught:
            ingest(dataset, root=root, out=tmp_path / "m.parquet")
        assert "ferdata-" not in str(caught.value), dataset
        assert str(root) in caught.value.message


def test_a_zip_with_backslashes_gives_its_classes_and_splits(tmp_path: Path) -> None:
    members = {
        f"d\\train\\{c}\\{i}.png": images.encode_png(face(i + 9 * len(c))) for c in ("happy", "sad") for i in (1, 2)
    }
    done = ingest("folder", root=packed(tmp_path, "d.zip", members), out=tmp_path / "m.parquet")
    assert set(Manifest(done.out).table("native_label", "official_split")["native_label"].to_pylist()) == {
        "happy",
        "sad",
    }
    assert {row["image"]["path"] for b in Manifest(done.out).batches(["image"]) for row in b.to_pylist()} == {
        f"d/train/{c}/{i}.png" for c in ("happy", "sad") for i in (1, 2)
    }
