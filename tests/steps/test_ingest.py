"""Ingest: every image once, what cannot be read counted and kept by reason, nothing half-written."""

import os
import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ferdata import images
from ferdata.errors import (
    AlreadyExists,
    BadOption,
    BrokenSource,
    DatasetMissing,
    NotThisDataset,
    UnknownLabel,
)
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from ferdata.steps.validate import validate
from tests.fakes import face, ferplus, layouts, save

ALL = sorted(layouts())


def emotions(root: Path, n: int = 6) -> Path:
    """Lay out n faces of fear and n of joy as class folders."""
    for i in range(n):
        save(root / "fear" / f"{i}.png", face(i))
        save(root / "Joy" / f"{i}.jpg", face(100 + i, colour=True))
    return root


def ck48(root: Path, n: int) -> list[Path]:
    """Lay out n people, each with a happy and a surprised face, as CK+48."""
    paths = [root / "CK+48" / word / f"S00{i}_001_0000000{i}.png" for word in ("happy", "surprise") for i in range(n)]
    for i, path in enumerate(paths):
        save(path.with_name(path.name.replace("_001_", f"_00{i}_")), face(i))
    return sorted((root / "CK+48").rglob("*.png"))


@pytest.mark.parametrize(("dataset", "layout"), ALL, ids=[f"{d}-{name}" for d, name in ALL])
def test_every_layout_becomes_a_valid_manifest_with_the_rows_it_has(tmp_path: Path, dataset: str, layout: str) -> None:
    root = tmp_path / dataset
    root.mkdir()
    expected = layouts()[dataset, layout](root)
    done = ingest(dataset, root=root, out=tmp_path / "m.parquet")
    table = Manifest(done.out).table("official_split", "native_label")
    found: dict = {}
    for row in table.to_pylist():
        key = (row["official_split"], row["native_label"])
        found[key] = found.get(key, 0) + 1
    assert found == dict(expected.counts)
    assert done.rows + sum(done.rejected.values()) == expected.rows + expected.skipped
    assert validate(done.out, images=True) == expected.rows


def test_paths_are_relative_to_the_root_and_the_root_to_the_manifest(tmp_path: Path) -> None:
    emotions(tmp_path / "data" / "inner")
    done = ingest("folder", root=tmp_path / "data", out=tmp_path / "manifests" / "m.parquet")
    opened = Manifest(done.out)
    assert opened.sources["folder"]["root"] == "../data"
    paths = [row["image"]["path"] for b in opened.batches(["image"]) for row in b.to_pylist()]
    assert all((tmp_path / "data" / p).is_file() for p in paths)
    assert not any(Path(p).is_absolute() for p in paths)


