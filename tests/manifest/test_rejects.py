"""What ingest could not read is carried along by every step that makes one manifest of others."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ferdata.manifest import rejects
from ferdata.steps.align import align
from ferdata.steps.audit import audit
from ferdata.steps.group import group
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.split import split
from tests.fakes import face, save


def ingested(folder: Path, name: str, broken: int) -> Path:
    """Ingest faces of two classes, and so many files that are none."""
    for word in ("happy", "sad"):
        for i in range(3):
            save(folder / name / word / f"{i}.png", face(hash((name, word, i)) % 1000))
    for i in range(broken):
        (folder / name / "sad" / f"broken{i}.png").write_bytes(b"\x89PNG broken")
    return ingest("folder", root=folder / name, name=name, out=folder / f"{name}.parquet").out


STEPS: dict[str, Callable[[Path, Path], object]] = {
    "merge": lambda m, out: merge(m, out=out, by=("pixels",)),
    "split": lambda m, out: split(m, out=out, split="0.5,0.25,0.25"),
    "group": lambda m, out: group(m, out=out, by=("pixels",)),
    "audit": lambda m, out: audit(m, out=out, report=out.with_suffix(".html")),
    "align": lambda m, out: align(m, out=out, detector="haar", size=32),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_file_that_ingest_could_not_read_fails_the_audit_of_what_is_made_of_it(tmp_path: Path, step: str) -> None:
    made = ingested(tmp_path, "one", broken=2)
    if step == "split":
        made = merge(made, out=tmp_path / "merged.parquet", by=("pixels",)).out
    STEPS[step](made, tmp_path / "out.parquet")
    found = audit(tmp_path / "out.parquet", fail_on=["unreadable"])
    assert found.failed == ("unreadable",)
    assert found.rejected == {"broken image": 2}
    assert rejects.read(tmp_path / "out.parquet").equals(rejects.read(made))


def test_a_merge_has_the_rejects_of_all_its_inputs_and_counts_them(tmp_path: Path) -> None:
    inputs = [ingested(tmp_path, "one", broken=2), ingested(tmp_path, "two", broken=1), ingested(tmp_path, "c", 0)]
    done = merge(*inputs, out=tmp_path / "merged", by=("pixels",))
    assert done.rejected == {"broken image": 3}
    names = pq.read_table(tmp_path / "merged.rejects.parquet")["sample_id"].to_pylist()
    assert names == ["one:sad/broken0.png", "one:sad/broken1.png", "two:sad/broken0.png"]


def test_rejects_of_a_manifest_that_was_replaced_go_with_it(tmp_path: Path) -> None:
    merge(ingested(tmp_path, "one", broken=2), out=tmp_path / "m.parquet", by=("pixels",))
    merge(ingested(tmp_path, "two", broken=0), out=tmp_path / "m.parquet", by=("pixels",), force=True)
    assert not (tmp_path / "m.rejects.parquet").exists()
    assert audit(tmp_path / "m.parquet", fail_on=["unreadable"]).failed == ()


def test_the_rejects_of_a_folder_of_parts_are_beside_it_whatever_its_name() -> None:
    assert rejects.beside(Path("m/merged.v2")) == Path("m/merged.v2.rejects.parquet")
    assert rejects.beside(Path("m/a.b.parquet")) == Path("m/a.b.rejects.parquet")
