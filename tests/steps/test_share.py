"""Share and rehydrate: the same manifest on another copy, and a true report where the copy differs."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ferdata.adapters import ckplus
from ferdata.errors import BadOption, BrokenSource
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from ferdata.sources.declaration import Option
from ferdata.steps.apply import apply
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.rehydrate import rehydrate
from ferdata.steps.share import share
from ferdata.steps.validate import validate
from tests.conftest import Ran
from tests.fakes import face, layouts, save


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A merge of two datasets, one with options of its own; theirs lie in tmp_path/a and tmp_path/b."""
    layouts()["ferplus", "png"](made(tmp_path / "a"))
    layouts()["ckplus", "ck48"](made(tmp_path / "b"))
    one = ingest("ferplus", root=tmp_path / "a", out=tmp_path / "one.parquet")
    two = ingest("ckplus", root=tmp_path / "b", out=tmp_path / "two.parquet", frames="peak")
    return merge(one.out, two.out, out=tmp_path / "merged.parquet", taxonomy="basic7").out


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def copied(tmp_path: Path) -> list[str]:
    for name in "ab":
        shutil.copytree(tmp_path / name, tmp_path / "copy" / name)
    return [f"ferplus={tmp_path}/copy/a", f"ckplus={tmp_path}/copy/b"]


def test_another_copy_gives_the_same_manifest(tmp_path: Path, merged: Path) -> None:
    written = share(merged, out=tmp_path / "shared.json")
    assert str(tmp_path) not in written.out.read_text()
    done = rehydrate(written.out, out=tmp_path / "again.parquet", root=copied(tmp_path))
    assert done.same
    assert done.fingerprint == Manifest(merged).fingerprint
    assert all((m.names, m.missing, m.extra, m.relabelled) == (0, 0, 0, 0) for m in done.datasets.values())
    assert validate(done.out, images=True) == done.rows
    assert "copy" in str(Manifest(done.out).roots()["ferplus"])


def test_a_shared_file_holds_no_pixels_no_votes_and_no_paths(tmp_path: Path, merged: Path) -> None:
    document = json.loads(share(merged, out=tmp_path / "shared.json").out.read_text())
    assert "image" not in document["rows"]
    assert "votes" not in document["rows"]
    assert all("root" not in source for source in document["sources"].values())


def with_option(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Give ckplus an option of that name, as an adapter of somebody's own may have it."""
    more = (*ckplus.SOURCE.options, Option(name, "Where something of the reader's own is."))
    monkeypatch.setattr(ckplus, "SOURCE", replace(ckplus.SOURCE, options=more))


def test_what_nobody_could_rehydrate_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_option(monkeypatch, "list")
    layouts()["ckplus", "ck48"](made(tmp_path / "b"))
    two = ingest("ckplus", root=tmp_path / "b", out=tmp_path / "two.parquet", list=str(tmp_path / "list.txt"))
    with pytest.raises(BadOption, match=r"two\.parquet cannot be shared: lineage\[0\]\.options\.list is ") as told:
        share(two.out, out=tmp_path / "shared.json")
    assert "inside the dataset's folder" in told.value.hint
    assert not (tmp_path / "shared.json").exists()


def test_a_prefix_of_a_table_that_is_cut_off_is_no_file_and_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_option(monkeypatch, "strip_prefix")
    layouts()["ckplus", "ck48"](made(tmp_path / "b"))
    two = ingest("ckplus", root=tmp_path / "b", out=tmp_path / "two.parquet", strip_prefix="/publisher/faces")
    written = share(two.out, out=tmp_path / "shared.json").out
    assert rehydrate(written, out=tmp_path / "again.parquet", root=[f"ckplus={tmp_path}/b"]).same


def test_a_reviewed_manifest_travels_with_its_decisions(tmp_path: Path, merged: Path) -> None:
    """Its lineage, whose last step is a review, and its columns: what `show` and `rehydrate` read."""
    picture = Manifest(merged).table("pixel_hash", "sample_id").slice(0, 1).to_pylist()[0]
    said = ledger.Decision("1", **picture, old=None, new="contempt", by="anna", at=ledger.now(), note="one corner")
    with ledger.locked(ledger.beside(merged)):
        ledger.append(ledger.beside(merged), [said])
    apply(merged)
    assert [step["step"] for step in Manifest(merged).metadata["lineage"]] == ["review"]
    done = rehydrate(
        share(merged, out=tmp_path / "shared.json").out, out=tmp_path / "again.parquet", root=copied(tmp_path)
    )
    assert done.same
    assert "contempt" in Manifest(done.out).table("reviewed_label")["reviewed_label"].to_pylist()
    assert validate(done.out) == done.rows


def test_what_is_missing_changed_or_new_in_the_copy_is_reported(tmp_path: Path, merged: Path) -> None:
    written = share(merged, out=tmp_path / "shared.json").out
    roots = copied(tmp_path)
    paths = [i["image"]["path"] for b in Manifest(tmp_path / "two.parquet").batches(["image"]) for i in b.to_pylist()]
    changed, gone = (tmp_path / "copy" / "b" / path for path in paths[:2])
    gone.unlink()
    save(changed, face(999))
    save(changed.with_name("S900_001_00000001.png"), face(77))
    done = rehydrate(written, out=tmp_path / "again.parquet", root=roots)
    found = done.datasets["ckplus"]
    # The peak of the clip that lost its last frame is now the frame before it: a stranger to the shared file.
    assert (found.pixels, found.names, found.missing) == (len(paths) - 2, 1, 1)
    assert found.first_missing == (f"ckplus:{gone.stem}",)
    assert found.extra == 2
    assert not done.same
    assert done.datasets["ferplus"].missing == 0
    assert validate(done.out, images=True) == done.rows


def test_training_is_advised_on_an_equal_manifest_alone(
    ferdata: Callable[..., Ran], tmp_path: Path, merged: Path
) -> None:
    written = share(merged, out=tmp_path / "shared.json").out
    roots = [part for root in copied(tmp_path) for part in ("--root", root)]
    equal = ferdata("rehydrate", written, "-o", tmp_path / "a.parquet", *roots)
    assert "Next: ferdata train" in equal.out, equal
    (
        tmp_path / "copy" / "b" / next(Manifest(tmp_path / "two.parquet").batches(["image"]))[0][0]["path"].as_py()
    ).unlink()
    differs = ferdata("rehydrate", written, "-o", tmp_path / "b.parquet", *roots)
    assert differs.code == 0, differs
    assert "The manifest differs from the shared one" in differs.out
    assert "Next:" not in differs.out


def test_a_root_for_a_dataset_that_the_shared_file_has_not_is_refused(tmp_path: Path, merged: Path) -> None:
    written = share(merged, out=tmp_path / "shared.json").out
    with pytest.raises(BadOption, match="jaffe"):
        rehydrate(written, out=tmp_path / "again.parquet", root=["jaffe=/x"])


@pytest.mark.parametrize("text", ["", "{}", '{"format": "other"}', "[1]"])
def test_what_is_no_shared_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "shared.json").write_text(text)
    with pytest.raises(BrokenSource, match="not a shared file"):
        rehydrate(tmp_path / "shared.json", out=tmp_path / "again.parquet")