def test_embedding_keeps_the_files_own_bytes(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data")
    done = ingest("folder", root=root, out=tmp_path / "m.parquet", images="embed")
    for batch in Manifest(done.out).batches(["image"]):
        for row in batch.to_pylist():
            assert row["image"]["bytes"] == (root / row["image"]["path"]).read_bytes()


def test_pixels_of_a_table_are_embedded_without_loss(tmp_path: Path) -> None:
    ferplus.tables(tmp_path)
    done = ingest("ferplus", root=tmp_path, out=tmp_path / "m.parquet")
    stored = [row["image"]["bytes"] for b in Manifest(done.out).batches(["image"]) for row in b.to_pylist()]
    kept = [i for i, (_, name, _) in enumerate(ferplus.rows()) if name]
    assert len(stored) == len(kept)
    for data, seed in zip(stored, kept, strict=True):
        assert (images.decode(data) == face(seed)).all()


def test_the_same_pictures_have_the_same_hash_from_folders_and_from_the_table(tmp_path: Path) -> None:
    for layout in ("png", "csv"):
        (tmp_path / layout).mkdir()
        layouts()["ferplus", layout](tmp_path / layout)
    hashes = []
    for layout in ("png", "csv"):
        done = ingest("ferplus", root=tmp_path / layout, out=tmp_path / f"{layout}.parquet")
        rows = Manifest(done.out).table("sample_id", "pixel_hash").to_pylist()
        hashes.append({row["sample_id"]: row["pixel_hash"] for row in rows})
    once = [i for i in hashes[0] if "fer0000007" not in i]  # on two rows of the table, and one file
    assert len(once) > 30
    assert all(hashes[0][i] == hashes[1][i] for i in once)


def test_broken_files_are_rejected_by_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data")
    (root / "fear" / "0.png").write_bytes(b"")
    (root / "fear" / "1.png").write_bytes((root / "fear" / "1.png").read_bytes()[:200])
    (root / "fear" / "2.png").write_text("a text with the wrong name")
    outside = tmp_path / "secret.png"
    save(outside, face(5))
    (root / "fear" / "3.png").unlink()
    (root / "fear" / "3.png").symlink_to(outside)
    done = ingest("folder", root=root, out=tmp_path / "m.parquet")
    assert done.rows == 8
    assert done.rejected == {"broken image": 3, "outside the root": 1}
    assert done.rejects == tmp_path / "m.rejects.parquet"
    rejects = {row["path"]: row["detail"] for row in pq.read_table(done.rejects).to_pylist()}
    assert rejects == {
        "fear/0.png": "empty file",
        "fear/1.png": "truncated: no end marker",
        "fear/2.png": "incomplete image",
        "fear/3.png": "fear/3.png is a link that leads outside the root",
    }
    assert done.named["outside the root"] == ["folder:fear/3.png (fear/3.png is a link that leads outside the root)"]
    assert len(done.named["broken image"]) == 3
    record = Manifest(done.out).metadata["lineage"][0]
    assert record["rows_in"] == record["rows_out"] + sum(record["dropped"].values()) == 12


def test_a_pipe_among_the_pictures_is_rejected_and_not_waited_on(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data")
    os.mkfifo(root / "fear" / "pipe.png")
    done = ingest("folder", root=root, out=tmp_path / "m.parquet")
    assert (done.rows, done.rejected) == (12, {"unreadable file": 1})


@pytest.mark.parametrize(
    ("strange", "kept"), [("glee", True), ("7", False), (" -2", False), ("3.5", False), ("7.0", False)]
)
def test_an_unknown_word_in_a_table_may_be_kept_and_an_unknown_number_never(
    tmp_path: Path, strange: str, kept: bool
) -> None:
    """A number that the publishers do not have tells that somebody has numbered the classes anew, all of them."""
    layouts()["fer2013", "csv"](tmp_path)
    (path,) = tmp_path.rglob("fer2013.csv")
    lines = path.read_text().splitlines()
    lines[3] = strange + lines[3][1:]
    path.write_text("\n".join(lines))
    with pytest.raises(UnknownLabel, match=r"fer2013\.csv:4"):
        ingest("fer2013", root=tmp_path, out=tmp_path / "m.parquet")
    if kept:
        done = ingest("fer2013", root=tmp_path, out=tmp_path / "m.parquet", unknown_labels="keep")
        assert done.unknown_labels == {strange: 1}
        return
    with pytest.raises(UnknownLabel, match="codes that are not the publisher's") as caught:
        ingest("fer2013", root=tmp_path, out=tmp_path / "m.parquet", unknown_labels="keep")
    assert "ferdata ingest folder --name fer2013 --labels" in caught.value.hint
    assert not (tmp_path / "m.parquet").exists()


@pytest.mark.parametrize("name", ["../../x", "/x", "a:b", "a=b", ".x", "-x", "a\nb", "a" * 101])
def test_a_name_that_leads_out_or_that_no_sample_id_can_begin_with_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadOption, match="--name cannot be"):
        ingest("folder", root=emotions(tmp_path / "data"), name=name)


def test_rejects_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data")
    whole = (root / "fear" / "0.png").read_bytes()
    (root / "fear" / "0.png").write_bytes(b"")
    rejects = ingest("folder", root=root, out=tmp_path / "m.parquet").rejects
    assert rejects is not None
    (root / "fear" / "0.png").write_bytes(whole)
    assert ingest("folder", root=root, out=tmp_path / "m.parquet", force=True).rejects is None
    assert not rejects.exists()


def test_a_dataset_that_is_not_there_says_how_to_obtain_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERDATA_DATA", str(tmp_path))
    with pytest.raises(DatasetMissing) as caught:
        ingest("rafdb")
    for word in ("Who may have it", "How to obtain it", "Where to put it", "--root"):
        assert word in caught.value.hint


def test_the_root_comes_from_the_option_then_the_environment_then_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, n in (("option", 1), ("variable", 2), ("data/ckplus", 3)):
        (tmp_path / place).mkdir(parents=True)
        ck48(tmp_path / place, n)
    monkeypatch.chdir(tmp_path)
    rows = [ingest("ckplus", out="a.parquet").rows]
    monkeypatch.setenv("FERDATA_ROOT_CKPLUS", str(tmp_path / "variable"))
    rows.append(ingest("ckplus", out="b.parquet").rows)
    rows.append(ingest("ckplus", root="option", out="c.parquet").rows)
    assert rows == [6, 4, 2]


def test_another_datasets_folder_is_recognised(tmp_path: Path) -> None:
    ck48(tmp_path, 1)
    with pytest.raises(NotThisDataset) as caught:
        ingest("rafdb", root=tmp_path, out=tmp_path / "m.parquet")
    assert "This looks like ckplus" in caught.value.hint


def test_an_empty_folder_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotThisDataset, match="It holds: nothing"):
        ingest("ferplus", root=tmp_path / "empty", out=tmp_path / "m.parquet")


