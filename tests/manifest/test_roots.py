"""Images that have moved are named as that by every step that reads them, and nothing is written down of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ferdata import manifest
from ferdata.errors import ImagesMissing
from ferdata.manifest import Manifest
from ferdata.steps.align import align
from ferdata.steps.audit import audit
from ferdata.steps.group import group
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.pack import pack
from ferdata.steps.validate import validate
from tests.fakes import face, save

STEPS: dict[str, Callable[[Path, Path], object]] = {
    "audit": lambda m, out: audit(m, out=out),
    "audit --report": lambda m, out: audit(m, report=out.with_suffix(".html")),
    "align": lambda m, out: align(m, out=out, detector="haar", size=32),
    "pack": lambda m, out: pack(m, size=32, split=["train"]),
    "merge": lambda m, out: merge(m, out=out),
    "group": lambda m, out: group(m, out=out),
    "validate --images": lambda m, out: validate(m, images=True),
}


def pictures(folder: Path) -> Path:
    for i in range(6):
        save(folder / "train" / ("happy", "sad")[i % 2] / f"{i}.png", face(i // 2))
        save(folder / "train" / ("happy", "sad")[i % 2] / f"{i}.jpg", face(i // 2))
    return folder


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    return ingest("folder", root=pictures(tmp_path / "data"), name="set", out=tmp_path / "m.parquet").out


@pytest.mark.parametrize("how", ["the folder is gone", "the folder is empty", "it was ingested elsewhere"])
@pytest.mark.parametrize("step", STEPS)
def test_images_that_have_moved_are_named_and_nothing_is_written(
    made: Path, tmp_path: Path, step: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "it was ingested elsewhere":
        (tmp_path / "here").mkdir()
        made = made.rename(tmp_path / "here" / "m.parquet")
    else:
        (tmp_path / "data").rename(tmp_path / "moved")
    if how == "the folder is empty":  # a disk that is not mounted
        (tmp_path / "data").mkdir()
    with pytest.raises(ImagesMissing, match="images of set are not in") as caught:
        STEPS[step](made, tmp_path / "out.parquet")
    assert "FERDATA_ROOT_SET=" in caught.value.hint
    assert list(tmp_path.glob("out*")) == []
    place = tmp_path / ("data" if how == "it was ingested elsewhere" else "moved")
    monkeypatch.setenv("FERDATA_ROOT_SET", str(place))
    STEPS[step](made, tmp_path / "out.parquet")


def test_some_images_that_are_gone_are_rows_of_their_own(made: Path, tmp_path: Path) -> None:
    for name in ("happy/0.png", "happy/0.jpg", "sad/1.png"):
        (tmp_path / "data" / "train" / name).unlink()
    (found,) = (o for o in audit(made).findings if o.name == "unreadable")
    assert found.count == 3


def test_embedded_images_need_no_root(tmp_path: Path) -> None:
    made = ingest("folder", root=pictures(tmp_path / "data"), name="set", images="embed", out=tmp_path / "m.parquet")
    (tmp_path / "data").rename(tmp_path / "moved")
    assert validate(made.out, images=True) == 12


def test_of_two_datasets_the_one_that_has_moved_is_named_though_the_other_is_embedded(tmp_path: Path) -> None:
    first = ingest("folder", root=pictures(tmp_path / "a"), name="one", images="embed", out=tmp_path / "one.parquet")
    second = ingest("folder", root=pictures(tmp_path / "b"), name="two", out=tmp_path / "two.parquet")
    merged = merge(first.out, second.out, out=tmp_path / "m.parquet", by=("pixels",)).out
    for name in ("a", "b"):
        (tmp_path / name).rename(tmp_path / f"{name}-moved")
    with pytest.raises(ImagesMissing, match="images of two are not in"):
        Manifest(merged).roots_there()
    assert Manifest(merged).roots_there({"two": tmp_path / "b-moved"})["two"] == tmp_path / "b-moved"


def test_a_manifest_without_rows_needs_no_root(made: Path, tmp_path: Path) -> None:
    opened = Manifest(made)
    manifest.write(tmp_path / "empty.parquet", [], opened.metadata)
    (tmp_path / "data").rename(tmp_path / "moved")
    assert list(Manifest(tmp_path / "empty.parquet").roots_there()) == ["set"]