def test_no_such_folder_and_a_file_in_its_place_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="no folder"):
        ingest("ferplus", root=tmp_path / "nowhere", out=tmp_path / "m.parquet")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadOption, match="neither a folder nor a supported archive"):
        ingest("ferplus", root=tmp_path / "file", out=tmp_path / "m.parquet")


def test_when_no_image_can_be_read_there_is_no_manifest(tmp_path: Path) -> None:
    for path in ck48(tmp_path / "d", 1):
        path.write_bytes(b"")
    with pytest.raises(BrokenSource, match="2 x broken image"):
        ingest("ckplus", root=tmp_path / "d", out=tmp_path / "m.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_unknown_labels_are_told_all_at_once_or_kept_without_a_label(tmp_path: Path) -> None:
    ck48(tmp_path / "d", 2)
    for i, word in enumerate(("boredom", "boredom", "sleep")):
        save(tmp_path / "d" / "CK+48" / word / f"S90{i}_001_00000001.png", face(50 + i))
    with pytest.raises(UnknownLabel, match=r"'boredom': 2 rows, first S900_001_00000001; 'sleep': 1 rows"):
        ingest("ckplus", root=tmp_path / "d", out=tmp_path / "m.parquet")
    done = ingest("ckplus", root=tmp_path / "d", out=tmp_path / "m.parquet", unknown_labels="keep")
    assert (done.rows, done.labelled, done.unknown_labels) == (7, 4, {"boredom": 2, "sleep": 1})
    table = Manifest(done.out).table("native_label", "label", "label_reason").to_pylist()
    assert {"native_label": "sleep", "label": None, "label_reason": "other"} in table
    assert validate(done.out) == 7


def test_class_folders_of_unknown_meaning_are_kept_without_a_label_where_that_is_asked_for(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data", n=2)
    save(root / "Brüder" / "1.png", face(77))
    with pytest.raises(UnknownLabel, match=r"unknown meaning: 'Brüder' \(1 images\)") as caught:
        ingest("folder", root=root, out=tmp_path / "m.parquet")
    assert "--unknown-labels keep" in caught.value.hint
    done = ingest("folder", root=root, out=tmp_path / "m.parquet", unknown_labels="keep")
    assert (done.rows, done.labelled, done.unknown_labels) == (5, 4, {"Brüder": 1})
    (tmp_path / "t.csv").write_text("image,label\nfear/0.png,fear\nJoy/1.jpg,glee\n")
    shutil.copy(tmp_path / "t.csv", root / "t.csv")
    done = ingest("csv", root=root, out=tmp_path / "t.parquet", unknown_labels="keep")
    assert (done.rows, done.labelled, done.unknown_labels) == (2, 1, {"glee": 1})


def test_no_workers_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="--workers cannot be 0"):
        ingest("folder", root=emotions(tmp_path / "data"), out=tmp_path / "m.parquet", workers=0)


def test_counts_that_are_not_the_published_ones_are_told_and_kept(tmp_path: Path) -> None:
    ck48(tmp_path / "d", 2)
    done = ingest("ckplus", root=tmp_path / "d", out=tmp_path / "m.parquet")
    assert "'happy' in all: 2 found, 207 published (-205)" in done.differences
    assert Manifest(done.out).sources["ckplus"]["differences"] == list(done.differences)
    peak = ingest("ckplus", root=tmp_path / "d", out=tmp_path / "p.parquet", frames="peak")
    assert peak.differences == ()  # the published counts are those of the default


def test_an_archive_is_ingested_without_unpacking_it_by_hand(tmp_path: Path) -> None:
    ck48(tmp_path / "d", 3)
    shutil.make_archive(str(tmp_path / "ck"), "zip", tmp_path / "d")
    with zipfile.ZipFile(tmp_path / "ck.zip", "a") as file:
        file.writestr("../../evil.png", b"evil")
    plain = ingest("ckplus", root=tmp_path / "d", out=tmp_path / "a.parquet")
    packed = ingest("ckplus", root=tmp_path / "ck.zip", out=tmp_path / "b.parquet")
    assert packed.fingerprint == plain.fingerprint
    assert packed.rejected == {"left out of an archive": 1}
    opened = Manifest(packed.out)
    assert opened.sources["ckplus"]["root"] is None
    assert validate(packed.out, images=True) == 6
    with pytest.raises(BadOption, match="cannot refer to them"):
        ingest("ckplus", root=tmp_path / "ck.zip", out=tmp_path / "c.parquet", images="reference")


def test_an_unknown_class_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    save(tmp_path / "d" / "CK+48" / "boredom" / "S001_001_00000001.png", face(1))
    ck48(tmp_path / "d", 1)
    with pytest.raises(UnknownLabel, match="boredom"):
        ingest("ckplus", root=tmp_path / "d", out=tmp_path / "m.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_an_existing_manifest_is_refused_before_any_work(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data")
    ingest("folder", root=root, out=tmp_path / "m.parquet")
    with pytest.raises(AlreadyExists):
        ingest("folder", root=root, out=tmp_path / "m.parquet")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "both"}, "--images cannot be 'both'"),
        ({"votes": "median"}, "--votes cannot be 'median'"),
        ({"frames": "peak"}, "has no option 'frames'"),
        ({"synthetic": "maybe"}, "--synthetic cannot be 'maybe'"),
    ],
)
def test_an_option_that_cannot_work_is_refused(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        ingest("folder", root=emotions(tmp_path / "data"), out=tmp_path / "m.parquet", **options)


def test_class_folders_have_a_name_of_their_own(tmp_path: Path) -> None:
    done = ingest("folder", root=emotions(tmp_path / "data"), out=tmp_path / "m.parquet", name="mine")
    assert set(Manifest(done.out).sources) == {"mine"}


def test_an_unknown_dataset_is_answered_with_the_close_names() -> None:
    with pytest.raises(BadOption) as caught:
        ingest("ferpluss")
    assert "Did you mean ferplus" in caught.value.hint


def test_one_worker_and_four_write_the_same(tmp_path: Path) -> None:
    root = emotions(tmp_path / "data", n=700)
    done = [ingest("folder", root=root, out=tmp_path / f"{n}.parquet", workers=n) for n in (1, 4)]
    assert done[0].fingerprint == done[1].fingerprint
    assert done[0].rows == 1400
